/** The configuration file: found upwards from where one works, decoded once, refused where it is not understood. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import * as Schema from 'effect/Schema'
import { ConfigNodes, type Node } from './config-nodes.ts'
import { readWorkflows } from './config-workflows.ts'
import { ConfigError } from './events/errors.ts'
import type { NamedWorkflow } from './workflow-definition.ts'

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
  readonly workflows?: readonly NamedWorkflow[]
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
  const { values, workflows } = decode(path, await read(path))
  const { orchestrator, logging, claude } = values
  const from = (relative: string) => resolve(dirname(path), relative)
  if (claude?.path !== undefined) await assertOwn(path)
  return {
    file: path,
    ...(orchestrator?.base_dir === undefined ? {} : { baseDir: from(orchestrator.base_dir as string) }),
    ...(orchestrator?.max_agents === undefined ? {} : { maxAgents: orchestrator.max_agents as number }),
    ...(logging?.level === undefined ? {} : { logLevel: logging.level as string }),
    ...(claude?.path === undefined ? {} : { claudePath: from(claude.path as string) }),
    ...(workflows.length === 0 ? {} : { workflows }),
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

type Values = Partial<Record<keyof typeof SECTIONS, Record<string, string | number>>>

function decode(file: string, text: string): { values: Values; workflows: readonly NamedWorkflow[] } {
  const nodes = new ConfigNodes(file, text)
  const values: Values = {}
  let workflows: readonly NamedWorkflow[] = []
  for (const [section, node, offset] of nodes.entries(nodes.root, 'the file')) {
    const fields = nodes.field({ ...SECTIONS, workflows: null }, section, offset, 'section')
    if (fields === null) workflows = readWorkflows(nodes, node)
    else values[section as keyof Values] = decodeSection(nodes, section, fields, node)
  }
  return { values, workflows }
}

function decodeSection(
  nodes: ConfigNodes,
  section: string,
  fields: (typeof SECTIONS)[keyof typeof SECTIONS],
  node: Node,
): Record<string, string | number> {
  const decoded: Record<string, string | number> = {}
  for (const [key, value, offset] of nodes.entries(node, section)) {
    const schema: Schema.Decoder<string | number> = nodes.field(fields, key, offset, `${section} key`)
    decoded[key] = nodes.value(`${section}.${key}`, schema, value)
  }
  return decoded
}
