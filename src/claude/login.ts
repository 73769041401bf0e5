/**
 * The login of a call: the variables that identify the user; which account it pays with, by the service's host and a
 * fingerprint of them; how the program gets the key without the agent's commands; of which kind a login is, found without
 * reading any secret; and how a process whose HOME is the agent's finds it.
 */
import { hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isExecutable } from './program.ts'

export type Variables = Readonly<Record<string, string | undefined>>

export interface LoginSources {
  /** Our own environment. */
  readonly inherited: Variables
  /** Variables that the library's user adds. A login among them replaces ours entirely. */
  readonly added: Variables
}

/** In the CLI's order of precedence. They do not change on a retry, while a stored login may be renewed. */
const KEYS = ['ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_API_KEY', 'CLAUDE_CODE_OAUTH_TOKEN']

/** The user's identity with Anthropic or a gateway, and its address. */
const ANTHROPIC = [
  ...KEYS,
  ...['ANTHROPIC_BASE_URL', 'ANTHROPIC_CUSTOM_HEADERS'],
  ...['ANTHROPIC_PROFILE', 'ANTHROPIC_CONFIG_DIR', 'ANTHROPIC_ORGANIZATION_ID', 'ANTHROPIC_WORKSPACE_ID'],
  ...['ANTHROPIC_FEDERATION_RULE_ID', 'ANTHROPIC_SERVICE_ACCOUNT_ID', 'ANTHROPIC_SCOPE'],
  ...['ANTHROPIC_IDENTITY_TOKEN', 'ANTHROPIC_IDENTITY_TOKEN_FILE'],
]

/**
 * A cloud that serves the models. Its keys open far more than that, so they are passed on only if the cloud is
 * enabled.
 */
interface Cloud {
  readonly on: string
  readonly variables: RegExp
}

const CLOUDS: readonly Cloud[] = [
  {
    on: 'CLAUDE_CODE_USE_BEDROCK',
    variables:
      /^(CLAUDE_CODE_(USE|SKIP)_BEDROCK(_AUTH)?|ANTHROPIC_BEDROCK_(BASE_URL|SERVICE_TIER)|ANTHROPIC_SMALL_FAST_MODEL_AWS_REGION|AWS_(REGION|DEFAULT_REGION|PROFILE|ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|BEARER_TOKEN_BEDROCK|CONFIG_FILE|SHARED_CREDENTIALS_FILE|CA_BUNDLE|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONTAINER_CREDENTIALS_(FULL|RELATIVE)_URI|CONTAINER_AUTHORIZATION_TOKEN(_FILE)?|EC2_METADATA_DISABLED))$/,
  },
  {
    on: 'CLAUDE_CODE_USE_VERTEX',
    variables:
      /^(CLAUDE_CODE_(USE|SKIP)_VERTEX(_AUTH)?|ANTHROPIC_VERTEX_(PROJECT_ID|BASE_URL)|CLOUD_ML_REGION|VERTEX_REGION_[A-Z0-9_]+|GOOGLE_APPLICATION_CREDENTIALS|GOOGLE_CLOUD_(PROJECT|QUOTA_PROJECT)|GCLOUD_PROJECT|CLOUDSDK_CONFIG)$/,
  },
  {
    on: 'CLAUDE_CODE_USE_FOUNDRY',
    variables:
      /^(CLAUDE_CODE_(USE|SKIP)_FOUNDRY(_AUTH)?|ANTHROPIC_FOUNDRY_(API_KEY|BASE_URL|RESOURCE)|AZURE_(TENANT_ID|CLIENT_ID|CLIENT_SECRET|FEDERATED_TOKEN_FILE))$/,
  },
]

/** Whether a variable identifies the user to the service, or says where the service is. */
const isLogin = (name: string): boolean =>
  ANTHROPIC.includes(name) || CLOUDS.some(({ variables }) => variables.test(name))

/** Parsed as the CLI parses a switch. */
export const isOn = (value: string | undefined): boolean =>
  value !== undefined && /^(1|true|yes|on)$/i.test(value.trim())

/** Where the CLI looks for a login that it has stored. */
const DIRECTORY = 'CLAUDE_SECURESTORAGE_CONFIG_DIR'

/** The variables of a call that identify the user. */
export function loginVariables({ inherited, added }: LoginSources): Readonly<Record<string, string>> {
  const isOurs = !Object.keys(added).some(isLogin)
  const given = isOurs ? inherited : added
  const clouds = CLOUDS.filter(({ on }) => isOn(given[on]))
  const names = clouds.flatMap(({ variables }) => Object.keys(given).filter((name) => variables.test(name)))
  return {
    ...variablesOf(given, [...ANTHROPIC, ...names]),
    ...(isOurs ? storedLogin(inherited) : variablesOf(added, [DIRECTORY])),
  }
}

