/** The options of every command: from the command line, then the environment, then the file, then the defaults. */

import type { Command } from 'commander'
import type { Config, ConfigSources } from '../config/configuration.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { defined } from '../events/json.ts'
import { hasPassword, isDatabaseUrl } from '../store/postgres/url.ts'

/** As they were typed. */
export interface GivenOptions {
  readonly baseDir?: string
  readonly database?: string
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
  /** The URL of the database that has the log; otherwise it is in the base directory. */
  readonly database?: string
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
export function wordsOf({
  baseDir,
  database,
  config,
  set = {},
  logLevel,
  claude,
  simulate,
}: GivenOptions): string[] {
  const named = Object.entries(
    defined({
      ...{ '--base-dir': baseDir, '--database': database, '--config': config },
      ...{ '--log-level': logLevel, '--claude': claude },
    }),
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
  checkDatabase(given)
  const config = await loadConfig(defined({ file: given.config, options: settingsOf(given), untrusted }))
  const { baseDir = '.claude-agents', logLevel = 'warn', claudePath } = config
  return defined({
    baseDir,
    database: config.cluster?.database,
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

/** Throws {@link InvalidInputError}, which does not repeat the URL: it may have a password. */
function checkDatabase({ database }: GivenOptions): void {
  const url = database ?? (process.env.CLAUDE_AGENTS_DATABASE || undefined)
  if (url !== undefined && !isDatabaseUrl(url))
    throw new InvalidInputError({
      what: database === undefined ? 'CLAUDE_AGENTS_DATABASE' : '--database',
      problem: 'it is not a URL of a PostgreSQL database',
      hint: 'Write it like this: postgresql://USER@HOST:5432/DATABASE',
    })
  if (database !== undefined && hasPassword(database))
    throw new InvalidInputError({
      what: '--database',
      problem: 'it has a password, which others can read in the list of processes',
      hint: 'Set PGPASSWORD, or CLAUDE_AGENTS_DATABASE to the whole URL.',
    })
}

/** The settings of the command line by their keys. */
function settingsOf({ baseDir, database, logLevel, claude, set = {} }: GivenOptions): Record<string, string> {
  return {
    ...set,
    ...defined({
      'orchestrator.base_dir': baseDir,
      'cluster.database': database,
      'logging.level': logLevel,
      'claude.path': claude,
    }),
  }
}
