/**
 * Keeps the key out of the environment, where the agent's commands could read it, by passing it through a descriptor.
 *
 * Measured on 2.1.197 and 2.1.330 with a command that reads its own environment, its parent's, and the parent's
 * descriptors: the CLI reads the key once, and what was read from a pipe is gone.
 */
import type { LaunchPlan } from '../process/launch.ts'
import { SECRET_DESCRIPTOR } from '../process/secret-descriptor.ts'

type Start = Pick<LaunchPlan, 'environment' | 'arguments'>

interface Way {
  readonly variable: string
  /** The CLI ignores these once `variable` is set, so they are removed as well. */
  readonly replaces: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly arguments?: readonly string[]
  readonly platform?: NodeJS.Platform
}

/** The first whose variable is set applies. Custom headers and cloud keys cannot be hidden: they stay visible. */
const WAYS: readonly Way[] = [
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
    arguments: ['--settings', JSON.stringify({ apiKeyHelper: `cat /proc/$PPID/fd/${SECRET_DESCRIPTOR}` })],
    platform: 'linux',
  },
  {
    variable: 'CLAUDE_CODE_OAUTH_TOKEN',
    replaces: [],
    environment: { CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR: String(SECRET_DESCRIPTOR) },
  },
]

/** What a pipe holds on every system before anyone reads from it. */
const LONGEST = 4096

/** The same launch with its key hidden; unchanged if there is no key, or the CLI offers no way to hide it. */
export function hideLogin(
  start: Start,
  platform: NodeJS.Platform = process.platform,
): Start & Pick<LaunchPlan, 'secret'> {
  const way = WAYS.find(({ variable }) => start.environment[variable])
  const secret = way && start.environment[way.variable]
  const canHide = platform !== 'win32' && (way?.platform ?? platform) === platform
  if (!way || !secret || !canHide || secret.length > LONGEST || /[\r\n\0]/.test(secret)) return start
  const shown = Object.entries(start.environment).filter(
    ([name]) => name !== way.variable && !way.replaces.includes(name),
  )
  return {
    environment: { ...Object.fromEntries(shown), ...way.environment },
    arguments: [...(way.arguments ?? []), ...start.arguments],
    secret,
  }
}