/** Those of these variables that are set. */
export function variablesOf(given: Variables, names: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {}
  for (const name of names) {
    const value = given[name]
    if (value !== undefined) found[name] = value
  }
  return found
}

/** The host of the service and a fingerprint, as in `api.anthropic.com#3f9a61c04d21`. */
export function accountOf(sources: LoginSources): string {
  const login = loginVariables(sources)
  const given = Object.entries(login).filter(([, value]) => value !== '')
  given.sort(([one], [other]) => (one < other ? -1 : 1))
  const fingerprint = hash('sha256', JSON.stringify(given), 'hex').slice(0, 12)
  return `${hostOf(login.ANTHROPIC_BASE_URL || 'https://api.anthropic.com')}#${fingerprint}`
}

/** Whether a call with these variables has a key that is the same on a retry. */
export const isLoginFixed = (variables: Variables): boolean => KEYS.some((name) => variables[name])

/** A base URL may contain a password. */
function hostOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return 'unknown'
  }
}

/** Where a program finds its secret: a pipe that can be read exactly once. */
export const SECRET_DESCRIPTOR = 3

interface HidingMethod {
  readonly variable: string
  /** The CLI ignores these once `variable` is set, so they are removed as well. */
  readonly replaces: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly settings?: Readonly<Record<string, string>>
  readonly platform?: NodeJS.Platform
}

/** The first whose variable is set applies. Custom headers and cloud keys cannot be hidden: they stay visible. */
const METHODS: readonly HidingMethod[] = [
  {
    variable: 'ANTHROPIC_API_KEY',
    replaces: ['CLAUDE_CODE_OAUTH_TOKEN'],
    environment: { CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR: String(SECRET_DESCRIPTOR) },
  },
  {
    // The CLI has no descriptor for it, but sends what this command prints in the same header (and as x-api-key). It
    // must ask only once: a second read would find the pipe empty.
    variable: 'ANTHROPIC_AUTH_TOKEN',
    replaces: ['CLAUDE_CODE_OAUTH_TOKEN'],
    environment: { CLAUDE_CODE_API_KEY_HELPER_TTL_MS: String(24 * 60 * 60 * 1000) },
    settings: { apiKeyHelper: `cat /proc/$PPID/fd/${SECRET_DESCRIPTOR}` },
    platform: 'linux',
  },
  {
    variable: 'CLAUDE_CODE_OAUTH_TOKEN',
    replaces: [],
    environment: { CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR: String(SECRET_DESCRIPTOR) },
  },
]

/** What a pipe holds on every system before anyone reads from it. */
const LONGEST_SECRET = 4096

/** What is spawned, as far as a login concerns it. */
interface Launch {
  readonly environment: Readonly<Record<string, string>>
  readonly arguments: readonly string[]
}

/**
 * The same launch with its key hidden; unchanged if there is no key, or the CLI offers no way to hide it. The key is kept out
 * of the environment, where the agent's commands could read it, and passed through a descriptor: see {@link withSecret}.
 *
 * Measured on 2.1.197 and 2.1.330 with a command that reads its own environment, its parent's, and the parent's
 * descriptors: the CLI reads the key once, and what was read from a pipe is gone.
 */
export function hideLogin(
  launch: Launch,
  platform: NodeJS.Platform = process.platform,
): Launch & { readonly secret?: string } {
  const method = METHODS.find(({ variable }) => launch.environment[variable])
  const secret = method && launch.environment[method.variable]
  const canHide = platform !== 'win32' && (method?.platform ?? platform) === platform
  if (!method || !secret || !canHide || secret.length > LONGEST_SECRET || /[\r\n\0]/.test(secret))
    return launch
  const visible = Object.entries(launch.environment).filter(
    ([name]) => name !== method.variable && !method.replaces.includes(name),
  )
  return {
    environment: { ...Object.fromEntries(visible), ...method.environment },
    arguments: method.settings ? withSettings(launch.arguments, method.settings) : launch.arguments,
    secret,
  }
}

/** The CLI takes the option once. */
function withSettings(
  given: readonly string[],
  settings: Readonly<Record<string, string>>,
): readonly string[] {
  const at = given.indexOf('--settings')
  if (at < 0) return ['--settings', JSON.stringify(settings), ...given]
  return given.with(at + 1, JSON.stringify({ ...JSON.parse(given[at + 1] ?? '{}'), ...settings }))
}

