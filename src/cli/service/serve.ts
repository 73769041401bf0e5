/** `serve`: runs as a service: resumes work, supervises, and serves other commands until a signal ends it. */
import type { Command } from 'commander'
import { zeroOrMore } from '../arguments.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { openRunner } from '../runner.ts'
import { openHere, refuseOtherRunner } from '../session.ts'
import { terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'
import { noteWaitingRuns } from '../workflow/runs.ts'

export function serveCommand(command: Command): void {
  command
    .option(
      '--finish-within <seconds>',
      'seconds to finish running work on shutdown (default: 25)',
      zeroOrMore,
    )
    .action(withGlobals(serve))
}

interface ServeOptions {
  /** Seconds. */
  readonly finishWithin?: number
}

const A_DAY_MS = 86_400_000

async function serve(globals: GlobalOptions, { finishWithin = 25 }: ServeOptions): Promise<void> {
  const screen = terminal(globals)
  const opened = await openRunner(globals, screen)
  // Listening for signals and on a socket does not keep Node running.
  const keepAlive = setInterval(() => {}, A_DAY_MS)
  try {
    const { closeOnSignal } = await import('../../shutdown.ts')
    const { retryWhileInUse } = await import('../../remote/retry.ts')
    const { connectOwner } = await import('../../remote/client.ts')
    // A short command may have the store open just now.
    const orchestrator = await retryWhileInUse(() => openHere(globals, opened)).catch(async (error) => {
      const client = await connectOwner(globals.baseDir).catch(() => null)
      client?.close()
      if (client) refuseOtherRunner(globals, { pid: client.pid, runner: client.greeting.runner }, 'call')
      throw error
    })
    const { closed } = closeOnSignal(orchestrator, {
      signals: ['SIGINT', 'SIGTERM', 'SIGHUP'],
      finishWithinMs: finishWithin * 1000,
      before: () =>
        screen.note(`shutting down: work not finished within ${finishWithin} s is left to the next start`),
    })
    const failed = orchestrator.failed.then(async (error) => {
      await orchestrator.close()
      throw error
    })
    // A tree may give up while others are being started: then the loop below throws that error.
    failed.catch(() => {})
    try {
      for (const tree of globals.config.supervision ?? []) await orchestrator.supervise(tree)
    } catch (error) {
      await orchestrator.close()
      throw error
    }
    if (screen.json) screen.value({ pid: process.pid, baseDir: orchestrator.baseDir })
    else screen.line(`Serving ${inert(orchestrator.baseDir)} as process ${process.pid} (Ctrl-C stops it)`)
    await noteWaitingRuns(orchestrator, screen)
    await Promise.race([closed, failed])
  } finally {
    clearInterval(keepAlive)
    await opened[Symbol.asyncDispose]()
  }
}
