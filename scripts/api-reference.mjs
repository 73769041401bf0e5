/**
 * Writes docs/api/, one page per entry point, from the docstrings of the built package's exports, and docs/api-reference.md,
 * which lists the pages. The headings and the order of a page are those of the entry point's source.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { exportsOf, PUBLIC } from './declarations.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const errors = await import(`${root}dist/entry-points/errors.js`)
const { exports: published } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

/** The name that a program imports, the module in src/ and dist/ behind it, and its page. */
export const ENTRIES = Object.entries(published)
  .filter(([, target]) => target.types !== undefined)
  .map(([subpath, { types }]) => ({
    name: subpath.replace('.', 'claude-multi-agent'),
    list: types.replace('./dist/', '').replace('.d.ts', ''),
    page: `docs/api/${subpath === '.' ? 'index' : subpath.slice(2)}.md`,
  }))

/** The exports of an entry point, with their docstrings. */
export const declarationsOf = ({ list }) => exportsOf(`${root}dist/${list}.d.ts`)

/** The text of docs/api-reference.md and of each page, by its path. */
export function apiPages() {
  // An export of several entry points is described on the page of a subpath, and linked from the main page.
  const homes = new Map()
  for (const entry of [...ENTRIES.slice(1), ...ENTRIES.slice(0, 1)])
    for (const declared of declarationsOf(entry))
      if (!homes.has(keyOf(declared))) homes.set(keyOf(declared), entry)
  return new Map([
    ['docs/api-reference.md', overview()],
    ...ENTRIES.map((entry) => [entry.page, pageOf(entry, homes)]),
  ])
}

const keyOf = ({ file, name }) => `${file} ${name}`
const GENERATED = 'Generated from the docstrings in the code by `npm run docs:api`: change them there.'

function overview() {
  const rows = ENTRIES.map(
    ({ name, list, page }) =>
      `| [\`${name}\`](${page.slice('docs/'.length)}) | ${sentenceOf(headerOf(list))} |`,
  )
  return `# API reference\n\n${GENERATED}\n\n| import from | what it offers |\n|---|---|\n${rows.join('\n')}\n`
}

function pageOf(entry, homes) {
  const declared = new Map(declarationsOf(entry).map((each) => [each.name, each]))
  const isOwn = (each) => homes.get(keyOf(each)) === entry
  const sections = sectionsOf(entry.list).map(({ title, names }) => {
    const all = names.map((name) => declared.get(name))
    return { title, own: all.filter(isOwn), others: all.filter((each) => !isOwn(each)) }
  })
  const anchors = anchorsOf(
    sections.flatMap(({ title, own }) => [...(title ? [title] : []), ...headed(own).map(({ name }) => name)]),
  )
  const contents = sections.map(({ title, own }) => {
    const names = headed(own).map(({ name }) => `[${name}](#${anchors(name)})`)
    return [...(title ? [`[${title}](#${anchors(title)})`] : []), names.join(', ')]
      .filter((part) => part !== '')
      .join(': ')
  })
  const text = sections.map((each) => section(each, homes)).join('\n\n')
  const [, ...about] = headerOf(entry.list).split('\n\n')
  return `${[
    `# \`${entry.name}\``,
    `${sentenceOf(headerOf(entry.list))} ${GENERATED} What a class or an interface inherits from something that is not exported is shown with it.`,
    ...about,
    contents.map((line) => `- ${line}`).join('\n'),
    formatted(text),
  ].join('\n\n')}\n`
}

const sourceOf = (list) => readFileSync(`${root}src/${list}.ts`, 'utf8')

/** The opening comment of an entry point, in paragraphs. */
function headerOf(list) {
  const [, comment = ''] = /^\/\*\*(.*?)\*\//s.exec(sourceOf(list)) ?? []
  return comment
    .split('\n')
    .map((line) => line.replace(/^ *\*? ?/, '').trimEnd())
    .join('\n')
    .trim()
}

/** Its first sentence, without the name of the entry point. */
const sentenceOf = (header) => `${header.split(': `')[0]?.replaceAll('\n', ' ')}.`

/** The headings of an entry point, with the names exported under each. */
function sectionsOf(list) {
  const sections = [{ title: null, names: [] }]
  const parts = sourceOf(list).matchAll(
    /^\/\/ (?<title>.+)$|^export (?:type )?\{(?<names>[^}]*)\} from|^export async function (?<own>\w+)|^export \* from '(?<all>[^']+)\.ts'/gm,
  )
  for (const { groups } of parts) {
    const { title, names, own, all } = groups
    if (title !== undefined) sections.push({ title, names: [] })
    else sections.at(-1).names.push(...(all === undefined ? namesIn(names ?? own) : everythingOf(list, all)))
  }
  return sections
    .map(({ title, names }) => ({ title, names: names.sort((one, other) => one.localeCompare(other, 'en')) }))
    .filter(({ names }) => names.length > 0)
}

const namesIn = (list) => [...list.matchAll(/(?:type )?(?:\w+ as )?(\w+)\s*(?:,|$)/g)].map(([, name]) => name)
const everythingOf = (list, target) =>
  exportsOf(fileURLToPath(new URL(`${target}.d.ts`, `file://${root}dist/${list}.d.ts`))).map(
    ({ name }) => name,
  )

