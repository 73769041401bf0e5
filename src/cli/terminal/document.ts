/** A report in blocks, printed as Markdown or as a page of its own, which loads nothing and runs nothing. */
import { inert } from './text.ts'

export type Block =
  | { readonly heading: string; readonly id?: string }
  | { readonly paragraph: string; readonly tone?: string }
  | { readonly columns: readonly Column[]; readonly rows: readonly (readonly DocumentCell[])[] }
  /** A text as it is; with a summary, a page shows it only when it is opened. */
  | { readonly text: string; readonly summary?: string }
  /** What is said of each item may have more lines, which are text as it is. */
  | { readonly items: readonly string[] }

interface Column {
  readonly head: string
  /** Figures stand at the right. */
  readonly right?: boolean
}

type DocumentCell =
  | string
  | {
      readonly text: string
      /** The id of a heading. */
      readonly to?: string
      readonly tone?: string
      readonly isCode?: boolean
    }

/** A report is the beginning, its blocks and the end. */
export interface ReportFormat {
  begin(title: string): string
  block(block: Block): string
  readonly end: string
}

export const printed = (format: ReportFormat, title: string, blocks: readonly Block[]): string =>
  `${format.begin(title)}${blocks.map((block) => format.block(block)).join('')}${format.end}`.trimEnd()

const textIn = (cell: DocumentCell) => (typeof cell === 'string' ? cell : cell.text)

export const MARKDOWN: ReportFormat = {
  begin: (title) => `# ${plain(title)}\n\n`,
  block: (block) => `${markdownBlock(block)}\n\n`,
  end: '',
}

function markdownBlock(block: Block): string {
  if ('heading' in block) return `## ${plain(block.heading)}`
  if ('paragraph' in block) return sentences(block.paragraph)
  if ('items' in block) return block.items.map(markdownItem).join('\n')
  if ('text' in block)
    return `${block.summary === undefined ? '' : `${plain(block.summary)}:\n\n`}${fenced(block.text)}`
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    line(block.columns.map(({ head }) => head)),
    `|${block.columns.map(({ right }) => (right ? '---:' : '---')).join('|')}|`,
    ...block.rows.map((row) => line(row.map((cell) => plain(textIn(cell))))),
  ].join('\n')
}

function markdownItem(item: string): string {
  const [first = '', ...lines] = item.split('\n')
  // Lines that are indented are text as it is.
  const quoted = lines.map((line) => `      ${inert(line)}`.trimEnd())
  const said = `- ${sentences(first)}`
  return quoted.length === 0 ? said : [said, '', ...quoted, ''].join('\n')
}

/** Text from outside on one line of Markdown, which means nothing there. */
const plain = (text: string): string => escaped(inert(text)).trim()

const escaped = (text: string): string =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*[\]<>|&#~]/g, '\\$&')
    .replace(/(?<![a-z0-9])_|_(?![a-z0-9])/gi, '\\_')

/**
 * A command in a sentence, with the words that a shell would take: in quotes, a word may have spaces. The stop or comma after it
 * is not part of it.
 */
const COMMAND =
  /(?<=^|[.:?!] )(?:git -C|(?:npx )?claude-agents)(?:(?<![\w'][.,;:]) (?:'[^'\n]*'|\\.|[^\s'\\()])+)+(?<![\w'][.,;:])/g

/** The same as plain text, with its commands as code: escaped, they would be others when they are copied. */
function sentences(text: string): string {
  const shown = inert(text)
  let said = ''
  let end = 0
  for (const { 0: command, index } of shown.matchAll(COMMAND)) {
    said += escaped(shown.slice(end, index)) + code(command)
    end = index + command.length
  }
  return (said + escaped(shown.slice(end))).trim()
}

function code(text: string): string {
  const ticks = fenceFor(text, 0)
  return text.endsWith('`') ? `${ticks} ${text} ${ticks}` : `${ticks}${text}${ticks}`
}

/** A text as it is, between fences. */
function fenced(text: string): string {
  const shown = inert(text).trimEnd()
  const fence = fenceFor(shown, 2)
  return `${fence}text\n${shown}\n${fence}`
}

/** More backticks than the text has anywhere in a row. */
function fenceFor(text: string, least: number): string {
  const longest = Math.max(least, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  return '`'.repeat(longest + 1)
}

export const PAGE: ReportFormat = {
  begin: (title) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${html(title)}</h1>
`,
  block: (block) => `${htmlBlock(block)}\n`,
  end: `</body>
</html>
`,
}

function htmlBlock(block: Block): string {
  if ('heading' in block)
    return `<h2${block.id === undefined ? '' : ` id="${html(block.id)}"`}>${html(block.heading)}</h2>`
  if ('paragraph' in block) return `<p${classOf(block.tone)}>${html(block.paragraph)}</p>`
  if ('items' in block) return `<ul>${block.items.map((item) => `<li>${html(item)}</li>`).join('\n')}</ul>`
  if ('text' in block) {
    const text = `<pre>${html(block.text)}</pre>`
    return block.summary === undefined
      ? text
      : `<details><summary>${html(block.summary)}</summary>${text}</details>`
  }
  const { columns, rows } = block
  const cells = (row: readonly DocumentCell[]) =>
    row.map((cell, at) => `<td${classOf(columns[at]?.right ? 'figure' : toneOf(cell))}>${inCell(cell)}</td>`)
  return `<table>
<thead><tr>${columns.map(({ head }) => `<th>${html(head)}</th>`).join('')}</tr></thead>
<tbody>
${rows.map((row) => `<tr>${cells(row).join('')}</tr>`).join('\n')}
</tbody>
</table>`
}

const classOf = (name: string | undefined) => (name === undefined ? '' : ` class="${html(name)}"`)
const toneOf = (cell: DocumentCell) => (typeof cell === 'string' ? undefined : cell.tone)

function inCell(cell: DocumentCell): string {
  const text = html(textIn(cell))
  if (typeof cell === 'string' || text === '') return text
  if (cell.to !== undefined) return `<a href="#${html(cell.to)}">${text}</a>`
  return cell.isCode ? `<code>${text}</code>` : text
}

const STYLE = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8884;overflow-wrap:anywhere}
.figure{text-align:right;font-variant-numeric:tabular-nums}
p,li{white-space:pre-wrap;overflow-wrap:anywhere}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#8881;padding:.6rem}
summary{cursor:pointer}
.succeeded{color:#1a7f37}.failed{color:#cf222e}.cancelled,.waiting,.scheduled{color:#9a6700}
@media (prefers-color-scheme:dark){.succeeded{color:#4ac26b}.failed{color:#ff8182}.cancelled,.waiting,.scheduled{color:#d4a72c}}`

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
}

/** Text from outside as text of a page. */
const html = (text: string): string => inert(text).replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? '')
