/** The arguments of `claude` for a call: a pure function of the call, the CLI's version, and what is on the disk for it. */
import { dirname, join } from 'node:path'
import { InvalidInvocationError, OutputSchemaError } from '../events/errors/call.ts'
import type { JsonObject } from '../events/json.ts'
import { isToolRule, ruleParts } from '../events/options/tool-rule.ts'
import { teamTool } from '../events/options/tools.ts'
import { FILE_TOOLS, SHELL_TOOLS } from './asking/rules.ts'
import { outputSchema } from './output-schema.ts'
import { recordsSystemPrompts, type Version } from './program.ts'
import type { Call, CallSettings } from './runner.ts'

export interface ArgumentsContext {
  readonly version: Version
  /** The path of the file that holds the system prompt; null if there is none. */
  readonly systemPromptFile: string | null
  /** What is forked, and at which line. Default: the parent session, at its end. */
  readonly origin?: { readonly sessionId: string; readonly at: string | null } | null | undefined
  /** The settings by which a person is asked about tool calls, and the server by which the agent asks one. */
  readonly asking?: { readonly settings: JsonObject; readonly server: JsonObject | null } | undefined
  /** The server by which it reaches its team. */
  readonly team?: JsonObject | undefined
  /** The file that configures the agent's own MCP servers. Their secrets are in no argument. */
  readonly servers?: string | undefined
  /** Whether it is asked something before the prompt, which is then a message. */
  readonly asksFirst?: boolean
  /** The working tree of a project whose own settings count, and whether it has MCP servers. */
  readonly project?: { readonly directory: string; readonly hasServers: boolean } | undefined
}

/** No leading dash: a value must not be read as a flag. */
const MODEL = /^[A-Za-z0-9][\w.:/@[\]-]{0,199}$/
const SESSION_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/**
 * The arguments for one call. The prompt is never among them. It goes through stdin, where it cannot be read as a
 * flag, cannot exceed the system's limit on arguments, and appears in no process list or error message.
 */
export function claudeArguments(
  call: Pick<Call, SessionPart | 'settings'>,
  context: ArgumentsContext,
): string[] {
  const { settings } = call
  return [
    '-p',
    // Plain json loses the cause of startup errors; stream-json requires --verbose.
    ...['--output-format', 'stream-json', '--verbose', '--include-partial-messages'],
    ...sessionArguments(call, context),
    ...(context.asksFirst ? ['--input-format', 'stream-json'] : []),
    ...sourceArguments(settings, context),
    // A prompt is none; without plugins, there are no skills either.
    ...(settings.plugins ? [] : ['--disable-slash-commands']),
    ...roleArguments(settings, context, [
      ...(settings.fallbackModel === undefined
        ? []
        : ['--fallback-model', settings.fallbackModel.split(',').map(checkModel).join(',')]),
      ...(settings.maxTurns === undefined ? [] : ['--max-turns', String(settings.maxTurns)]),
      ...(settings.outputSchema === undefined ? [] : ['--json-schema', checkSchema(settings.outputSchema)]),
    ]),
  ]
}

/** The arguments for a conversation of a person with the agent in a terminal: there, `claude` asks about tools itself. */
export const terminalArguments = (
  call: Pick<Call, SessionPart | 'settings'>,
  context: Pick<ArgumentsContext, 'version' | 'systemPromptFile' | 'origin' | 'project'>,
): string[] => [
  ...sessionArguments(call, context),
  ...sourceArguments(call.settings, context),
  ...roleArguments(call.settings, context),
]

/** What the agent is, and what it may do, with what holds for its calls alone. It comes last, as it ends with lists. */
function roleArguments(
  settings: CallSettings,
  { version, systemPromptFile }: ArgumentsContext,
  ofCalls: readonly string[] = [],
): string[] {
  const { allowed, disallowed } = toolRules(settings)
  return [
    ...(settings.plugins ?? []).flatMap((path) => ['--plugin-dir', path]),
    ...(settings.permissions === 'bypass'
      ? ['--dangerously-skip-permissions']
      : ['--permission-mode', 'acceptEdits']),
    // Versions that record the system prompt would otherwise ignore a later change to it.
    ...(recordsSystemPrompts(version) ? ['--system-prompt-snapshot', 'off'] : []),
    ...(systemPromptFile === null ? [] : ['--append-system-prompt-file', systemPromptFile]),
    ...(settings.model === undefined ? [] : ['--model', checkModel(settings.model)]),
    ...(settings.effort === undefined ? [] : ['--effort', settings.effort]),
    ...ofCalls,
    // These are variadic and would swallow what follows: they come last, each ended by the next flag.
    ...(allowed.length === 0 ? [] : ['--allowedTools', ...allowed]),
    ...['--disallowedTools', ...disallowed],
  ]
}

/**
 * Settings, hooks and servers in the workspace are untrusted code: by default, none is loaded. What a project has at its top
 * is loaded if it is trusted: not the `local` settings, which only the agent can have written, and not the instructions and
 * servers of the folders around.
 */
