/**
 * The environment of a call: what it inherits, what limits the CLI, and the markers that identify its processes.
 *
 * What it inherits is on an allowlist, so everything else stays out. Most of that could run code in the child or redirect its
 * requests: NODE_OPTIONS, BUN_OPTIONS, LD_PRELOAD, DYLD_*, BASH_ENV, GIT_*, SSH_*, RIPGREP_CONFIG_PATH,
 * NODE_TLS_REJECT_UNAUTHORIZED, ANTHROPIC_UNIX_SOCKET, AWS_ENDPOINT_URL, and the CLAUDE_CODE_* variables of a session that we
 * may be running in.
 */
import { join } from 'node:path'
import { isReserved } from '../events/options/servers.ts'
import { absoluteEntries, HOME_MARKER } from '../workspaces/directories.ts'
import { authorVariables } from '../workspaces/files/git.ts'
import { grantsShell } from './arguments.ts'
import { loginVariables, type Variables, variablesOf } from './login.ts'
import { knowsFileMentions, type Version } from './program.ts'
import type { CallSettings } from './runner.ts'

export type Environment = Readonly<Record<string, string>>

/** Identifies every process of a call, including those that its tools start and leave behind. */
export const CALL_MARKER = 'CLAUDE_AGENTS_CALL_ID'
/** Names the task, for listings of processes. */
export const TASK_MARKER = 'CLAUDE_AGENTS_TASK_ID'

/** What any program needs. */
const ORDINARY = ['LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL']

/** How to reach the service. */
const NETWORK = [
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
  ...['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'CLAUDE_CODE_CERT_STORE'],
  ...['CLAUDE_CODE_CLIENT_CERT', 'CLAUDE_CODE_CLIENT_KEY', 'CLAUDE_CODE_CLIENT_KEY_PASSPHRASE'],
]

/** Which models to use: neither secrets nor logins. */
const MODELS = /^ANTHROPIC_(MODEL|SMALL_FAST_MODEL|DEFAULT_([A-Z]+_)?MODEL|CUSTOM_MODEL_OPTION|BETAS)$/

function inheritedVariables(inherited: Variables): Record<string, string> {
  const models = Object.keys(inherited).filter((name) => MODELS.test(name))
  const passed = variablesOf(inherited, ['PATH', ...ORDINARY, ...NETWORK, ...models])
  if (passed.PATH !== undefined) passed.PATH = absoluteEntries(passed.PATH)
  return passed
}

const QUIET: Environment = {
  DISABLE_AUTOUPDATER: '1',
  DISABLE_TELEMETRY: '1',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
}

/** Keeps the CLI's own retries and waits short, since we retry durably, and turns off what a call does not need. */
const BOUNDS: Environment = {
  CLAUDE_CODE_MAX_RETRIES: '2',
  API_TIMEOUT_MS: '120000',
  // Cuts a stalled stream after a minute; otherwise it may hang for five.
  CLAUDE_ENABLE_BYTE_WATCHDOG: '1',
  CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS: '60000',
  // Background work can produce several results in one call, or none for a long time.
  CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
}

/**
 * `@/etc/passwd` in a prompt is text, not a file to read without permission. Older versions have a single switch for
 * this and for reminders that a call can do without; in newer ones that switch would hide tools from the model.
 */
const withoutFileMentions = (version: Version): Environment =>
  knowsFileMentions(version)
    ? { CLAUDE_CODE_DISABLE_FILE_MENTIONS: '1' }
    : { CLAUDE_CODE_DISABLE_FILE_MENTIONS: '1', CLAUDE_CODE_DISABLE_ATTACHMENTS: '1' }

/**
 * A repository's configuration names programs (a file system monitor, filters, hooks), and 2.1.197 ran them: `git
 * status` at startup, and `git worktree add` when the model asked for a worktree. So `git status` is turned off, and
 * an agent without a shell, which has no use for git, is shown no repository. 2.1.330 removes GIT_DIR and runs git
 * with all of these disabled.
 */
const withoutRepository = (settings: CallSettings): Environment =>
  settings.project
    ? {}
    : {
        // Without it, rules in a directory are loaded with the first file that is read there.
        CLAUDE_CODE_DISABLE_CLAUDE_MDS: '1',
        CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS: '1',
        ...(grantsShell(settings) ? {} : { GIT_DIR: '/dev/null' }),
      }

/** For the commits that an agent on a repository makes itself. Hooks run in them only if the repository is trusted. */
const asAuthor = (agent: string, { project }: CallSettings): Environment => {
  if (project === undefined) return {}
  const off = { 'core.hooksPath': '/dev/null', 'core.fsmonitor': 'false', 'commit.gpgSign': 'false' }
  const settings = project ? [] : Object.entries(off)
  const variables = settings.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ])
  return {
    ...authorVariables(agent),
    ...(project ? {} : { GIT_CONFIG_COUNT: String(settings.length), ...Object.fromEntries(variables) }),
  }
}

