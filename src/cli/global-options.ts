/** The options that every command takes: from the command line, else the environment, else the file, else a default. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { loadConfig } from '../index.ts'

/** As they were given; commander has asked the environment already. */
export interface GivenOptions {
  readonly baseDir?: string
  readonly config?: string
  readonly json?: boolean
  readonly color: boolean
  readonly logLevel?: string
  readonly claude?: string
  readonly simulate?: boolean
}

export interface GlobalOptions {
  readonly baseDir: string
  readonly maxAgents?: number
  readonly json: boolean
  readonly color: boolean
  readonly logLevel: string
  readonly claude?: string
  readonly simulate: boolean
}

/** Runs what a command does, with the options that all commands take. */
export type Act = (run: (globals: GlobalOptions) => Promise<void> | void) => Promise<void>

export async function completeOptions(given: GivenOptions): Promise<GlobalOptions> {
  const config = await loadConfig(given.config === undefined ? {} : { file: given.config })
  const maxAgents = process.env.CLAUDE_AGENTS_MAX_AGENTS
    ? Number(process.env.CLAUDE_AGENTS_MAX_AGENTS)
    : config.maxAgents
  const claude = given.claude ?? (process.env.CLAUDE_AGENTS_CLAUDE_PATH || config.claudePath)
  return {
    baseDir: given.baseDir || config.baseDir || '.claude-agents',
    json: given.json ?? false,
    color: given.color,
    logLevel: given.logLevel ?? config.logLevel ?? 'warn',
    simulate: given.simulate ?? false,
    ...(maxAgents === undefined ? {} : { maxAgents }),
    ...(claude === undefined ? {} : { claude }),
  }
}

/** Any of these is the sign of a store, if not of a whole one. */
const STORE_SIGNS = ['store.json', 'head', 'log']

/** Whether there is anything to read yet: a command that only looks must not make a store. */
export const hasStore = ({ baseDir }: GlobalOptions) =>
  STORE_SIGNS.some((name) => existsSync(join(resolve(baseDir), name)))
