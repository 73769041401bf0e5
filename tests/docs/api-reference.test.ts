import { expect, test } from 'vitest'
// @ts-expect-error: a script without types
import { about, declarationsOf, ENTRIES } from '../../scripts/api-reference.mjs'
import { read } from './documents.ts'

interface Entry {
  readonly name: string
  readonly page: string
}
const entries = ENTRIES as readonly Entry[]
const exportedBy = (entry: Entry) => declarationsOf(entry) as readonly { readonly name: string }[]
const namesOf = (entry: Entry) => exportedBy(entry).map(({ name }) => name)

/** The exports that a page describes, each by a heading or by a row, and those that it says are described elsewhere. */
function describedOn(page: string): string[] {
  const prose = read(page).replace(/^```.*?^```$/gms, '')
  const headings = [...prose.matchAll(/^### (\w+)$/gm)]
  const rows = [...prose.matchAll(/^\| `(\w+)` \|/gm)]
  const elsewhere = [...prose.matchAll(/^Described under .*?: (.*)\.$/gm)].flatMap(([, names = '']) => [
    ...names.matchAll(/`(\w+)`/g),
  ])
  return [...headings, ...rows, ...elsewhere].map(([, name = '']) => name)
}

test.each(entries)(
  'The page of $name has each of its exports, and no others (npm run docs:api writes it)',
  (entry) => {
    expect(describedOn(entry.page).sort()).toEqual(namesOf(entry).sort())
  },
)

test.each(entries)('Each export of $name has a docstring', (entry) => {
  const undocumented = exportedBy(entry).filter((declared) => about(declared) === '')
  expect(undocumented.map(({ name }) => name)).toEqual([])
})

test('The list of pages leads to the page of each entry point', () => {
  const listed = read('docs/api-reference.md').matchAll(/^\| \[`([^`]+)`\]\(([^)]+)\) \|/gm)
  expect([...listed].map(([, name, page]) => ({ name, page: `docs/${page}` }))).toEqual(
    entries.map(({ name, page }) => ({ name, page })),
  )
})
