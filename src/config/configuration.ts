/**
 * Loads the configuration: command line over environment over file over defaults, decoded once, and rejected where it
 * is not understood.
 */
import { open, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ConfigError, ConfigNotTrustedError, type ConfigProblem } from '../events/errors/config.ts'
import { systemProblem } from '../events/errors/phrases.ts'
import { NotAFileError } from '../events/errors/store.ts'
import { InvalidSpecificationError } from '../events/errors/supervision.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { defined } from '../events/json.ts'
import { nameHint } from '../events/nearest-name.ts'
import type { AgentDefaults, AgentOptions } from '../events/options/agent.ts'
import type { Amount, Budget } from '../events/options/budget.ts'
import { checkArgument, decoded, type ValuePath } from '../events/options/decoding.ts'
import type { Limits } from '../events/options/limits.ts'
import type { NotificationReceiver } from '../events/options/notify.ts'
import { ORCHESTRATOR } from '../events/options/orchestrator.ts'
import { locatedServers } from '../events/options/servers.ts'
import { checkSupervisor } from '../events/options/supervision-rules.ts'
import { absolutePath, openPlainFile } from '../store/directory.ts'
import { hasPassword, isDatabaseUrl } from '../store/postgres/url.ts'
import { layered, type ResolvedSetting, resolvedSettings, SETTING_KEYS, variableOf } from './layers.ts'
import { inCode } from './names.ts'
import { describeMistake } from './problems.ts'
import { ConfigFile, type ConfigValues } from './schema.ts'
import { type DeclaredTree, declaredTree } from './supervision.ts'
import { privilegesOf, type Trustable, trustOf } from './trust.ts'
import type { NamedWorkflow } from './workflow-definition.ts'
import { namedWorkflows } from './workflows.ts'

export type { ResolvedSetting, SettingOrigin } from './layers.ts'
export type { DeclaredChild, DeclaredTree } from './supervision.ts'

const NAMES = ['claude-agents.yaml', 'claude-agents.yml', 'claude-agents.json']
/** In bytes. More than the prompts of hundreds of agents; less than a malicious file. */
const LARGEST_FILE = 16 * 1024 * 1024

/** An agent declared in the file. A file cannot bypass its permission checks. */
export type DeclaredAgent = Omit<AgentOptions, 'permissions'>

/** The values that were set, named like the options of `Orchestrator.open`. Paths are absolute. */
export interface Config {
  /** The path of the file; null if there is none. */
  readonly file: string | null
  readonly baseDir?: string
  readonly maxAgents?: number
  readonly sessionPersistence?: boolean
  readonly replaceInputs?: boolean
  readonly agentDefaults?: AgentDefaults
  readonly logLevel?: string
  readonly limits?: Limits
  /** What all agents together may spend, and the least that a call is estimated to cost. */
  readonly budget?: Budget
  readonly callMinimum?: Partial<Amount>
  readonly cacheReadWeight?: number
  readonly logFile?: string
  /** The database that has the log, and what a worker is started with. */
  readonly cluster?: {
    readonly database?: string
    readonly listen?: string
    readonly advertise?: string
    readonly health?: string
    readonly labels?: readonly string[]
    /** Seconds. */
    readonly drain?: number
  }
  /** The `claude` command. */
  readonly claudePath?: string
  readonly agents?: readonly DeclaredAgent[]
  /** Supervision trees, for `orchestrator.supervise`. */
  readonly supervision?: readonly DeclaredTree[]
  readonly workflows?: readonly NamedWorkflow[]
  /** Who is notified, for `Orchestrator.open`. */
  readonly notify?: readonly NotificationReceiver[]
  /** What only a trusted file may do, if it is not trusted and was loaded all the same (`untrusted: 'load'`). */
  readonly untrusted?: readonly ConfigProblem[]
  /** Every setting, set or not, with its origin. */
  readonly settings: readonly ResolvedSetting[]
}

/** Where to read the configuration from. */
export interface ConfigSources {
  /** Where to look for the file, and upwards. Default: the working directory. */
  readonly directory?: string
  /** The file to load. It counts as trusted, since it was named, unless `untrusted` is `load`. */
  readonly file?: string | undefined
  /**
   * What to do about a file that was found, is not trusted (`claude-agents config trust`), and does what only a trusted one
   * may: leave its folder, grant tools, name a program, or let the settings of a project count. Default: `refuse`.
   */
  readonly untrusted?: 'refuse' | 'load'
  /** Default: that of the process. `{}` ignores it. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Overrides everything else: `{ 'orchestrator.max_agents': '7' }`. */
  readonly options?: Readonly<Record<string, string>>
}

