/** Keeps the key out of the environment, where the agent's commands would read it: it goes through a descriptor.
 *
 * Measured on 2.1.197 and 2.1.330, with a command that reads its own environment, that of its parent, and the
 * parent's descriptors: the CLI reads the key once, and what is read from a pipe is gone. */
import type { LaunchPlan } from '../process/launch.ts'
import { SECRET_DESCRIPTOR } from '../process/secret-descriptor.ts'

type Start = Pick<LaunchPlan, 'environment' | 'arguments'>

interface Way {
  readonly variable: string
  /** With that one the CLI does not use these, so that they need not be where they can be read. */
  readonly replaces: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly arguments?: readonly string[]
  readonly platform?: NodeJS.Platform
}

/** The first whose variable is set is taken. Custom headers and the keys of clouds have no such way: they stay visible. */
const WAYS: readonly Way[] = [
  {
    variable: 'ANTHROPIC_API_KEY',
    replaces: ['CLAUDE_CODE_OAUTH_TOKEN'],
    environment: { CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR: String(SECRET_DESCRIPTOR) },
  },
  {
    // There is no descriptor for it, but the CLI sends what this command prints in the same header (and as x-api-key).
    // It asks once: the second time there would be nothing to read.
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

/** As much as a pipe takes, on every system, before anybody reads from it. */
const LONGEST = 4096

/** The same start with its key out of sight; as it is where there is no key, or the CLI offers no way. */
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
