/**
 * What each command works with: the orchestrator of the process that has the store open, or one that is opened here as
 * the global options say; and closed whatever happens.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Config } from '../config/configuration.ts'
import type { Orchestrator } from '../orchestrator.ts'
import type { GlobalOptions } from './global-options.ts'
import { listenForInterruption } from './interruption.ts'
import { type OpenedRunner, openRunner } from './runner.ts'
import { type Terminal, terminal } from './terminal.ts'

export interface Session {
  readonly orchestrator: Orchestrator
  readonly terminal: Terminal
  /** The process that has the store open, where it is another one. */
  readonly owner: number | null
  /** Aborted when the user presses Ctrl-C, or the system asks us to end. */
  readonly signal: AbortSignal
}

/** The session that the commands of an interactive one share: it is opened once. */
const shared = new AsyncLocalStorage<Session>()

/** Runs something whose commands all work in this session. */
export const sharing = <T>(session: Session, run: () => Promise<T>): Promise<T> => shared.run(session, run)

/** Opens, runs, closes; within an interactive session it just runs. */
export async function withSession(
  options: GlobalOptions,
  run: (session: Session) => Promise<void>,
): Promise<void> {
  const own = shared.getStore()
  if (own) return run({ ...own, terminal: terminal(options) })
  const screen = terminal(options)
  const interruption = listenForInterruption()
  const { accessStore } = await import('../remote/access.ts')
  let opened: OpenedRunner | undefined
  try {
    const { orchestrator, owner } = await accessStore(options.baseDir, async () => {
      opened ??= await openRunner(options, screen)
      // What costs money is gone on with when somebody asks for it, not because somebody looks at a log.
      return openHere(options, opened, 'on-demand')
    })
    if (owner !== null && options.simulate) noteOwnModel(screen, owner)
    try {
      await run({ orchestrator, owner, terminal: screen, signal: interruption.signal })
      // Other commands may have come in meanwhile: they end first.
      await orchestrator.served(interruption.signal, () => {
        const text = 'Another command has work done here; this one ends with it (Ctrl-C ends both).'
        screen.progress(screen.accent('dim', text))
      })
    } finally {
      interruption.stop()
      await orchestrator.close()
    }
  } finally {
    await opened?.[Symbol.asyncDispose]()
  }
}

/** Opens the store in this process. Throws StoreInUse. */
export async function openHere(
  options: GlobalOptions,
  { runner, logger }: OpenedRunner,
  resume: 'at-once' | 'on-demand',
): Promise<Orchestrator> {
  const { Orchestrator } = await import('../orchestrator.ts')
  return Orchestrator.open({
    baseDir: options.baseDir,
    logger,
    runner,
    resume,
    ...orchestratorOptions(options.config),
  })
}

function noteOwnModel(screen: Terminal, owner: number): void {
  const text = `process ${owner} has the store open, and its own claude answers: --simulate has no effect`
  screen.note(screen.accent('yellow', text))
}

/** What the configuration says to the orchestrator. */
function orchestratorOptions(config: Config) {
  const { maxAgents, limits, budget, callMinimum, sessionPersistence, agentDefaults, agents } = config
  return {
    ...(maxAgents === undefined ? {} : { maxAgents }),
    ...(limits === undefined ? {} : { limits }),
    ...(budget === undefined ? {} : { budget }),
    ...(callMinimum === undefined ? {} : { callMinimum }),
    ...(sessionPersistence === undefined ? {} : { sessionPersistence }),
    ...(agentDefaults === undefined ? {} : { agentDefaults }),
    ...(agents === undefined ? {} : { agents }),
  }
}
