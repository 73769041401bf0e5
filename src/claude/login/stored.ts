/** Gives a process whose HOME is the agent's access to the logins in the user's home. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CLOUDS, isOn, type Variables } from '../inherited-environment.ts'

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