/**
 * Loads the configuration from options, then variables (`CLAUDE_AGENTS_*`), then the file: the one named, or the one
 * found in `directory` or above it.
 *
 * @throws ConfigNotTrustedError. ConfigError with file, line and column of each mistake: unknown keys (suggesting the nearest known one), invalid
 * values, syntax errors. InvalidInputError for an option whose key is unknown.
 * @example
 * const { baseDir, agents = [] } = await loadConfig()
 * await using orchestrator = await Orchestrator.open({ ...(baseDir && { baseDir }), agents })
 */
export async function loadConfig({
  directory = absolutePath('.'),
  file,
  environment = process.env,
  options = {},
  untrusted = 'refuse',
}: ConfigSources = {}): Promise<Config> {
  checkKeys(options)
  checkArgument('The configuration file', file ?? '.', 'a path')
  checkArgument('The directory of the configuration', directory, 'a path')
  const path = file === undefined ? await findConfigFile(directory) : absolutePath(file)
  const found = path === null ? undefined : { path, text: await readConfigFile(path) }
  const document = found && (await documentOf(found))
  const { raw, origins } = layered(document?.value, { options, environment })
  const placeOf = (part: ValuePath, isKey = false): string => {
    const key = part.join('.')
    const origin = origins.get(key)
    if (origin === 'environment') return variableOf(key) ?? key
    if (origin === 'command line') return '--set'
    return (isKey ? document?.keyPlace(part) : document?.place(part)) ?? key
  }
  const values = decode(raw, placeOf)
  const { workflows, problems: ofWorkflows } = namedWorkflows(values.workflows ?? [], (index, part) =>
    placeOf(['workflows', index, part]),
  )
  const { trees: supervision, problems: ofTrees } = checkedTrees(values.supervision, placeOf)
  const wrong = [
    ...agentProblems(values, placeOf),
    ...databaseProblems(values, origins, placeOf),
    ...ofTrees,
    ...ofWorkflows,
  ]
  if (wrong.length > 0) throw new ConfigError(wrong)
  if (path !== null && namesProgram(values, origins)) await assertUnwritable(path)
  const settings = resolvedSettings(values, origins, placeOf)
  const from = (key: string, relative: string | undefined) => {
    // A name without a slash is looked up on the PATH.
    if (relative === undefined || (PROGRAMS.has(key) && !relative.includes('/'))) return relative
    return path !== null && !origins.has(key) ? resolve(dirname(path), relative) : resolve(relative)
  }
  const { orchestrator, agent_defaults, limits, budget, logging, cluster, claude, agents, notify } = values
  const folder = path === null ? '.' : dirname(path)
  const baseDir = from('orchestrator.base_dir', orchestrator?.base_dir)
  const problems =
    found && (file === undefined || untrusted === 'load')
      ? await problemsOfTrust(found, environment, untrusted, {
          path: found.path,
          values,
          baseDir: baseDir ?? resolve(directory, ORCHESTRATOR.baseDir.fallback),
          isOfFile: (key) => !origins.has(key),
          placeOf,
        })
      : []
  return defined({
    file: path,
    untrusted: problems.length === 0 ? undefined : problems,
    baseDir,
    maxAgents: orchestrator?.max_agents,
    sessionPersistence: orchestrator?.session_persistence,
    replaceInputs: orchestrator?.replace_inputs,
    agentDefaults:
      agent_defaults &&
      inFolder(agentOptions(agent_defaults, folder), (path, key) => from(`agent_defaults.${key}`, path)),
    limits: limits && inCode(limits),
    budget: amounts(budget?.usd, budget?.tokens),
    callMinimum: amounts(budget?.minimum_usd, budget?.minimum_tokens),
    cacheReadWeight: budget?.cache_read_weight,
    logLevel: logging?.level,
    logFile: from('logging.file', logging?.file),
    cluster,
    claudePath: from('claude.path', claude?.path),
    agents: agents?.map(({ id, system_prompt, budget, workspace, ...rest }) => ({
      id,
      systemPrompt: system_prompt,
      ...inFolder(agentOptions(rest, folder), (path) => from('agents', path)),
      ...defined({
        budget: amounts(budget?.usd, budget?.tokens),
        workspace: workspace && { ...workspace, repo: from('agents', workspace.repo) ?? workspace.repo },
      }),
    })),
    supervision,
    workflows: workflows.length === 0 ? undefined : workflows,
    notify: notify?.map(({ command, webhook, ...rest }) => {
      const file = from('notify.secret', webhook?.secret?.file)
      const [program, ...words] = command ?? []
      return defined({
        ...rest,
        command: command && [from('notify.command', program) ?? '', ...words],
        webhook: webhook && { ...webhook, ...(file === undefined ? {} : { secret: { file } }) },
      })
    }),
    settings,
  })
}