/**
 * Node's pipes are sockets, which /proc refuses to open, and a file could be read again while the program runs. So a
 * shell makes a real pipe from a here-document and then execs the program: same process, same pid, and the secret is
 * on no command line and in no environment.
 */
const HAND_OVER = `IFS= read -r secret <&${SECRET_DESCRIPTOR}
exec ${SECRET_DESCRIPTOR}<<END
$secret
END
unset secret
exec "$@"`

export interface Command {
  readonly path: string
  readonly arguments: readonly string[]
}

/** What to spawn, and what to write to its descriptor, so that the program finds the secret there. */
export async function withSecret(
  { path, arguments: given }: Command,
  secret: string | undefined,
): Promise<Command & { readonly written?: Uint8Array }> {
  // A missing program is not left to the shell, whose error would say less.
  if (secret === undefined || !(await isExecutable(path))) return { path, arguments: given }
  return {
    path: '/bin/sh',
    arguments: ['-c', HAND_OVER, 'sh', path, ...given],
    written: new TextEncoder().encode(`${secret}\n`),
  }
}

export interface LoginKind {
  /** `none`: nothing was found. `unknown`: only the system's keychain could tell. */
  readonly kind: 'cloud' | 'variable' | 'stored' | 'none' | 'unknown'
  /** The name of the variable, or where the login is stored. */
  readonly where: string
}

export function loginKind(
  environment: Variables,
  exists: (path: string) => boolean = existsSync,
  platform: NodeJS.Platform = process.platform,
): LoginKind {
  const cloud = CLOUDS.find(({ on }) => isOn(environment[on]))
  if (cloud) return { kind: 'cloud', where: cloud.on }
  const variable = KEYS.find((name) => environment[name])
  if (variable !== undefined) return { kind: 'variable', where: variable }
  const directory = storedLogin(environment, exists)[DIRECTORY]
  const file = directory ? join(directory, '.credentials.json') : undefined
  if (file !== undefined && exists(file)) return { kind: 'stored', where: file }
  return platform === 'darwin'
    ? { kind: 'unknown', where: 'the keychain' }
    : { kind: 'none', where: file ?? 'the home directory' }
}

/** Where each cloud's libraries look by default, and the variable that overrides it. */
const CLOUD_LOGINS = [
  { on: 'CLAUDE_CODE_USE_BEDROCK', variable: 'AWS_CONFIG_FILE', path: '.aws/config' },
  { on: 'CLAUDE_CODE_USE_BEDROCK', variable: 'AWS_SHARED_CREDENTIALS_FILE', path: '.aws/credentials' },
  {
    on: 'CLAUDE_CODE_USE_VERTEX',
    variable: 'GOOGLE_APPLICATION_CREDENTIALS',
    path: '.config/gcloud/application_default_credentials.json',
  },
] as const

/**
 * Variables that let a call find a login made with `claude` or with a cloud's own command.
 *
 * The CLI is pointed at the user's login rather than given a link or a copy. It renews a token by replacing the file,
 * which would turn a link into a copy and invalidate the user's own login (measured on 2.1.197 and 2.1.330;
 * docs/decisions/0004). This way there is one login, one lock for it, and none in the agent's home.
 */
export function storedLogin(
  inherited: Variables,
  exists: (path: string) => boolean = existsSync,
): Record<string, string> {
  const home = inherited.HOME ?? inherited.USERPROFILE
  if (home === undefined) return {}
  if (CLOUDS.some(({ on }) => isOn(inherited[on]))) return cloudLogins(inherited, home, exists)
  return CREDENTIALS.some((name) => inherited[name]) ? {} : { [DIRECTORY]: claudeLogin(inherited, home) }
}

/** If one of these is set, the CLI looks no further. */
const CREDENTIALS = [...KEYS, 'ANTHROPIC_FEDERATION_RULE_ID', 'ANTHROPIC_PROFILE']

function cloudLogins(inherited: Variables, home: string, exists: (path: string) => boolean) {
  const found = CLOUD_LOGINS.filter(
    ({ on, variable, path }) =>
      isOn(inherited[on]) && inherited[variable] === undefined && exists(join(home, path)),
  )
  return Object.fromEntries(found.map(({ variable, path }) => [variable, join(home, path)]))
}

/** What the CLI would choose for the user. On macOS, the empty string names the default directory's keychain entry. */
function claudeLogin(inherited: Variables, home: string): string {
  const configured = inherited[DIRECTORY] ?? inherited.CLAUDE_CONFIG_DIR
  return configured ?? (process.platform === 'darwin' ? '' : join(home, '.claude'))
}
