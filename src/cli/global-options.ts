/** The options that every command takes: from the command line, else the environment, else the file, else a default. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Config, loadConfig } from '../config/configuration.ts'

/** As they were given. */
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
  /** Everything that was said, here and elsewhere. */
  readonly config: Config
}

/** Runs what a command does, with the options that all commands take. */
export type Act = (run: (globals: GlobalOptions) => Promise<void> | void) => Promise<void>

export async function completeOptions(given: GivenOptions): Promise<GlobalOptions> {
  const config = await loadConfig({ file: given.config, options: optionsOf(given) })
  const { baseDir = '.claude-agents', logLevel = 'warn', claudePath } = config
  return {
    baseDir,
    json: given.json ?? false,
    color: given.color,
    logLevel,
    simulate: given.simulate ?? false,
    ...(claudePath === undefined ? {} : { claude: claudePath }),
    config,
  }
}

/** What the command line says of settings, by their keys. */
export function optionsOf({ baseDir, logLevel, claude, set = {} }: GivenOptions): Record<string, string> {
  return {
    ...set,
    ...(baseDir ? { 'orchestrator.base_dir': baseDir } : {}),
    ...(logLevel === undefined ? {} : { 'logging.level': logLevel }),
    ...(claude === undefined ? {} : { 'claude.path': claude }),
  }
}

/** Any of these is the sign of a store, if not of a whole one. */
const STORE_SIGNS = ['store.json', 'head', 'log']

/** Whether there is anything to read yet: a command that only looks must not make a store. */
export const hasStore = ({ baseDir }: GlobalOptions) =>
  STORE_SIGNS.some((name) => existsSync(join(resolve(baseDir), name)))

/** Whether there are agents, be it that the file declares them and opening will make them. */
export const hasAgents = (globals: GlobalOptions) =>
  hasStore(globals) || (globals.config.agents ?? []).length > 0