/** Errors all have the same form, so they are rows of a table. Errors of calls are defined by a table themselves. */
const isCallError = ({ madeBy }) => madeBy?.name === 'CallErrorClass'
const isError = (declared) =>
  ['CallErrorClass', 'ErrorClass'].includes(declared.madeBy?.name) ||
  ['ClaudeAgentError', 'ClaudeExecutionError'].includes(declared.base)
/** The description of an export: its docstring and, for an error of a call, its message and hint. */
export const about = (declared) => {
  if (!isCallError(declared)) return declared.doc
  const { summary, hint } = new errors[declared.name]()
  return [declared.doc, summary, hint].filter((text) => text !== '').join(' ')
}
/** The details of an error. */
const detailsOf = ({ madeBy }) => (madeBy?.last ?? []).map((name) => `\`${name}\``)

const headed = (declared) => declared.filter((each) => !isError(each))

function section({ title, own, others }, homes) {
  const parts = headed(own).map(
    ({ name, doc, code, example }) =>
      `### ${name}\n\n${doc === '' ? '' : `${linked(doc)}\n\n`}\`\`\`ts\n${code}\n\`\`\`${example === '' ? '' : `\n\nExample:\n\n\`\`\`ts\n${example}\n\`\`\``}`,
  )
  const rows = own
    .filter(isError)
    .map((error) => `| \`${error.name}\` | ${oneLine(about(error))} | ${detailsOf(error).join(', ')} |`)
  const table = `| error | what it says | details |\n|---|---|---|\n${rows.join('\n')}`
  const elsewhere = ENTRIES.flatMap((entry) => {
    const names = others.filter((each) => homes.get(keyOf(each)) === entry).map(({ name }) => `\`${name}\``)
    const page = entry.page.slice('docs/api/'.length)
    return names.length > 0 ? [`Described under [\`${entry.name}\`](${page}): ${names.join(', ')}.`] : []
  })
  return [
    ...(title ? [`## ${title}`] : []),
    ...parts,
    ...(rows.length > 0 ? [table] : []),
    ...elsewhere,
  ].join('\n\n')
}

const oneLine = (text) => linked(text).replace(/\s+/g, ' ').replaceAll('|', '\\|')
const linked = (text) =>
  text
    .replace(/\{@link (\w+)\}/g, '`$1`')
    .replace(/^@throws +/gm, 'Throws ')
    .replace(/^@param (\w+) +/gm, '`$1`: ')

/** The anchors that GitHub gives to headings. */
function anchorsOf(titles) {
  const seen = new Map()
  const anchors = new Map()
  for (const title of titles) {
    const slug = title
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    anchors.set(title, count === 0 ? slug : `${slug}-${count}`)
  }
  return (title) => anchors.get(title)
}

/** Formats the signatures, which the compiler prints on one line of any length. */
function formatted(markdown) {
  const blocks = []
  const text = markdown.replace(
    /```ts\n((?:declare|interface|export|type|abstract).*?)\n```/gs,
    (_, code) => {
      blocks.push(code)
      return `\`\`\`ts\n%%${blocks.length - 1}%%\n\`\`\``
    },
  )
  const marked = blocks.map((code, index) => `// %%${index}%%\n${code}`).join('\n\n')
  const biome = `${root}node_modules/@biomejs/biome/bin/biome`
  const output = execFileSync(process.execPath, [biome, 'format', '--stdin-file-path=api.d.ts'], {
    input: marked,
    cwd: root,
    encoding: 'utf8',
  })
  const pretty = new Map(
    output
      .split(/^\/\/ %%/m)
      .slice(1)
      .map((part) => {
        const [, index, code] = /^(\d+)%%\n(.*)$/s.exec(part) ?? []
        return [index, code.trim()]
      }),
  )
  return text.replace(/%%(\d+)%%/g, (_, index) => pretty.get(index) ?? blocks[index])
}

for (const entry of ENTRIES) for (const { name } of declarationsOf(entry)) PUBLIC.add(name)

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(`${root}docs/api`, { recursive: true, force: true })
  mkdirSync(`${root}docs/api`)
  for (const [page, text] of apiPages()) writeFileSync(`${root}${page}`, text)
}