/** The options with absolute paths. */
function inFolder<T extends AgentDefaults>(
  options: T,
  from: (path: string, key: string) => string | undefined,
): T {
  const { addDirs, plugins } = options
  const located = (paths: readonly string[] | undefined, key: string) =>
    paths?.map((path) => from(path, key) ?? path)
  return {
    ...options,
    ...defined({ addDirs: located(addDirs, 'add_dirs'), plugins: located(plugins, 'plugins') }),
  }
}

/** The keys whose values name a program. */
const PROGRAMS: ReadonlySet<string> = new Set(['claude.path', 'notify.command'])

/** Whether the file names a program to run. */
const namesProgram = ({ claude, notify = [] }: ConfigValues, origins: ReadonlyMap<string, unknown>) =>
  (claude?.path !== undefined && !origins.has('claude.path')) ||
  notify.some(({ command }) => command !== undefined)

/** The parser of YAML takes a while to load, so it is loaded only for a file. */
async function documentOf({ path, text }: Trustable) {
  const { ConfigDocument } = await import('./document.ts')
  return new ConfigDocument(path, text)
}

/** What a file does that only a trusted one may; nothing if it is trusted. Throws ConfigNotTrustedError. */
async function problemsOfTrust(
  file: Trustable,
  environment: NonNullable<ConfigSources['environment']>,
  untrusted: 'refuse' | 'load',
  examined: Parameters<typeof privilegesOf>[0],
): Promise<readonly ConfigProblem[]> {
  const problems = await privilegesOf(examined)
  if (problems.length === 0) return []
  const trust = await trustOf(file, environment)
  if (trust === 'trusted') return []
  if (untrusted === 'load') return problems
  throw new ConfigNotTrustedError({ file: file.path, hasChanged: trust === 'changed', problems })
}

