/** The pages are written in plain English: phrases that read as translated are refused. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { API_PAGES, PAGES, ROOT, read } from './documents.ts'

const REFUSED = [
  /unless told/i,
  /\b(goes|go|gone|going|went) on (with|where|by itself)\b/i,
  /\bwhoever\b/i,
  /\bwh(at|o) there is\b/i,
  /\breckoned\b/i,
  /\bdead letters?\b/i,
  /\blooks? whether\b/i,
  /\bprompt that stays\b/i,
  /\bof one's own\b/i,
  /\b(mend|mended)\b/i,
]

/** Without what comes from the code: the generated list of commands, the rows of settings, and titles of tests. */
const prose = (page: string) =>
  read(page)
    .replace(/<!-- commands -->.*<!-- end of commands -->/s, '')
    .replace(/^ {2}`tests\/.*$/gm, '')
    .replace(/^\| `\w+\.\w+` \| `CLAUDE_AGENTS_.*$/gm, '')

const found = (text: string) => REFUSED.flatMap((phrase) => phrase.exec(text)?.[0] ?? [])

const pages = PAGES.filter((page) => !API_PAGES.includes(page))
const examples = readdirSync(join(ROOT, 'examples'))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `examples/${name}`)

test.each([...pages, ...examples])('%s is written in plain English', (page) => {
  expect(found(prose(page))).toEqual([])
})

test('A phrase that reads as translated is found', () => {
  expect(found('It goes on with what there is, unless told otherwise.')).toEqual([
    'unless told',
    'goes on with',
    'what there is',
  ])
})
