/** What the page offers about entries of the inbox. */
import { expect, test } from 'vitest'
import type { InboxEntry } from '../../../src/inbox/entry.ts'
import { offersOfEntry } from '../../../src/inspector/acts/offers.ts'

const entryOf = (kind: string, more: Partial<InboxEntry>): InboxEntry => ({
  ...{ id: `${kind}:writer:c1`, kind: kind as InboxEntry['kind'], agent: 'writer', run: null, since: '' },
  ...{ prompt: null, tool: null, input: null, question: '', choices: null, costUsd: 0, command: '' },
  ...more,
})

test('a tool call is approved, edited without hidden characters, or denied', () => {
  const input = { command: 'echo \u202Etxt.exe \u{E0041}', timeout: 1 }
  const offers = offersOfEntry(entryOf('tool', { tool: 'Bash', input }))
  expect(offers.map(({ action, key }) => [action, key])).toEqual([
    ['approve', 'a'],
    ['approve', 'e'],
    ['deny', 'd'],
  ])
  const [field] = offers[1]?.fields ?? []
  expect(field?.value).toContain('echo \\u202etxt.exe \\udb40\\udc41')
  expect(JSON.parse(field?.value ?? '')).toEqual(input)
})

test('an input that is too long to be edited can be approved or denied', () => {
  const offers = offersOfEntry(entryOf('tool', { tool: 'Write', input: { content: 'x'.repeat(100_000) } }))
  expect(offers.map(({ key }) => key)).toEqual(['a', 'd'])
})

test('a question is answered by one of its choices, or in any words', () => {
  const [chosen] = offersOfEntry(entryOf('question', { choices: ['yes', 'n\u202Eo'] }))
  const choices = [
    { value: 'yes', label: 'yes' },
    { value: 'n\u202Eo', label: 'n\\u202eo' },
  ]
  expect(chosen?.fields).toMatchObject([{ name: 'text', kind: 'choice', choices }])
  const long = offersOfEntry(entryOf('question', { choices: ['yes', 'x'.repeat(100_000)] }))
  expect(long.map(({ action }) => action)).toEqual(['deny'])
  const [free] = offersOfEntry(entryOf('question', { question: 'Which n\u202Eame?' }))
  expect(free?.says).toBe('It asks: Which n\\u202eame? The agent gets the answer, and its turn continues.')
  expect(free?.fields).toMatchObject([{ name: 'text', kind: 'text', required: true }])
})

test('a message is read, or never is', () => {
  const offers = offersOfEntry(entryOf('message', {}))
  expect(offers.map(({ action, key }) => [action, key])).toEqual([
    ['approve', 'a'],
    ['deny', 'd'],
  ])
})

test('nothing is offered about what the page does not know', () => {
  expect(offersOfEntry(entryOf('supervision', {}))).toEqual([])
  expect(offersOfEntry(entryOf('constructor', {}))).toEqual([])
})