/** The configuration file for a directory (default: the working directory): in it, or above it; null if there is none. */
export async function findConfigFile(directory: string = absolutePath('.')): Promise<string | null> {
  checkArgument('The directory', directory, 'a path')
  for (const name of NAMES) {
    const path = join(absolutePath(directory), name)
    const isThere = await stat(path).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  const above = dirname(resolve(directory))
  return above === resolve(directory) ? null : findConfigFile(above)
}

/** What a shell gives in place of a file: `--config <(...)`, and nothing at all. */
const OF_SHELL = /^\/(dev\/null$|(dev|proc\/self)\/fd\/)/

/** The text of a configuration file. Throws ConfigError. */
export async function readConfigFile(path: string): Promise<string> {
  try {
    await using file = OF_SHELL.test(path) ? await open(path) : await openPlainFile(path)
    const pieces: Buffer[] = []
    let size = 0
    for await (const piece of file.createReadStream({ autoClose: false })) {
      size += piece.length
      if (size > LARGEST_FILE) break
      pieces.push(piece)
    }
    if (size <= LARGEST_FILE) return String(Buffer.concat(pieces))
  } catch (cause) {
    const said =
      cause instanceof NotAFileError
        ? `it is ${cause.details.kind}, not a file`
        : `it cannot be read: ${systemProblem(cause)}`
    const problem = { place: path, problem: said, hint: '' }
    throw new ConfigError([problem], { cause })
  }
  throw new ConfigError([{ place: path, problem: `it is larger than ${LARGEST_FILE} bytes`, hint: '' }])
}

function decode(raw: unknown, placeOf: (path: ValuePath, isKey: boolean) => string): ConfigValues {
  return decoded(ConfigFile, raw ?? {}, (mistakes) => {
    const problems = mistakes.map(describeMistake).map(({ path, isKey, problem, hint }) => ({
      place: placeOf(path, isKey),
      problem,
      hint,
    }))
    throw new ConfigError(problems)
  })
}

function checkKeys(options: Readonly<Record<string, string>>): void {
  const unknown = Object.keys(options).find((key) => !SETTING_KEYS.includes(key))
  if (unknown === undefined) return
  const hint = nameHint(unknown, SETTING_KEYS)
  throw new InvalidInputError({ what: '--set', problem: `there is no key "${unknown}"`, hint })
}

type PlaceOf = (path: ValuePath) => string

function agentProblems(
  { agents = [], orchestrator }: ConfigValues,
  placeOf: PlaceOf,
): readonly ConfigProblem[] {
  const ids = agents.map(({ id }) => id)
  const duplicates = ids.flatMap((id, index) =>
    ids.indexOf(id) === index
      ? []
      : [
          {
            place: placeOf(['agents', index, 'id']),
            problem: `there is already an agent "${id}"`,
            hint: 'Choose another id for this one.',
          },
        ],
  )
  const most = orchestrator?.max_agents ?? ORCHESTRATOR.maxAgents.fallback
  if (agents.length <= most) return duplicates
  const tooMany = {
    place: placeOf(['agents', most]),
    problem: `there are ${agents.length} agents, and orchestrator.max_agents allows ${most}`,
    hint: 'Raise max_agents, or declare fewer agents.',
  }
  return [...duplicates, tooMany]
}

/** A password belongs into the environment: a file is read by others, and so are the words of a command. */
function databaseProblems(
  { cluster }: ConfigValues,
  origins: ReadonlyMap<string, unknown>,
  placeOf: PlaceOf,
): readonly ConfigProblem[] {
  const { database } = cluster ?? {}
  if (database === undefined || origins.get('cluster.database') === 'environment') return []
  const place = placeOf(['cluster', 'database'])
  if (!isDatabaseUrl(database)) {
    const hint = 'Write it like this: postgresql://USER@HOST:5432/DATABASE'
    return [{ place, problem: 'it is not a URL of a PostgreSQL database', hint }]
  }
  if (!hasPassword(database)) return []
  const hint = 'Set PGPASSWORD, or CLAUDE_AGENTS_DATABASE to the whole URL.'
  return [{ place, problem: 'it has a password, which others can read here', hint }]
}

/** The trees, by the rules that hold when they are started. */
function checkedTrees(
  entries: ConfigValues['supervision'],
  placeOf: PlaceOf,
): { readonly trees: readonly DeclaredTree[] | undefined; readonly problems: readonly ConfigProblem[] } {
  const supervisors = new Set<string>()
  const trees = entries?.map(declaredTree)
  const problems = (trees ?? []).flatMap((tree, index) => {
    try {
      checkSupervisor(tree, supervisors)
      return []
    } catch (cause) {
      if (!(cause instanceof InvalidSpecificationError)) throw cause
      const { where, problem } = cause.details
      return [{ place: placeOf(['supervision', index]), problem: `${where}: ${problem}`, hint: cause.hint }]
    }
  })
  return { trees, problems }
}

/** Other users must not be able to write to a file that names a program to run. */
async function assertUnwritable(path: string): Promise<void> {
  const { uid, mode } = await stat(path)
  const own = process.getuid === undefined || uid === process.getuid() || uid === 0
  if (own && (mode & 0o022) === 0) return
  throw new ConfigError([
    {
      place: path,
      problem:
        'it names a program to run (claude.path, or a command of notify), but other users can write to it',
      hint: `Check it, then: chmod go-w ${path}`,
    },
  ])
}

function agentOptions(
  { timeout, retry_attempts, mcp_servers, ...rest }: NonNullable<ConfigValues['agent_defaults']>,
  folder: string,
): AgentDefaults {
  return {
    ...inCode(rest),
    ...defined({
      mcpServers: mcp_servers && locatedServers(mcp_servers, folder),
      timeoutMs: timeout === undefined ? undefined : timeout * 1000,
      retry: retry_attempts === undefined ? undefined : { attempts: retry_attempts },
    }),
  }
}

/** undefined if neither is set. */
function amounts(usd: number | undefined, tokens: number | undefined) {
  return usd === undefined && tokens === undefined ? undefined : defined({ usd, tokens })
}
