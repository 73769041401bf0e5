/** Stepping through a history with the keyboard. */
import { expect, test } from 'vitest'
import { firstView, KEYS, pressed, type StepView } from '../../../src/cli/history/step-view.ts'
import type { Key } from '../../../src/cli/terminal/screen.ts'
import { fitting } from '../../../src/cli/terminal/text.ts'

const steps = ['AgentCreated', 'TaskAccepted hello', 'CallStarted', 'CallSucceeded Hello!', 'AgentReset'].map(
  (text, index) => ({ version: index + 3, text }),
)
const key = (sequence: string): Key =>
  ({
    '→': { name: 'right', sequence: '\x1b[C' },
    '⏎': { name: 'return', sequence: '\r' },
    '⌫': { name: 'backspace', sequence: '\x7f' },
    '⎋': { name: 'escape', sequence: '\x1b' },
    '↓': { name: 'down', sequence: '\x1b[B' },
    '↑': { name: 'up', sequence: '\x1b[A' },
    '⇟': { name: 'pagedown', sequence: '\x1b[6~' },
    '^C': { name: 'c', ctrl: true, sequence: '\x03' },
  })[sequence] ?? { name: sequence.toLowerCase(), sequence }
const press = (keys: readonly string[], from: StepView = firstView) =>
  keys.reduce((view, each) => pressed(view, steps, key(each)), from)

test('steps forwards and backwards, and stays within the history', () => {
  expect(press(['n', 'n', '→']).index).toBe(3)
  expect(press(['n', 'b']).index).toBe(0)
  expect(press(['b'])).toMatchObject({ index: 0, problem: 'this is the first step' })
  expect(press(['G', 'n'])).toMatchObject({ index: 4, problem: 'this is the last step' })
  expect(press(['G', 'n', 'b'])).toMatchObject({ index: 3, problem: null })
  expect(press(['G', 'g']).index).toBe(0)
})

test('jumps to a version, and reports a missing one', () => {
  expect(press(['j', '5', '⏎'])).toMatchObject({ index: 2, typing: null })
  expect(press(['7', '⏎']).index).toBe(4)
  expect(press(['1', '2', '⌫', '⌫', '⌫'])).toMatchObject({ index: 0, typing: null })
  expect(press(['9', '9', '⏎'])).toMatchObject({ index: 0, problem: 'no version 99 in this range' })
})

test('searches the facts, ignoring case and wrapping around', () => {
  const once = press(['/', 'h', 'e', 'l', 'l', 'o', '⏎'])
  expect(once.index).toBe(1)
  expect(press(['N'], once).index).toBe(3)
  expect(press(['N', 'N'], once).index).toBe(1)
  expect(press(['/', 'q', '⏎'])).toMatchObject({ index: 0, ended: false, problem: 'no match for "q"' })
  expect(press(['/', 'q', '⎋'])).toMatchObject({ typing: null, ended: false })
})

test('quits with q, escape and Ctrl-C, also while typing', () => {
  expect(press(['q']).ended).toBe(true)
  expect(press(['⎋']).ended).toBe(true)
  expect(press(['/', 'q', '^C']).ended).toBe(true)
})

test('scrolls a step that is longer than the screen, and begins each one at its top', () => {
  expect(press(['↓', '↓', '↑'])).toMatchObject({ index: 0, offset: 1 })
  expect(press(['⇟'])).toMatchObject({ index: 0, offset: 20 })
  expect(press(['↑']).offset).toBe(0)
  expect(press(['⇟', 'n'])).toMatchObject({ index: 1, offset: 0 })
  expect(press(['⇟', '7', '⏎'])).toMatchObject({ index: 4, offset: 0 })
})

test('shows the whole state only when it is asked for', () => {
  expect(firstView.isWhole).toBe(false)
  expect(press(['s']).isWhole).toBe(true)
  expect(press(['s', 'n']).isWhole).toBe(true)
  expect(press(['s', 's']).isWhole).toBe(false)
})

test('takes what is pasted for text, never for keys', () => {
  const pasted = (sequence: string) => ({ ...key(sequence), isPasted: true })
  const paste = (text: string, from: StepView) =>
    [...text].reduce((view, each) => pressed(view, steps, pasted(each)), from)
  expect(paste('nnGq', firstView)).toEqual(firstView)
  expect(paste('call⏎ed', press(['/'])).typing).toMatchObject({ kind: 'search' })
})

test('the line of keys does not wrap in a narrow terminal, which would push the first lines off the screen', () => {
  expect(fitting(KEYS, 40)).toBe(`${KEYS.slice(0, 39)}…`)
  expect(fitting(KEYS, 100)).toBe(KEYS)
})
