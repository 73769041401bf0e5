/** Every link in the pages leads somewhere: to a file of the repository, and to a heading in it. Nothing is fetched. */
import { existsSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { PAGES, ROOT, read } from './documents.ts'

/** Without code, where brackets are no links. */
const prose = (page: string) =>
  read(page)
    .replace(/^```.*?^```$/gms, '')
    .replace(/`[^`\n]*`/g, 'code')

/** The anchors of a page, as GitHub makes them of its headings. */
function anchors(page: string): Set<string> {
  const text = read(page).replace(/^```.*?^```$/gms, '')
  const seen = new Map<string, number>()
  return new Set(
    [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) => {
      const plain = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
      const slug = plain.replace(/[^\p{L}\p{N}\- _]/gu, '').replaceAll(' ', '-')
      const count = seen.get(slug) ?? 0
      seen.set(slug, count + 1)
      return count === 0 ? slug : `${slug}-${count}`
    }),
  )
}

const links = (page: string) =>
  [...prose(page).matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)].map(([, target = '']) => target)

/** What is wrong with a link of a page; null when nothing is. */
function problem(page: string, target: string): string | null {
  if (/^https?:/.test(target)) return URL.canParse(target) ? null : 'is no address'
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path))
  if (file.startsWith('..') || !existsSync(join(ROOT, file))) return 'leads to no file'
  return anchor === undefined || anchors(file).has(anchor) ? null : 'leads to no heading'
}

test.each(PAGES)('Every link in %s leads somewhere', (page) => {
  const wrong = links(page).flatMap((target) => {
    const found = problem(page, target)
    return found === null ? [] : [`${target} ${found}`]
  })
  expect(wrong).toEqual([])
})

test('Every page in docs/ can be reached from the README', () => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    const pages = links(page)
      .filter((target) => !/^https?:/.test(target) && /\.md(#|$)/.test(target))
      .map((target) => relative(ROOT, join(ROOT, dirname(page), target.split('#')[0] ?? '')))
    for (const next of pages) reached.add(next)
  }
  const decisions = /^docs\/decisions\//
  expect(PAGES.filter((page) => !reached.has(page) && !decisions.test(page) && page !== 'AGENTS.md')).toEqual(
    [],
  )
})

test('A link that leads nowhere would be found', () => {
  expect(problem('README.md', 'docs/nothing.md')).toBe('leads to no file')
  expect(problem('README.md', '../elsewhere.md')).toBe('leads to no file')
  expect(problem('README.md', 'docs/semantics.md#nothing')).toBe('leads to no heading')
  expect(problem('docs/semantics.md', '../SECURITY.md#logins')).toBeNull()
})
