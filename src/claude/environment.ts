/** The environment of a call: what it may take over from ours, what bounds the CLI, and the marks we find it by. */
import { join } from 'node:path'
import { knowsFileMentions, type Version } from './version.ts'

export type Environment = Readonly<Record<string, string>>

/** Marks every process of a call, also those that were started by its tools and outlive it. */
export const CALL_MARKER = 'CLAUDE_AGENTS_CALL_ID'
/** Says whose process it is, so that a sweep never ends one of another store. */
export const HOME_MARKER = 'CLAUDE_AGENTS_HOME'

/** What any program needs. Nothing else of ours is inherited: it may be secret, or configure the CLI. */
const ORDINARY = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL']

/** How the service is reached. */
const NETWORK = [
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
  ...['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
]

/** Who the user is to the service, and which models are meant. CLAUDECODE and the other CLAUDE_CODE_* of a session
 * that we may run in ourselves stay out. */
const isLogin = (name: string) => name.startsWith('ANTHROPIC_') || name === 'CLAUDE_CODE_OAUTH_TOKEN'

/** Keep the CLI's own retries and waiting short, as ours are logged; and keep it from doing more than it is asked. */
const BOUNDS: Environment = {
  DISABLE_AUTOUPDATER: '1',
  DISABLE_TELEMETRY: '1',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  CLAUDE_CODE_MAX_RETRIES: '2',
  API_TIMEOUT_MS: '120000',
  // A stream that stalls is cut after a minute; without these it may hang for five.
  CLAUDE_ENABLE_BYTE_WATCHDOG: '1',
  CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS: '60000',
  // With background work one call could give several results, or none for a long time.
  CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
}

/**
 * `@/etc/passwd` in a prompt is text, not a file to be read without asking. Older versions have one switch for that and
 * for reminders that a call can do without; in newer ones that switch would hide tools from the model.
 */
const withoutFileMentions = (version: Version): Environment =>
  knowsFileMentions(version)
    ? { CLAUDE_CODE_DISABLE_FILE_MENTIONS: '1' }
    : { CLAUDE_CODE_DISABLE_FILE_MENTIONS: '1', CLAUDE_CODE_DISABLE_ATTACHMENTS: '1' }

export interface CallEnvironment {
  readonly callId: string
  readonly home: string
  readonly version: Version
  /** Ours. */
  readonly inherited: Readonly<Record<string, string | undefined>>
  /** What the user of the library adds. A login in it replaces the one in ours as a whole. */
  readonly added?: Environment
}

/** Where the CLI keeps its sessions and its settings. */
export const configDirectory = (home: string): string => join(home, '.claude')

/** The whole environment of a call: nothing is inherited besides. */
export function callEnvironment({
  callId,
  home,
  version,
  inherited,
  added = {},
}: CallEnvironment): Environment {
  const brings = Object.keys(added).some(isLogin)
  const taken = Object.entries(inherited).filter(
    ([name]) => ORDINARY.includes(name) || NETWORK.includes(name) || (isLogin(name) && !brings),
  )
  return {
    LANG: 'C.UTF-8',
    ...defined(taken),
    ...BOUNDS,
    ...withoutFileMentions(version),
    ...added,
    HOME: home,
    CLAUDE_CONFIG_DIR: configDirectory(home),
    [CALL_MARKER]: callId,
    [HOME_MARKER]: home,
  }
}

function defined(entries: readonly (readonly [string, string | undefined])[]): Environment {
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}
