/** What is wrong with a configuration, in words: where, what, and what to write instead. */
import * as SchemaIssue from 'effect/SchemaIssue'
import { nameHint } from '../events/nearest-name.ts'
import type { ConfigPath } from './document.ts'
import { configJsonSchema, SETTINGS } from './schema.ts'

export interface Wrong {
  readonly path: ConfigPath
  readonly problem: string
  readonly hint: string
  /** Whether the key is wrong, not what it stands for. */
  readonly isKey: boolean
}

const formatter = SchemaIssue.makeFormatterStandardSchemaV1()

/** Once for each place, in the order of the schema. */
export function problemsOf(issue: SchemaIssue.Issue, raw: unknown): readonly Wrong[] {
  const wrong = formatter(issue).issues.map(({ path = [], message }) => {
    const parts = path.map((part) => (typeof part === 'object' ? part.key : part))
    return describe(parts, message, raw)
  })
  return wrong.filter(({ path, problem }, index) => {
    const first = wrong.findIndex((other) => other.problem === problem && String(other.path) === String(path))
    return first === index
  })
}

function describe(path: ConfigPath, message: string, raw: unknown): Wrong {
  const key = String(path.at(-1))
  // A union says what is wrong with each of its forms: that helps nobody.
  if (path[0] === 'workflows' && path[2] === 'agents' && path.length > 3) {
    const problem = 'a step is an agent, { pool: AGENT, size: NUMBER } or { workflow: NAME }'
    return { path: path.slice(0, 4), isKey: false, problem, hint: '' }
  }
  if (message === 'Expected no excess property') {
    const problem =
      path.length === 1
        ? `there is no section "${key}"`
        : `there is no key "${key}" in ${nameOf(path.slice(0, -1))}`
    return { path, isKey: true, problem, hint: nameHint(key, siblings(path)) }
  }
  if (message === 'Missing key') {
    const problem = `${nameOf(path.slice(0, -1))} has no ${key}`
    return { path, isKey: false, problem, hint: `Add it: ${key}: ...` }
  }
  return {
    path,
    isKey: false,
    problem: `${nameOf(path)}: ${inWords(message, valueAt(raw, path))}`,
    hint: meaning(path),
  }
}

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^Expected object/, 'this must be a mapping of keys to values'],
  [/^Expected array/, 'this must be a list'],
  [/^Expected string/, 'this must be a text'],
  [/^Expected (number|a finite number)/, 'this must be a number'],
  [/^Expected an integer/, 'this must be a whole number'],
  [/^Expected boolean/, 'this must be true or false'],
  [/^Expected a value with a length of at least 1/, 'this must not be empty'],
  [/^Expected a value (greater|less) than or equal to (.*)/, 'this must be $1 than or equal to $2'],
]

function inWords(message: string, given: unknown): string {
  const [line = ''] = message.split('\n')
  const [pattern, words] = WORDS.find(([pattern]) => pattern.test(line)) ?? [
    /^Expected (.*)/,
    'this must be $1',
  ]
  const text = line.replace(pattern, words).replace(/"/g, '').replaceAll(' | ', ' or ')
  const shown = JSON.stringify(given) ?? ''
  return typeof given === 'object' || shown.length > 60 || shown === '""' ? text : `${text}, not ${shown}`
}

type JsonSchema = { properties?: Record<string, JsonSchema>; items?: JsonSchema }

/** The keys that go where this one stands. */
function siblings(path: ConfigPath): readonly string[] {
  const parent = path
    .slice(0, -1)
    .reduce<JsonSchema | undefined>(
      (schema, part) => (typeof part === 'number' ? schema?.items : schema?.properties?.[String(part)]),
      configJsonSchema(),
    )
  return Object.keys(parent?.properties ?? {})
}

/** What a setting is there for: the best advice on what to write. */
function meaning(path: ConfigPath): string {
  const [section, key] = path
  const own = SETTINGS[String(section)]?.[String(key)]
  const setting = own ?? (section === 'agents' ? SETTINGS.agent_defaults?.[String(path[2])] : undefined)
  if (!setting) return ''
  const unless = own?.fallback === undefined ? '' : ` (${own.fallback} unless set)`
  return `It is ${setting.means}${unless}.`
}

/** `orchestrator.max_agents`, `agents[0].id` */
function nameOf(path: ConfigPath): string {
  const name = path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  )
  return name === '' ? 'the file' : name
}

const valueAt = (raw: unknown, path: ConfigPath): unknown =>
  path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[part] : value,
    raw,
  )
