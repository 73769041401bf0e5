/** A keyboard whose keys arrive in any pieces and at any time: each text that is typed is read, once and whole. */
import { EventEmitter } from 'node:events'
import { Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Keys } from '../../../src/cli/interactive/keyboard.ts'
import { type LineInput, lineInput } from '../../../src/cli/interactive/line-input.ts'

async function keyboard() {
  const stdin = new EventEmitter()
  const modes: boolean[] = []
  const same = () => stdin
  const setRawMode = (mode: boolean) => modes.push(mode)
  Object.assign(stdin, { setRawMode, setEncoding: same, resume: same, pause: same })
  const input = await lineInput({
    historyFile: '/dev/null',
    complete: async () => [],
    signal: new AbortController().signal,
    terminal: { stdin: stdin as unknown as Keys, stdout: new Writable({ write: (_, __, done) => done() }) },
  })
  return { input, modes, type: (keys: string) => stdin.emit('data', keys), end: () => stdin.emit('end') }
}

/** Reads as an interactive session does: a command runs for some turns of the event loop after each text. */
async function readAll(input: LineInput, turns: number) {
  const texts: string[] = []
  let interrupts = 0
  for (;;) {
    const typed = await input.next('> ')
    if (typed === null) return { texts, interrupts }
    texts.push(typed)
    input.whileBusy(() => interrupts++)
    for (let left = turns; left > 0; left--) await turn()
  }
}

const text = fc.string({ unit: fc.constantFrom('a', 'é', '😀', ' ', '?'), minLength: 1, maxLength: 8 })
const typedLine = text.map((line) => ({ keys: `${line}\r`, means: line }))
const pastedLines = fc.array(text, { minLength: 1, maxLength: 60 }).map((lines) => ({
  keys: `\u001b[200~${lines.join('\n')}\u001b[201~\r`,
  means: lines.join('\n'),
}))

test('What is typed and pasted ahead is read whole and in order, however it arrives', async () => {
  const anything = fc.array(fc.oneof(typedLine, pastedLines), { minLength: 1, maxLength: 6 })
  const pieces = fc.infiniteStream(fc.integer({ min: 1, max: 40 }))
  await fc.assert(
    fc.asyncProperty(anything, pieces, fc.nat(4), fc.nat(4), async (given, sizes, busy, pause) => {
      const { input, type, end } = await keyboard()
      const reading = readAll(input, busy)
      let keys = Array.from(given.map((each) => each.keys).join(''))
      for (const size of sizes) {
        type(keys.slice(0, size).join(''))
        keys = keys.slice(size)
        for (let left = pause; left > 0; left--) await turn()
        if (keys.length === 0) break
      }
      end()
      expect((await reading).texts).toEqual(given.map(({ means }) => means))
      input.close()
    }),
  )
})

test('Ctrl-C while a command runs interrupts it and drops what was typed before, not what follows', async () => {
  const { input, type } = await keyboard()
  const typed = input.next('> ')
  type('first\rsecond\rthi\u0003fourth\r')
  expect(await typed).toBe('first')
  const interrupts: string[] = []
  input.whileBusy(() => interrupts.push('now'))
  expect(interrupts).toEqual(['now'])
  expect(await input.next('> ')).toBe('fourth')
  input.close()
})

test('Ctrl-C on a line drops the line, and on an empty one interrupts; what follows is kept', async () => {
  const { input, type } = await keyboard()
  const typed = input.next('> ')
  type('dropped\u0003\u0003kept\r')
  expect(await typed).toBe('')
  expect(await input.next('> ')).toBe('interrupted')
  expect(await input.next('> ')).toBe('kept')
  input.close()
})

test('The terminal is in raw mode from the first text to the end, and then no more', async () => {
  const { input, type, modes } = await keyboard()
  const typed = input.next('> ')
  type('text\r')
  await typed
  input.whileBusy(() => {})
  expect(modes).not.toContain(false)
  input.close()
  expect(modes.at(-1)).toBe(false)
})

test('What is pasted or typed has no hidden characters, so what is seen is what is asked', async () => {
  const { input, type } = await keyboard()
  const kept = 'نمی‌دانم 👩‍👧 é'
  for (const [keys, means] of [
    ['\u001b[200~hid\u200bden \u202eabc\u001b[201~\r', 'hidden abc'],
    ['ty\u200bped\u{e0041}\r', 'typed'],
    [`\u001b[200~${kept}\u001b[201~\r`, kept],
    [`${kept}\r`, kept],
  ] as const) {
    const typed = input.next('> ')
    type(keys)
    expect(await typed).toBe(means)
  }
  input.close()
})
