/** Whether there is a store to read, and what to say when there is none: a command that only reads must not make one. */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { AgentNotFoundError } from '../events/errors/agent.ts'
import { codeOf, shellWord } from '../events/errors/phrases.ts'
import { StoreNotOpened } from '../events/errors/store.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { visibleName } from '../events/hidden-characters.ts'
import type { GlobalOptions } from './global-options.ts'
import { terminal } from './terminal/output.ts'

/** Any of these is the sign of a store, if perhaps a damaged one. */
const STORE_SIGNS = ['store.json', 'head', 'log']

const isStore = (directory: string) => readdirSync(directory).some((name) => STORE_SIGNS.includes(name))

/** Throws {@link StoreNotOpened} for what can be no base directory: a file, a link that leads nowhere, a place without access. */
export function hasStore({ baseDir, database }: GlobalOptions): boolean {
  if (database !== undefined) return true
  const directory = resolve(baseDir)
  try {
    return isStore(directory)
  } catch (error) {
    const isMissing = codeOf(error) === 'ENOENT' && !lstatSync(directory, { throwIfNoEntry: false })
    if (isMissing) return false
    throw StoreNotOpened.from(directory, error)
  }
}

/** Throws {@link InvalidInputError} for what works on a log in a directory alone. */
export function refuseDatabase(
  { database }: GlobalOptions,
  what: string,
  hint = 'Leave out --database and CLAUDE_AGENTS_DATABASE.',
): void {
  if (database === undefined) return
  const problem = `${what} works on a log in a directory${hint === BY_A_WORKER ? ', or through workers' : ' only'}`
  throw new InvalidInputError({ what: '--database', problem, hint })
}

/** What is to outlive the command needs a process that does it. */
export const BY_A_WORKER = 'Start a worker for this database first: claude-agents worker'

/** What the state of a process is asked of: a database says nothing of processes, and its workers do. */
export const ASK_THE_WORKERS =
  'See its workers: claude-agents cluster workers. End one: claude-agents cluster drain WORKER'

/** Where the log is: the URL of its database, or its directory. */
export const placeOfLog = ({ baseDir, database }: Pick<GlobalOptions, 'baseDir' | 'database'>): string =>
  database ?? resolve(baseDir)

/** Whether there are agents, or the configuration declares some, which opening the store would create. */
export const hasAgents = (globals: GlobalOptions) =>
  hasStore(globals) || (globals.config.agents ?? []).length > 0

/** Throws {@link AgentNotFoundError} where there are no agents at all: asking one must not make a store. */
export function requireAgents(globals: GlobalOptions, id: string): void {
  if (hasAgents(globals)) return
  throw new AgentNotFoundError({ agent: id, nearest: null, reason: emptiness(globals) })
}

export function noteNoStore(globals: GlobalOptions): void {
  terminal(globals).note(`${emptiness(globals)}. ${BEGIN}`)
}

const BEGIN = 'Create an agent: claude-agents agent create ID "SYSTEM PROMPT"'

/** For what cannot be done without a store, which must not look like success. */
export function requireStore(globals: GlobalOptions): string {
  if (hasStore(globals)) return placeOfLog(globals)
  throw new InvalidInputError({
    what: 'The store',
    problem: emptiness(globals),
    hint: 'Name the directory with --base-dir.',
  })
}

/** What was found instead of a store. A person in a subfolder may mean the store of the project. */
function emptiness({ baseDir }: GlobalOptions): string {
  const above = storeAbove(process.cwd(), baseDir)
  const names = namesIn(resolve(baseDir))
  const none =
    names === null
      ? `${baseDir} does not exist`
      : names.length === 0
        ? `${baseDir} is empty`
        : `${baseDir} holds no store, but other files (${names.slice(0, 3).map(visibleName).join(', ')})`
  return above === null ? none : `${none}, but ${above} has a store: --base-dir ${shellWord(above)}`
}

/** null if there is no such directory. */
function namesIn(directory: string): readonly string[] | null {
  return existsSync(directory) ? readdirSync(directory).sort() : null
}

function storeAbove(folder: string, baseDir: string): string | null {
  if (isAbsolute(baseDir)) return null
  const parent = dirname(folder)
  if (parent === folder) return null
  const found = join(parent, baseDir)
  try {
    if (isStore(found)) return found
  } catch {
    // Whatever is there, the user has not named it.
  }
  return storeAbove(parent, baseDir)
}