/** What a terminal tells the programs in it, and how a person likes them. */
const TERMINAL = [
  ...['TERM', 'COLORTERM', 'COLORFGBG', 'TERM_PROGRAM', 'TERM_PROGRAM_VERSION', 'LINES', 'COLUMNS'],
  ...['TMUX', 'STY', 'SSH_TTY', 'NO_COLOR', 'FORCE_COLOR', 'EDITOR', 'VISUAL', 'PAGER'],
]

export interface AgentVariables {
  readonly agent: string
  readonly home: string
  readonly version: Version
  readonly settings: CallSettings
  /** Our own environment. */
  readonly inherited: Variables
  /** Variables that the library's user adds. A login among them replaces ours entirely. */
  readonly added?: Environment
}

export interface CallEnvironment extends AgentVariables {
  readonly callId: string
  readonly taskId: string
}

/** Where the CLI keeps sessions and settings. */
export const configDirectory = (home: string): string => join(home, '.claude')

/** Where the CLI keeps the output of running commands. By default, all agents of a user would share one directory. */
export const temporaryDirectory = (home: string): string => join(home, 'tmp')

/** The complete environment of a call: nothing else is inherited. */
export const callEnvironment = ({ callId, taskId, ...of }: CallEnvironment): Environment => ({
  ...agentEnvironment(of, { ...BOUNDS, ...withoutFileMentions(of.version) }),
  [CALL_MARKER]: callId,
  [TASK_MARKER]: taskId,
  [HOME_MARKER]: of.home,
})

/** The same of a conversation in a terminal. It belongs to no call, so no sweep ends it. */
export const terminalEnvironment = (of: AgentVariables): Environment =>
  agentEnvironment(of, variablesOf(of.inherited, TERMINAL))

function agentEnvironment(
  { agent, home, settings, inherited, added = {} }: AgentVariables,
  more: Environment,
): Environment {
  return {
    LANG: 'C.UTF-8',
    // First: none of them replaces what follows.
    ...variablesOf(
      inherited,
      (settings.env ?? []).filter((name) => !isReserved(name)),
    ),
    ...inheritedVariables(inherited),
    ...loginVariables({ inherited, added }),
    // The CLI lets root bypass permissions only if this says that it runs in a sandbox.
    ...(settings.permissions === 'bypass' && inherited.IS_SANDBOX === '1' ? { IS_SANDBOX: '1' } : {}),
    ...QUIET,
    ...more,
    // Those of Claude Code are none that the agent was given.
    ...(settings.plugins && { CLAUDE_CODE_DISABLE_BUNDLED_SKILLS: '1' }),
    // The tools of its servers are there from its first request on.
    ...(settings.mcpServers && { MCP_CONNECTION_NONBLOCKING: '0' }),
    ...withoutRepository(settings),
    ...asAuthor(agent, settings),
    ...added,
    HOME: home,
    CLAUDE_CONFIG_DIR: configDirectory(home),
    CLAUDE_CODE_TMPDIR: temporaryDirectory(home),
  }
}
