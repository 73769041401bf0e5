/**
 * Keeps the key out of the environment, where the agent's commands could read it, by passing it through a descriptor.
 *
 * Measured on 2.1.197 and 2.1.330 with a command that reads its own environment, its parent's, and the parent's
 * descriptors: the CLI reads the key once, and what was read from a pipe is gone.
 */
import { type LaunchPlan, SECRET_DESCRIPTOR } from '../process/launch.ts'

type Launch = Pick<LaunchPlan, 'environment' | 'arguments'>

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

/** The same launch with its key hidden; unchanged if there is no key, or the CLI offers no way to hide it. */
export function hideLogin(
  launch: Launch,
  platform: NodeJS.Platform = process.platform,
): Launch & Pick<LaunchPlan, 'secret'> {
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
