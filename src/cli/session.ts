/** What each command works with: the orchestrator, opened as the global options say and closed whatever happens. */
import type { Config, Orchestrator } from '../index.ts'
import type { GlobalOptions } from './global-options.ts'
import { openRunner } from './runner.ts'
import { type Terminal, terminal } from './terminal.ts'

export interface Session {
  readonly orchestrator: Orchestrator
  readonly terminal: Terminal
  /** Aborted when the user presses Ctrl-C, or the system asks us to end. */
  readonly signal: AbortSignal
}

/** How a command ended that was interrupted: 128 and the number of the signal, as shells have it. */
const INTERRUPTED: Readonly<Record<string, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }

/** Opens, runs, closes. */
export async function withSession(
  options: GlobalOptions,
  run: (session: Session) => Promise<void>,
): Promise<void> {
  const screen = terminal(options)
  const interruption = new AbortController()
  const interrupt = (name: NodeJS.Signals) => {
    // Once is a request; twice is an order.
    if (interruption.signal.aborted) process.exit(INTERRUPTED[name])
    process.exitCode = INTERRUPTED[name]
    interruption.abort(`interrupted by ${name}`)
  }
  const signals = Object.keys(INTERRUPTED) as NodeJS.Signals[]
  for (const name of signals) process.on(name, interrupt)
  const { Orchestrator } = await import('../index.ts')
  // What is opened last is closed first.
  await using opened = await openRunner(options, screen)
  const { runner, logger } = opened
  await using orchestrator = await Orchestrator.open({
    baseDir: options.baseDir,
    logger,
    runner,
    // What costs money is gone on with when somebody asks for it, not because somebody looks at a log.
    resume: 'on-demand',
    ...orchestratorOptions(options.config),
  })
  try {
    await run({ orchestrator, terminal: screen, signal: interruption.signal })
  } finally {
    for (const name of signals) process.off(name, interrupt)
  }
}

/** What the configuration says to the orchestrator. */
function orchestratorOptions({ maxAgents, sessionPersistence, agentDefaults, agents }: Config) {
  return {
    ...(maxAgents === undefined ? {} : { maxAgents }),
    ...(sessionPersistence === undefined ? {} : { sessionPersistence }),
    ...(agentDefaults === undefined ? {} : { agentDefaults }),
    ...(agents === undefined ? {} : { agents }),
  }
}
