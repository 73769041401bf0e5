/**
 * The login that a call uses: which account it pays with, by the service's host and a fingerprint; of which kind it is,
 * found without reading any secret; and how a process whose HOME is the agent's finds it.
 */
import { hash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CLOUDS, isLogin, isOn, type Variables } from '../inherited-environment.ts'

export interface AccountContext {
  /** Our own environment. */
  readonly inherited: Variables
  /** Variables that the library's user adds. A login among them replaces ours entirely. */
  readonly added: Variables
}

/** The variables of a call that identify the user. */
function loginOf({ inherited, added }: AccountContext): readonly (readonly [string, string])[] {
  const own = Object.keys(added).some(isLogin) ? added : { ...storedLogin(inherited), ...inherited }
  const clouds = CLOUDS.filter(({ on }) => isOn(own[on]))
  const counts = (name: string) =>
    (isLogin(name) && !CLOUDS.some(({ variables }) => variables.test(name))) ||
    clouds.some(({ variables }) => variables.test(name)) ||
    name === 'CLAUDE_SECURESTORAGE_CONFIG_DIR'
  return Object.entries(own)
    .flatMap(([name, value]) => (value && counts(name) ? [[name, value] as const] : []))
    .sort(([one], [other]) => (one < other ? -1 : 1))
}

/** The host of the service and a fingerprint, as in `api.anthropic.com#3f9a61c04d21`. */
export function accountOf(context: AccountContext): string {
  const login = loginOf(context)
  const baseUrl = login.find(([name]) => name === 'ANTHROPIC_BASE_URL')?.[1] ?? 'https://api.anthropic.com'
  const fingerprint = hash('sha256', JSON.stringify(login), 'hex').slice(0, 12)
  return `${hostOf(baseUrl)}#${fingerprint}`
}

/** Keys given in the environment do not change on a retry. A stored login may be renewed. */
const FIXED = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN']

export const isLoginFixed = (context: AccountContext): boolean =>
  loginOf(context).some(([name]) => FIXED.includes(name))

/** A base URL may contain a password. */
function hostOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return 'unknown'
  }
}

export interface LoginKind {
  /** `none`: nothing was found. `unknown`: only the system's keychain could tell. */
  readonly kind: 'cloud' | 'variable' | 'stored' | 'none' | 'unknown'
  /** The name of the variable, or where the login is stored. */
  readonly where: string
}

/** In the CLI's order of precedence. */
const VARIABLES = ['ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_API_KEY', 'CLAUDE_CODE_OAUTH_TOKEN']

export function loginKind(
  environment: Variables,
  exists: (path: string) => boolean = existsSync,
  platform: NodeJS.Platform = process.platform,
): LoginKind {
  const cloud = CLOUDS.find(({ on }) => isOn(environment[on]))
  if (cloud) return { kind: 'cloud', where: cloud.on }
  const variable = VARIABLES.find((name) => environment[name])
  if (variable !== undefined) return { kind: 'variable', where: variable }
  const directory = storedLogin(environment, exists).CLAUDE_SECURESTORAGE_CONFIG_DIR
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
  return CREDENTIALS.some((name) => inherited[name])
    ? {}
    : { CLAUDE_SECURESTORAGE_CONFIG_DIR: claudeLogin(inherited, home) }
}

/** If one of these is set, the CLI looks no further. */
const CREDENTIALS = [
  ...['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN'],
  ...['ANTHROPIC_FEDERATION_RULE_ID', 'ANTHROPIC_PROFILE'],
]

function cloudLogins(inherited: Variables, home: string, exists: (path: string) => boolean) {
  const found = CLOUD_LOGINS.filter(
    ({ on, variable, path }) =>
      isOn(inherited[on]) && inherited[variable] === undefined && exists(join(home, path)),
  )
  return Object.fromEntries(found.map(({ variable, path }) => [variable, join(home, path)]))
}

/** What the CLI would choose for the user. On macOS, the empty string names the default directory's keychain entry. */
function claudeLogin(inherited: Variables, home: string): string {
  const configured = inherited.CLAUDE_SECURESTORAGE_CONFIG_DIR ?? inherited.CLAUDE_CONFIG_DIR
  return configured ?? (process.platform === 'darwin' ? '' : join(home, '.claude'))
}
