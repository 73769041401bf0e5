/** The edits by which tests must turn red: each can be made, and each promise has one. `npm run mutants` makes them. */
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
// @ts-expect-error: a script without types
import { BUGS } from '../scripts/bugs.mjs'
// @ts-expect-error: a script without types
import { MUTATIONS, staleness, VITAL } from '../scripts/mutations.mjs'
import { promisesIn, semantics } from './evidence.ts'

test('Each mutation finds its line once, and the tests that must turn red', () => {
  expect(MUTATIONS.length).toBeGreaterThan(190)
  expect(staleness(MUTATIONS, resolve(import.meta.dirname, '..'))).toEqual([])
})

test('Each vital mutation is one of them', () => {
  const made = (MUTATIONS as readonly { readonly breaks: string }[]).map(({ breaks }) => breaks)
  const many = (VITAL as readonly string[]).filter(
    (edit) => made.filter((breaks) => breaks.endsWith(`: ${edit}`)).length !== 1,
  )
  expect(many).toEqual([])
})

test('Each bug to plant finds its line once', () => {
  const edits = (BUGS as readonly { readonly bug: string }[]).map(({ bug, ...edit }) => ({
    ...edit,
    breaks: bug,
    tests: {},
  }))
  expect(edits.length).toBe(17)
  expect(staleness(edits, resolve(import.meta.dirname, '..'))).toEqual([])
})

test('Each promise of docs/semantics.md is broken by a mutation', () => {
  const broken = (MUTATIONS as readonly { readonly breaks: string }[]).map(({ breaks }) => words(breaks))
  const unbroken = promisesIn(semantics())
    .map(({ promise }) => promise)
    .filter((promise) => !broken.some((each) => each.startsWith(words(promise).slice(0, 20))))
  expect(unbroken).toEqual([])
})

const words = (text: string) => text.replace(/[^\w ]/g, '').toLowerCase()
