/** The pages that people read, and the blocks of code in them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isLong } from '../repetitions.ts'

export const ROOT = resolve(import.meta.dirname, '../..')

const markdownIn = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `${folder}/${name}`)

/** The pages whose code can be run. What a page only shows is in blocks of another kind, such as `console`. */
export const GUIDES = ['README.md', ...markdownIn('docs')]

/** The pages that are generated from the docstrings: their code is signatures and pieces. */
const API_PAGES = markdownIn('docs/api')

/** Every page. */
export const PAGES = [
  ...['README.md', 'AGENTS.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
  ...markdownIn('docs'),
  ...markdownIn('docs/decisions'),
  ...API_PAGES,
]

export const read = (page: string) => readFileSync(join(ROOT, page), 'utf8')

/** The blocks of a page in a language, as they stand. */
export function blocks(page: string, language: string): string[] {
  return [...read(page).matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code ?? '')
}

/** What a newcomer meets first is tried with the real `claude` in the long form of the tests; otherwise a stand-in does,
 * which is quicker. */
export const isTriedWithClaude = (page: string) =>
  isLong && (page === 'README.md' || page === 'docs/quickstart.md')
