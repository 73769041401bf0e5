/** Deciding the inbox by keys. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  firstInboxView,
  type InboxScreen,
  inboxKeys,
  listed,
  pressedInInbox,
} from '../../../src/cli/inbox/keys-view.ts'
import type { Key } from '../../../src/cli/terminal/screen.ts'
import type { InboxEntry } from '../../../src/inbox/entry.ts'

const entry = (id: string, more: object = {}) =>
  ({ id, kind: 'task', tool: null, choices: null, question: `Is ${id} wanted?`, ...more }) as InboxEntry
const three = ['one', 'two', 'three'].map((id) => entry(id))
const key = (sequence: string): Key =>
  ({
    '↓': { name: 'down', sequence: '\x1b[B' },
    '↑': { name: 'up', sequence: '\x1b[A' },
    '⏎': { name: 'return', sequence: '\r' },
    '⌫': { name: 'backspace', sequence: '\x7f' },
    '⎋': { name: 'escape', sequence: '\x1b' },
    '^D': { name: 'd', ctrl: true, sequence: '\x04' },
  })[sequence] ?? { name: sequence.toLowerCase(), sequence }
const press = (
  keys: readonly string[],
  entries: readonly InboxEntry[] = three,
  from = firstInboxView(entries),
) => keys.reduce((view, each) => pressedInInbox(view, entries, key(each)), from)

test('a approves, d denies with a reason, e edits, enter shows in full', () => {
  expect(press(['↓', 'a']).decision).toMatchObject({ does: 'approve', entry: { id: 'two' } })
  expect(press(['d', 'n', 'o', 'x', '⌫', '⏎']).decision).toMatchObject({
    ...{ does: 'deny', entry: { id: 'one' }, text: 'no' },
  })
  expect(press(['d', '⏎']).decision).toMatchObject({ does: 'deny', text: '' })
  expect(press(['d', 'a', '⎋'])).toMatchObject({ decision: null, typing: null, ended: false })
  expect(press(['⏎'])).toMatchObject({ isFull: true, decision: null })
  expect(press(['⏎', '⏎']).isFull).toBe(false)
  expect(press(['e'])).toMatchObject({ decision: null, said: 'Only the input of a tool can be edited.' })
  const tool = [entry('tool', { kind: 'tool', tool: 'Bash', input: { command: 'ls' } })]
  expect(press(['e'], tool).decision).toMatchObject({ does: 'edit', entry: { id: 'tool' } })
  // In the list, a long command is cut.
  expect(press(['a'], tool)).toMatchObject({
    isFull: true,
    decision: null,
    said: expect.stringContaining('again'),
  })
  expect(press(['a', 'a'], tool).decision).toMatchObject({ does: 'approve', entry: { id: 'tool' } })
  expect(press(['⎋']).ended).toBe(true)
  expect(press(['^D']).ended).toBe(true)
})

test('a question is answered by a text, or by the number of a choice', () => {
  const question = [entry('question', { kind: 'question', choices: ['red', 'green'] })]
  expect(press(['a', 'b', 'l', 'u', 'e', '⏎'], question).decision).toMatchObject({
    does: 'answer',
    text: 'blue',
  })
  expect(press(['2'], question)).toMatchObject({ decision: null, typing: { text: 'green' } })
  expect(press(['2', '⏎'], question).decision).toMatchObject({ does: 'answer', text: 'green' })
  expect(press(['a', '⏎'], question).decision).toBeNull()
  // A number that is no choice is no text either.
  expect(press(['3'], question)).toMatchObject({ typing: null, said: 'Its answers: 1 to 2.' })
  expect(press(['1'])).toMatchObject({ typing: null, said: 'It has no answers to choose from.' })
})

test('the line of keys names what they do with the entry that is chosen', () => {
  expect(inboxKeys(entry('one'))).toBe('a approve  d deny  q quit  enter in full  ↑↓ choose')
  expect(inboxKeys(entry('one', { kind: 'tool', tool: 'Bash' }))).toContain('q quit  e edit')
  const question = { kind: 'question', choices: ['red', 'green'] }
  expect(inboxKeys(entry('one', question))).toMatch(
    /^a answer {2}d deny {2}q quit {2}1 to 2 take that answer/,
  )
})

test('what is pasted is part of a reason and decides nothing', () => {
  const paste = (text: string, from: InboxScreen) =>
    [...text].reduce((view, each) => pressedInInbox(view, three, { ...key(each), isPasted: true }), from)
  expect(paste('add\rde\rq', firstInboxView(three))).toEqual(firstInboxView(three))
  const view = paste('add\rde', press(['d']))
  expect(view).toMatchObject({ decision: null, typing: { text: 'add de' } })
})

test('whatever is pressed and whatever arrives or leaves: a key decides only the entry that was chosen', () => {
  const ids = ['one', 'two', 'three', 'four']
  const lists = fc.subarray(ids).map((found) => found.map((id) => entry(id)))
  const step = fc.oneof(
    fc.constantFrom('a', 'd', 'e', '⏎', '↓', '↑', 'x', '⎋').map((pressing) => ({ pressing })),
    lists.map((arriving) => ({ arriving })),
  )
  fc.assert(
    fc.property(lists, fc.array(step, { maxLength: 20 }), (first, steps) => {
      let entries = first
      let view = firstInboxView(first)
      for (const one of steps) {
        const before = view.chosen
        if ('arriving' in one) {
          entries = one.arriving
          view = listed(view, entries)
          // Another entry never takes the place of the chosen one.
          expect([before, null]).toContain(view.chosen)
        } else {
          view = pressedInInbox(view, entries, key(one.pressing))
          if (view.decision) expect(view.decision.entry.id).toBe(before)
          if (view.decision || view.ended) return
        }
        if (view.chosen !== null) expect(entries.map(({ id }) => id)).toContain(view.chosen)
      }
    }),
  )
})