function sourceArguments(
  { addDirs }: CallSettings,
  { project, asking, servers: own, team }: ArgumentsContext,
): string[] {
  const servers = [
    ...(project?.hasServers ? ['.mcp.json'] : []),
    ...(own === undefined ? [] : [own]),
    ...(asking?.server ? [JSON.stringify(asking.server)] : []),
    ...(team ? [JSON.stringify(team)] : []),
  ]
  const settings = {
    ...(project && { claudeMdExcludes: ['**/node_modules/**', ...aroundOf(project.directory)] }),
    // `--add-dir` also loads skills, commands and agents of a directory, once those of a project count.
    ...(addDirs && { permissions: { additionalDirectories: addDirs } }),
    ...asking?.settings,
  }
  return [
    ...['--setting-sources', project ? 'project' : '', '--strict-mcp-config'],
    ...(servers.length > 0 ? ['--mcp-config', ...servers] : []),
    ...(Object.keys(settings).length > 0 ? ['--settings', JSON.stringify(settings)] : []),
  ]
}

/** Patterns for the instructions of the folders that a directory is in. */
function aroundOf(directory: string): string[] {
  const above = dirname(directory)
  const own = ['CLAUDE.md', 'CLAUDE.local.md', '.claude/CLAUDE.md', '.claude/rules/**'].map((name) =>
    join(above, name),
  )
  return above === directory ? [] : [...own, ...aroundOf(above)]
}

type SessionPart = 'sessionId' | 'parentSessionId'

/**
 * A new chain starts with our own id. Every later call forks its parent's session, leaving that transcript untouched.
 * Only a call whose turn was paused continues its own session.
 */
function sessionArguments(
  { sessionId, parentSessionId }: Pick<Call, SessionPart>,
  { origin }: ArgumentsContext,
): string[] {
  const own = ['--session-id', checkSessionId(sessionId)]
  const forked = origin?.sessionId ?? parentSessionId
  if (forked === sessionId) return ['--resume', checkSessionId(sessionId)]
  if (forked === null) return own
  const at = origin?.at ? ['--resume-session-at', origin.at] : []
  return [...at, '--resume', checkSessionId(forked), '--fork-session', ...own]
}

/** Whether it has the form of the ids of sessions, and of the lines of their transcripts. */
export const isSessionId = (id: string): boolean => SESSION_ID.test(id)

function checkSessionId(id: string): string {
  if (isSessionId(id)) return id
  throw new InvalidInvocationError({ said: 'a session id is not a UUID' })
}

/** Linux rejects an argument of 128 KiB or more. */
const LONGEST_SCHEMA = 100_000

function checkSchema(schema: JsonObject): string {
  const text = JSON.stringify(outputSchema(schema).schema)
  if (Buffer.byteLength(text) <= LONGEST_SCHEMA) return text
  throw new OutputSchemaError({ said: `it is longer than ${LONGEST_SCHEMA} bytes` })
}

function checkModel(model: string): string {
  if (MODEL.test(model)) return model
  throw new InvalidInvocationError({
    said: `${JSON.stringify(model.slice(0, 80))} is not the name of a model`,
  })
}

/** The CLI's permission rules, made of the tool names that a user gives. */
export interface ToolRules {
  readonly allowed: readonly string[]
  readonly disallowed: readonly string[]
}

/**
 * Without a scope, tools for files lift the CLI's own limit to the working directory: `Write` alone may write anywhere,
 * `Grep` alone may read any file (measured on 2.1.197 and 2.1.330).
 */
const WORKSPACE = './**'

/**
 * Sessions that share a directory could find and message each other, and a session that moves to a worktree is no
 * longer where it is looked for.
 */
const NEVER = ['ListAgents', 'SendMessage', 'EnterWorktree', 'ExitWorktree']

type Granted = Pick<
  CallSettings,
  'allowedTools' | 'approvedRules' | 'approveTools' | 'disallowedTools' | 'permissions' | 'team'
>

/**
 * The rules for an agent's tools. Throws {@link InvalidInvocationError} for anything that is not a rule.
 *
 * @example
 * toolRules({ allowedTools: ['Write', 'Bash(git *)'] }).allowed // ['Write(./**)', 'Bash(git *)']
 */
export function toolRules(settings: Granted): ToolRules {
  const { allowedTools = [], approvedRules = [], disallowedTools = [], team = [] } = settings
  const allowed = [...allowedTools, ...approvedRules, ...team.map(teamTool)].map(checkRule)
  return {
    allowed: allowed.map((name) => (FILE_TOOLS.has(name) ? `${name}(${WORKSPACE})` : name)),
    // What runs commands is denied unless one of them is allowed.
    disallowed: [...NEVER, ...(grantsShell(settings) ? [] : SHELL_TOOLS), ...disallowedTools.map(checkRule)],
  }
}

function checkRule(name: string): string {
  if (isToolRule(name)) return name
  throw new InvalidInvocationError({ said: `${JSON.stringify(name.slice(0, 80))} is not the name of a tool` })
}

/** Whether an agent may run commands, if only on approval. */
export function grantsShell({ allowedTools = [], approveTools = [], permissions }: Granted): boolean {
  const isShell = (rule: string) => SHELL_TOOLS.includes(ruleParts(rule).name)
  return permissions === 'bypass' || [...allowedTools, ...approveTools].some(isShell)
}
