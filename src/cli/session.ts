/**
 * The orchestrator that a command works with: that of the process that has the store open, or one that is opened here
 * and closed at the end.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { resolve } from 'node:path'
import type { Config } from '../config/configuration.ts'
import { OtherRunnerError } from '../events/errors/owner.ts'
import { defined } from '../events/json.ts'
import type { Orchestrator } from '../orchestrator.ts'
import type { OrchestratorOptions } from '../orchestrator-options.ts'
import { hasStore, noteNoStore } from './existing-store.ts'
import type { GlobalOptions } from './global-options.ts'
import { type Interruption, listenForInterruption } from './interruption.ts'
import { commandLogger } from './logger.ts'
import { type OpenedRunner, openRunner } from './runner.ts'
import { type Terminal, terminal } from './terminal/output.ts'

export interface Session {
  readonly orchestrator: Orchestrator
  readonly terminal: Terminal
  /** The pid of the process that has the store open; null when it is this one. */
  readonly owner: number | null
  /** Aborted on Ctrl-C, or when the system asks the process to end. */
  readonly signal: AbortSignal
}

type Work = (session: Session) => Promise<void>

/** The session that the commands of an interactive one share: it is opened once. */
const shared = new AsyncLocalStorage<Session>()

/** Runs something whose commands all work in this session. */
export const sharing = <T>(session: Session, run: () => Promise<T>): Promise<T> => shared.run(session, run)

/**
 * `read`: the command changes nothing, and never takes the store from a process that wants to open it. `change`: it changes
 * something, and asks for no answer. `call`: it asks for answers, which cost money unless the model is simulated.
 */
type Purpose = 'read' | 'change' | 'call'

/** Opens, works, closes; within an interactive session it just works. */
export async function withSession(
  options: GlobalOptions,
  work: Work,
  purpose: Purpose = 'call',
): Promise<void> {
  const own = shared.getStore()
  if (own) return work({ ...own, terminal: terminal(options) })
  const screen = terminal(options)
  const interruption = listenForInterruption()
  const { accessForReading, accessStore } = await import('../remote/access.ts')
  let opened: OpenedRunner | undefined
  const open = async () => {
    opened ??= await openRunner(options, screen)
    // A command that asks for nothing ends at once, and leaves what is to be told to the next owner.
    const notify = purpose === 'call' ? options.config.notify : undefined
    return openHere(options, opened, { resume: 'on-demand', ...defined({ notify }) })
  }
  try {
    const { orchestrator, owner, runner } =
      purpose === 'read'
        ? await accessForReading(options.baseDir, { logger: await commandLogger(options) })
        : await accessStore(options.baseDir, open)
    try {
      if (owner !== null) refuseOtherRunner(options, { pid: owner, runner: runner ?? '' }, purpose)
      if (owner !== null && purpose !== 'read') await orchestrator.declared()
      await work({ orchestrator, owner, terminal: screen, signal: interruption.signal })
    } finally {
      await othersServed(orchestrator, interruption, screen)
      interruption.stop()
      await orchestrator.close()
    }
  } finally {
    await opened?.[Symbol.asyncDispose]()
  }
}

/** Waits for what other commands have asked of this process, however its own work ended. */
async function othersServed(
  orchestrator: Orchestrator,
  { signal, insistence }: Interruption,
  screen: Terminal,
): Promise<void> {
  let isWaiting = false
  const tell = () => {
    const how = signal.aborted ? 'Ctrl-C again ends both' : 'Ctrl-C twice ends both'
    screen.note(`Another command is working through this one, which ends after it (${how}).`)
  }
  signal.addEventListener('abort', () => isWaiting && tell(), { once: true })
  await orchestrator.served(insistence(), () => {
    isWaiting = true
    tell()
  })
}

/**
 * Works with the store if there is one.
 *
 * @param missing What to throw if there is none; by default a note says how to begin.
 */
export async function withStore(
  options: GlobalOptions,
  work: Work,
  missing?: () => Error,
  purpose: Purpose = 'call',
): Promise<void> {
  if (hasStore(options)) return withSession(options, work, purpose)
  if (missing) throw missing()
  noteNoStore(options)
}

/** Reads the store if there is one, and writes nothing. */
export const readStore = (options: GlobalOptions, work: Work, missing?: () => Error): Promise<void> =>
  withStore(options, work, missing, 'read')

/** Opens the store in this process. Throws StoreInUse. */
export async function openHere(
  options: GlobalOptions,
  { runner, logger }: OpenedRunner,
  when: Pick<OrchestratorOptions, 'resume' | 'onStop' | 'notify'> = {},
): Promise<Orchestrator> {
  const { Orchestrator } = await import('../orchestrator.ts')
  return Orchestrator.open({
    baseDir: options.baseDir,
    logger,
    runner,
    ...when,
    ...orchestratorOptions(options.config),
  })
}

/** Throws OtherRunnerError: a command never reaches an account that it does not mean to, and is never answered by a simulation. */
export function refuseOtherRunner(
  { baseDir, simulate }: GlobalOptions,
  { pid, runner }: { readonly pid: number; readonly runner: string },
  purpose: Purpose,
): void {
  const isSimulated = runner === 'simulated'
  if (simulate ? isSimulated || purpose === 'read' : !isSimulated || purpose !== 'call') return
  throw new OtherRunnerError({ path: resolve(baseDir), pid, runner, simulate })
}

function orchestratorOptions(config: Config) {
  const { maxAgents, limits, budget, callMinimum, cacheReadWeight } = config
  const { sessionPersistence, replaceInputs, agentDefaults, agents } = config
  const bounds = { maxAgents, limits, budget, callMinimum, cacheReadWeight }
  return defined({ ...bounds, sessionPersistence, replaceInputs, agentDefaults, agents })
}
