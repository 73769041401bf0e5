/** Whether there is a store to read, and what to say when there is none: a command that only reads must not make one. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { GlobalOptions } from './global-options.ts'
import { terminal } from './terminal/output.ts'

/** Any of these is the sign of a store, if perhaps a damaged one. */
const STORE_SIGNS = ['store.json', 'head', 'log']

export const hasStore = ({ baseDir }: GlobalOptions) =>
  STORE_SIGNS.some((name) => existsSync(join(resolve(baseDir), name)))

/** Whether there are agents, or the configuration declares some, which opening the store would create. */
export const hasAgents = (globals: GlobalOptions) =>
  hasStore(globals) || (globals.config.agents ?? []).length > 0

export function noteNoStore(globals: GlobalOptions): void {
  terminal(globals).note(
    `${globals.baseDir} is empty. Create an agent: claude-agents agent create ID "SYSTEM PROMPT"`,
  )
}
