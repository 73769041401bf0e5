/** Code and pages speak plain English: phrases that read as translated are refused. This is the only list of them. */
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseSync } from 'vite'
import { describe, expect, test } from 'vitest'
import { PAGES, ROOT, read } from './docs/documents.ts'

const REFUSED = [
  /unless told/i,
  /\b(goes|go|gone|going|went) on (with|where|by itself)\b/i,
  /\b(whoever|whomever)\b/i,
  /\bwh(at|o) there is\b/i,
  /\bwhat is there\b/i,
  /\breckoned\b/i,
  /\bdead letters?\b/i,
  /\blooks? whether\b/i,
  /\bprompt that stays\b/i,
  /\bof one's own\b/i,
  // The status of an entry that is to land has this name in `land --json`.
  /\b(mend|mended|(?<!^|`)mending)\b/i,
  /\b(exists|runs|open|running|started|taken|supervised|there) already\b/i,
  /\bis no (string|number|list|object|text|JSON|part|backup|directory|file)\b/i,
  /\b(took|takes?|longer) (longer )?than it (may|can)\b/i,
  /\bNo whole\b/,
  /\bnot whole\b/i,
  /\bmade anew\b/i,
  /\btr(y|ies|ied) anew\b/i,
  /\bcalled off\b/i,
  /\bmake room\b/i,
  /\bput into\b.*\bby hand\b/i,
]

const found = (text: string) => REFUSED.flatMap((phrase) => phrase.exec(text)?.[0] ?? [])

describe('a page', () => {
  /** Without what comes from elsewhere: the rows of settings, and titles of tests. */
  const prose = (page: string) =>
    read(page)
      .replace(/^ {2}`tests\/.*$/gm, '')
      .replace(/^\| `\w+\.\w+` \| `CLAUDE_AGENTS_.*$/gm, '')
  // The API reference is generated from the docstrings.
  const pages = PAGES.filter((page) => !page.startsWith('docs/api'))
  const examples = readdirSync(join(ROOT, 'examples'))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `examples/${name}`)

  test.each([...pages, ...examples])('%s is written in plain English', (page) => {
    expect(found(prose(page))).toEqual([])
  })
})

/** Files whose texts are prompts. */
const PROMPTS = new Set(['src/workflows/agent-factory.ts'])

describe('the code', () => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => `src/${name}`)
  const rooms = [...new Set(files.map((file) => dirname(file)))].sort()

  test.each(rooms)('the texts and comments of %s are in plain English', (room) => {
    const wrong = files
      .filter((file) => dirname(file) === room)
      .flatMap((file) => {
        const code = read(file)
        // Prompts are part of what makes a step the same step: their words stay, so that resumed runs pay nothing twice.
        if (PROMPTS.has(file)) return commentsIn(code, file).flatMap(found)
        return [...textsIn(code, file), ...commentsIn(code, file)].flatMap((text) =>
          found(text).map((phrase) => `${file}: ${phrase}`),
        )
      })
    expect(wrong).toEqual([])
  })
})

test('a phrase that reads as translated is found, in a page, in a text and in a comment', () => {
  expect(found('It goes on with what there is, unless told otherwise.')).toEqual([
    'unless told',
    'goes on with',
    'what there is',
  ])
  const code = '/** Whoever asks. */ class A { b = [`this is not whole`] }'
  expect(commentsIn(code, 'a.ts').flatMap(found)).toEqual(['Whoever'])
  expect(textsIn(code, 'a.ts').flatMap(found)).toEqual(['not whole'])
})

/** What stands in quotes or between tags, without the names of modules. */
function textsIn(code: string, file: string): string[] {
  const pieces: string[] = []
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    const { type, value } = node as { type?: string; value?: unknown }
    if (type === 'Literal' || type === 'JSXText') pieces.push(String(value))
    else if (type === 'TemplateElement') pieces.push((value as { raw: string }).raw)
    else for (const [key, child] of Object.entries(node)) if (key !== 'source') visit(child)
  }
  visit(parseSync(file, code).program)
  return pieces
}

const commentsIn = (code: string, file: string) =>
  parseSync(file, code).comments.map(({ value }) => value.replace(/\s*\n \*\s?/g, ' '))
