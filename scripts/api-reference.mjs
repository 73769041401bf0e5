/** Writes docs/api-reference.md out of the docstrings of what the built package exports. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { exportsOf, PUBLIC } from './declarations.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const api = await import(`${root}dist/index.js`)
const PAGE = `${root}docs/api-reference.md`

/** What the page is made of, in its order: a topic, a sentence, and which files hold what belongs to it. */
const TOPICS = [
  [
    'The orchestrator',
    'The way in: it has the log open, and the agents.',
    /^(orchestrator|shutdown|logger|clock|actors\/limits)/,
  ],
  [
    'Agents and tasks',
    'What an agent is, what it can be asked, and what comes back.',
    /^(agent-factory|actors\/(agent|session-links|task-handle|retention)|process-list|events\/(agent-facts|task-input|material))/,
  ],
  [
    'Budgets, approvals and dead letters',
    'What may be spent, what waits for a yes, and what came too late.',
    /^actors\/(budget|approvals|held|dead)/,
  ],
  [
    'Workflow patterns',
    'How agents work together. All of it is in `claude-multi-agent/patterns` as well. See [workflows](workflows.md).',
    /^patterns\/(?!run|plan|recorded|workflow-result)/,
  ],
  ['Runs', 'Executions of patterns, and what came of them.', /^(patterns\/|actors\/run-)/],
  [
    'Templates and workflows with names',
    'Ready-made teams; workflows of the configuration file and of modules.',
    /^workflow/,
  ],
  [
    'Supervision and actors of your own',
    'What starts again what has failed, and what else can live in the log.',
    /^(actors\/(own|exit|child|supervis|definition|replayable)|events\/(own-facts|supervisor-facts|json))/,
  ],
  ['Runners', 'What answers: `claude`, or another program.', /^claude\//],
  [
    'Facts and replay',
    'What is in the log, and the state that follows from it.',
    /^(events\/(envelope|ids)|actors\/(replay|state-|verify-replay|live-machine)|history|typed-facts|causes|statistic)/,
  ],
  [
    'The store',
    'The log itself: the port, its implementations, and the care for it.',
    /^(store\/|log-archive)/,
  ],
  [
    'Configuration',
    'The file, the environment, and a look at whether all is well. See [configuration](configuration.md).',
    /^(config|doctor)/,
  ],
  ['Spans', 'Spans for OpenTelemetry. See [live](live.md#telemetry).', /^telemetry/],
  [
    'Errors',
    'Every error that is thrown on purpose has `_tag`, `message`, `summary`, `hint`, `details`, `retryable` and `cause`. Those of calls (`ClaudeExecutionError`) have `said`, `status` and `retryAfterMs` in their details, as far as they are known.',
    /^events\/.*errors/,
  ],
]

const ENTRIES = [
  ['claude-multi-agent', 'index', TOPICS],
  [
    'claude-multi-agent/testing',
    'testing/index',
    [['Testing', 'What tests of and on this package need, from `claude-multi-agent/testing`.', /./]],
  ],
  [
    'claude-multi-agent/inspect',
    'inspector/inspector',
    [['The web inspector', 'The web inspector, from `claude-multi-agent/inspect`.', /./]],
  ],
]

export function apiReference() {
  const shown = new Set()
  const sections = ENTRIES.flatMap(([, entry, topics]) => {
    const declared = exportsOf(`${root}dist/${entry}.d.ts`).filter(({ name, file }) =>
      isNew(shown, `${file} ${name}`),
    )
    return grouped(declared, topics)
  })
  const anchors = anchorsOf(
    sections.flatMap(({ title, declared }) => [title, ...headed(declared).map(({ name }) => name)]),
  )
  const contents = sections.map(({ title, declared }) => {
    const [own, ...others] = [
      anchors(title),
      ...headed(declared).map(({ name }) => `[${name}](#${anchors(name)})`),
    ]
    return `- [${title}](#${own})${others.length > 0 ? `: ${others.join(', ')}` : ''}`
  })
  const text = sections
    .map(({ title, about, declared }) => `## ${title}\n\n${about}\n\n${section(declared)}`)
    .join('\n\n')
  return `${HEAD}\n${contents.join('\n')}\n\n${formatted(text)}\n`
}

const HEAD = `# API reference

Everything that the package exports. This page is made of the docstrings in the code by \`npm run docs:api\`: change it there. Where an interface or class extends something that is not exported, it is shown with what it inherits.
`

function isNew(seen, key) {
  const isFirst = !seen.has(key)
  seen.add(key)
  return isFirst
}

function grouped(declared, topics) {
  const left = new Set(declared)
  const groups = topics.map(([title, about, files]) => {
    const own = [...left].filter(({ file }) => files.test(pathOf(file)))
    for (const each of own) left.delete(each)
    return { title, about, declared: own }
  })
  const others = { title: 'More', about: 'What belongs to none of these.', declared: [...left] }
  return [...groups, others].filter(({ declared: own }) => own.length > 0)
}

const pathOf = (file) => file.slice(`${root}dist/`.length)

/** Errors are rows of a table: they all have the same form. Those of calls are made from a table themselves. */
const isCallError = ({ madeBy }) => madeBy?.name === 'CallErrorClass'
const isError = (declared) =>
  ['CallErrorClass', 'ErrorClass'].includes(declared.madeBy?.name) ||
  ['ClaudeAgentError', 'ClaudeExecutionError'].includes(declared.base)
const aboutError = (declared) => {
  if (!isCallError(declared)) return declared.doc
  const { summary, hint } = new api[declared.name]()
  return [declared.doc, summary, hint].filter((text) => text !== '').join(' ')
}
/** What an error keeps. */
const keptBy = ({ madeBy }) => (madeBy?.last ?? []).map((name) => `\`${name}\``)
const headed = (declared) => declared.filter((each) => !isError(each))

function section(declared) {
  const errors = declared.filter(isError)
  const rows = errors.map(
    (error) => `| \`${error.name}\` | ${oneLine(aboutError(error))} | ${keptBy(error).join(', ')} |`,
  )
  const table =
    rows.length > 0 ? [`| error | what it says | details |\n|---|---|---|\n${rows.join('\n')}`] : []
  const parts = headed(declared).map(
    ({ name, doc, code, example }) =>
      `### ${name}\n\n${doc === '' ? '' : `${linked(doc)}\n\n`}\`\`\`ts\n${code}\n\`\`\`${example === '' ? '' : `\n\nExample:\n\n\`\`\`ts\n${example}\n\`\`\``}`,
  )
  return [...parts, ...table].join('\n\n')
}

const oneLine = (text) => linked(text).replace(/\s+/g, ' ').replaceAll('|', '\\|')
const linked = (text) => text.replace(/\{@link (\w+)\}/g, '`$1`')

/** As GitHub names headings. */
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

/** The compiler prints signatures in its own way, in one line however long. */
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

for (const [, entry] of ENTRIES)
  for (const { name } of exportsOf(`${root}dist/${entry}.d.ts`)) PUBLIC.add(name)

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, apiReference())
