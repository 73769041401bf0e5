/**
 * The orchestrator that a command works with: that of the process that has the store open, or one that is opened here
 * and closed at the end.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Config } from '../config/configuration.ts'
import { defined } from '../events/json.ts'
import type { Orchestrator } from '../orchestrator.ts'
import type { OrchestratorOptions } from '../orchestrator-options.ts'
import { hasStore, noteNoStore } from './existing-store.ts'
import type { GlobalOptions } from './global-options.ts'
import { type Interruption, listenForInterruption } from './interruption.ts'
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

/** `read`: the command changes nothing, so what the configuration declares is not written either. */
type Purpose = 'read' | 'change'

/** Opens, works, closes; within an interactive session it just works. */
export async function withSession(
  options: GlobalOptions,
  work: Work,
  purpose: Purpose = 'change',
): Promise<void> {
  const own = shared.getStore()
  if (own) return work({ ...own, terminal: terminal(options) })
  const screen = terminal(options)
  const interruption = listenForInterruption()
  const { accessStore } = await import('../remote/access.ts')
  let opened: OpenedRunner | undefined
  try {
    const { orchestrator, owner } = await accessStore(options.baseDir, async () => {
      opened ??= await openRunner(options, screen)
      // A command that only reads must not resume work that costs money.
      return openHere(options, opened, {
        resume: 'on-demand',
        declare: purpose === 'read' ? 'on-demand' : 'at-once',
      })
    })
    if (owner !== null && options.simulate) noteOwnModel(screen, owner)
    try {
      if (owner !== null && purpose === 'change') await orchestrator.declared()
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
  purpose: Purpose = 'change',
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
  when: Pick<OrchestratorOptions, 'resume' | 'declare'> = {},
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

function noteOwnModel(screen: Terminal, owner: number): void {
  const text = `process ${owner} has the store open and uses its own claude: --simulate has no effect`
  screen.note(screen.accent('yellow', text))
}

function orchestratorOptions(config: Config) {
  const { maxAgents, limits, budget, callMinimum, cacheReadWeight } = config
  const { sessionPersistence, replaceInputs, agentDefaults, agents } = config
  const bounds = { maxAgents, limits, budget, callMinimum, cacheReadWeight }
  return defined({ ...bounds, sessionPersistence, replaceInputs, agentDefaults, agents })
}
