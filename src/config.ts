/** The configuration file: found upwards from where one works, decoded once, refused where it is not understood. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, extname, join, resolve } from 'node:path'
import * as Schema from 'effect/Schema'
import { closest, distance } from 'fastest-levenshtein'
import { isMap, isScalar, LineCounter, type ParsedNode, parseDocument } from 'yaml'
import { ConfigError } from './events/errors.ts'

const NAMES = ['claude-agents.yaml', 'claude-agents.yml', 'claude-agents.json']
/** More than a person writes; less than a file that wants to hurt. */
const LARGEST_FILE = 1024 * 1024

const Text = Schema.String.check(Schema.isMinLength(1))
const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** What may stand in the file. Keys are snake_case there. */
const SECTIONS = {
  orchestrator: { base_dir: Text, max_agents: Positive },
  logging: { level: Schema.Literals(['debug', 'info', 'warn', 'error', 'silent']) },
  claude: { path: Text },
} as const

/** What the file says; relative paths are resolved from where it lies. */
export interface Config {
  /** The file; null where there is none. */
  readonly file: string | null
  readonly baseDir?: string
  readonly maxAgents?: number
  readonly logLevel?: string
  /** The `claude` command. */
  readonly claudePath?: string
}

/**
 * Reads the configuration file, or the one that is found in `directory` or above it.
 *
 * @throws ConfigError with file, line and column: unknown keys (with the nearest known one), wrong values, bad syntax.
 * @example
 * const { baseDir } = await loadConfig()
 */
export async function loadConfig({
  directory = process.cwd(),
  file,
}: {
  directory?: string
  file?: string
} = {}): Promise<Config> {
  const path = file === undefined ? await find(resolve(directory)) : resolve(file)
  if (path === null) return { file: null }
  const { values } = decode(path, await read(path))
  const { orchestrator, logging, claude } = values
  const from = (relative: string) => resolve(dirname(path), relative)
  if (claude?.path !== undefined) await assertOwn(path)
  return {
    file: path,
    ...(orchestrator?.base_dir === undefined ? {} : { baseDir: from(orchestrator.base_dir as string) }),
    ...(orchestrator?.max_agents === undefined ? {} : { maxAgents: orchestrator.max_agents as number }),
    ...(logging?.level === undefined ? {} : { logLevel: logging.level as string }),
    ...(claude?.path === undefined ? {} : { claudePath: from(claude.path as string) }),
  }
}

async function find(directory: string): Promise<string | null> {
  for (const name of NAMES) {
    const path = join(directory, name)
    if (
      await stat(path)
        .then((found) => found.isFile())
        .catch(() => false)
    )
      return path
  }
  const above = dirname(directory)
  return above === directory ? null : find(above)
}

async function read(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8')
    if (text.length <= LARGEST_FILE) return text
  } catch (cause) {
    throw new ConfigError({ file: path, problem: 'it cannot be read' }, { cause })
  }
  throw new ConfigError({ file: path, problem: `it is larger than ${LARGEST_FILE} bytes` })
}

/** A file that names a program to run must not be one that somebody else can write. */
async function assertOwn(path: string): Promise<void> {
  const { uid, mode } = await stat(path)
  const own = process.getuid === undefined || uid === process.getuid() || uid === 0
  if (own && (mode & 0o022) === 0) return
  throw new ConfigError({
    file: path,
    problem: 'it names a program to run (claude.path), and others than you can write it',
    hint: `Look at it, then: chmod go-w ${path}`,
  })
}

type Values = Partial<Record<keyof typeof SECTIONS, Record<string, string | number | undefined>>>

function decode(file: string, text: string): { values: Values } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, strict: true, uniqueKeys: true })
  const at = (offset: number | undefined) => (offset === undefined ? undefined : lines.linePos(offset))
  const [syntax] = document.errors
  if (syntax) {
    const kind = extname(file) === '.json' ? 'JSON' : 'YAML'
    throw new ConfigError({
      file,
      at: at(syntax.pos[0]),
      problem: `this is not valid ${kind}: ${syntax.message.split('\n')[0]}`,
    })
  }
  const values: Values = {}
  for (const [section, node, offset] of pairs(file, document.contents, 'the file', at)) {
    const fields = ownField(file, SECTIONS, section, at(offset), 'section')
    const decoded: Record<string, string | number> = {}
    for (const [key, value, keyOffset] of pairs(file, node, section, at)) {
      const schema = ownField(file, fields, key, at(keyOffset), `${section} key`)
      decoded[key] = decodeValue(file, `${section}.${key}`, schema as typeof Text, value, at)
    }
    values[section as keyof Values] = decoded
  }
  return { values }
}

type Place = { line: number; col: number } | undefined
type At = (offset: number | undefined) => Place

/** The entries of a mapping, each with where its key stands. Aliases are not followed: nothing here needs them. */
function pairs(
  file: string,
  node: ParsedNode | null,
  what: string,
  at: At,
): [string, ParsedNode | null, number][] {
  if (node === null || (isScalar(node) && node.value === null)) return []
  if (!isMap<ParsedNode, ParsedNode | null>(node)) {
    throw new ConfigError({
      file,
      at: at(node.range?.[0]),
      problem: `${what} must be a mapping of keys to values`,
    })
  }
  return node.items.map(({ key, value }) => {
    if (isScalar(key) && typeof key.value === 'string') return [key.value, value, key.range[0]]
    throw new ConfigError({ file, at: at(key.range[0]), problem: `a key in ${what} must be a word` })
  })
}

function ownField<T extends object>(
  file: string,
  fields: T,
  name: string,
  at: Place,
  what: string,
): T[keyof T] {
  if (Object.hasOwn(fields, name)) return fields[name as keyof T]
  const known = Object.keys(fields)
  const nearest = closest(name, known)
  const hint = distance(name, nearest) <= 3 ? `Did you mean "${nearest}"?` : `There are: ${known.join(', ')}.`
  throw new ConfigError({ file, at, problem: `there is no ${what} "${name}"`, hint })
}

function decodeValue(
  file: string,
  name: string,
  schema: typeof Text,
  node: ParsedNode | null,
  at: At,
): string | number {
  try {
    return Schema.decodeUnknownSync(schema)(isScalar(node) ? node.value : undefined)
  } catch (cause) {
    const problem = `${name}: ${(cause as Error).message.split('\n')[0]}`
    throw new ConfigError({ file, at: at(node?.range?.[0]), problem }, { cause })
  }
}
