/** `serve`: has the store open until it is told to end, goes on with what there is, and does what other commands ask for. */
import { closeOnSignal } from '../shutdown.ts'
import type { GlobalOptions } from './global-options.ts'
import { openRunner } from './runner.ts'
import { openHere } from './session.ts'
import { inert, terminal } from './terminal.ts'

export interface ServeOptions {
  /** Seconds. */
  readonly finishWithin?: number
}

const A_DAY_MS = 86_400_000

export async function serve(globals: GlobalOptions, { finishWithin = 25 }: ServeOptions): Promise<void> {
  const screen = terminal(globals)
  const opened = await openRunner(globals, screen)
  // Whoever waits for signals, or for others at a socket, is no reason for node to stay.
  const staying = setInterval(() => {}, A_DAY_MS)
  try {
    const { patiently } = await import('../remote/access.ts')
    // A short command may have the store just now.
    const orchestrator = await patiently(() => openHere(globals, opened, 'at-once'))
    const { closed } = closeOnSignal(orchestrator, {
      signals: ['SIGINT', 'SIGTERM', 'SIGHUP'],
      finishWithinMs: finishWithin * 1000,
      before: () =>
        screen.note(`ending: what is not finished within ${finishWithin} s is left to the next start`),
    })
    const failed = orchestrator.failed.then(async (error) => {
      await orchestrator.close()
      throw error
    })
    // A tree may give up while the others are started: then that is the error.
    failed.catch(() => {})
    try {
      for (const tree of globals.config.supervision ?? []) await orchestrator.supervise(tree)
    } catch (error) {
      await orchestrator.close()
      throw error
    }
    if (screen.json) screen.value({ pid: process.pid, baseDir: orchestrator.baseDir })
    else screen.line(`Serving ${inert(orchestrator.baseDir)} as process ${process.pid} (Ctrl-C ends)`)
    await Promise.race([closed, failed])
  } finally {
    clearInterval(staying)
    await opened[Symbol.asyncDispose]()
  }
}
