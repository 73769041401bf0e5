/** The addresses of the inspector's pages. The server answers each of them with one page, which shows what the address names. */

export type PageName = 'overview' | 'inbox' | 'runs' | 'run' | 'agents' | 'agent' | 'log' | 'fact' | 'search'

export interface PageAddress {
  readonly page: PageName
  /** What it is about: the id of a run or an agent, the position of a fact; empty for none. */
  readonly id: string
}

const ADDRESSES: readonly (readonly [path: RegExp, page: PageName])[] = [
  [/^\/$/, 'overview'],
  [/^\/inbox$/, 'inbox'],
  [/^\/runs$/, 'runs'],
  [/^\/run\/([a-z0-9._-]{1,80})$/, 'run'],
  [/^\/agents$/, 'agents'],
  [/^\/agent\/([a-z0-9._-]{1,80})$/, 'agent'],
  [/^\/log$/, 'log'],
  [/^\/fact\/(\d{1,15})$/, 'fact'],
  [/^\/search$/, 'search'],
]

export const PAGES: readonly PageName[] = ADDRESSES.map(([, page]) => page)

/** What is at a path; null if nothing is. */
export function pageAt(path: string): PageAddress | null {
  for (const [pattern, page] of ADDRESSES) {
    const found = pattern.exec(path)
    if (found) return { page, id: found[1] ?? '' }
  }
  return null
}
