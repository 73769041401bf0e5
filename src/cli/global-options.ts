/** The options of every command: from the command line, then the environment, then the file, then the defaults. */

import type { Command } from 'commander'
import type { Config, ConfigSources } from '../config/configuration.ts'
import { defined } from '../events/json.ts'

/** As they were typed. */
export interface GivenOptions {
  readonly baseDir?: string
  readonly config?: string
  readonly set?: Readonly<Record<string, string>>
  readonly json?: boolean
  readonly color: boolean
  readonly logLevel?: string
  readonly claude?: string
  readonly simulate?: boolean
}

export interface GlobalOptions {
  readonly baseDir: string
  readonly json: boolean
  readonly color: boolean
  readonly logLevel: string
  readonly claude?: string
  readonly simulate: boolean
  /** The file of `--config`. */
  readonly configFile?: string
  /** Every setting, wherever it comes from. */
  readonly config: Config
  /** As they were typed, for a process that is started with the same. */
  readonly given: GivenOptions
}

/** The words that give these options again. */
export function wordsOf({ baseDir, config, set = {}, logLevel, claude, simulate }: GivenOptions): string[] {
  const named = Object.entries(
    defined({ '--base-dir': baseDir, '--config': config, '--log-level': logLevel, '--claude': claude }),
  )
  return [
    ...named.flat(),
    ...Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ...(simulate ? ['--simulate'] : []),
  ]
}

/** An action that takes the global options as they were typed, then what commander passes. */
export const withGiven =
  <Rest extends unknown[]>(run: (given: GivenOptions, ...rest: Rest) => Promise<void> | void) =>
  async (...words: unknown[]): Promise<void> =>
    run(rootOf(words.at(-1) as Command).opts<GivenOptions>(), ...(words as Rest))

/** An action that takes the complete global options, then what commander passes. */
export const withGlobals = <Rest extends unknown[]>(
  run: (globals: GlobalOptions, ...rest: Rest) => Promise<void> | void,
) => withGiven<Rest>(async (given, ...rest) => run(await completeOptions(given), ...rest))

const rootOf = (command: Command): Command => (command.parent ? rootOf(command.parent) : command)

export async function completeOptions(
  given: GivenOptions,
  sources: Pick<ConfigSources, 'untrusted'> = {},
): Promise<GlobalOptions> {
  const { loadConfig } = await import('../config/configuration.ts')
  // A file that was named is trusted.
  const { untrusted } = given.config === undefined ? sources : {}
  const config = await loadConfig(defined({ file: given.config, options: settingsOf(given), untrusted }))
  const { baseDir = '.claude-agents', logLevel = 'warn', claudePath } = config
  return defined({
    baseDir,
    json: given.json ?? false,
    color: given.color,
    logLevel,
    simulate: given.simulate ?? false,
    claude: claudePath,
    configFile: given.config,
    config,
    given,
  })
}

/** The settings of the command line by their keys. */
function settingsOf({ baseDir, logLevel, claude, set = {} }: GivenOptions): Record<string, string> {
  return {
    ...set,
    ...defined({
      'orchestrator.base_dir': baseDir,
      'logging.level': logLevel,
      'claude.path': claude,
    }),
  }
}
