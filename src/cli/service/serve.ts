/** `serve`: runs as a service: resumes work, supervises, and serves other commands until a signal ends it. */
import { type Command, InvalidArgumentError } from 'commander'
import { pause, systemClock } from '../../clock.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { defined } from '../../events/json.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { withoutPassword } from '../../store/postgres/url.ts'
import { zeroOrMore } from '../arguments.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { openRunner } from '../runner.ts'
import { openHere, refuseOtherRunner } from '../session.ts'
import { terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'
import { noteWaitingRuns } from '../workflow/runs.ts'
import { idleMs } from './activity.ts'
import { IDLE_MINUTES, startAndTell, stopOwner, tellStatus } from './background.ts'

export function serveCommand(command: Command): void {
  command
    .description('run as a service: resume tasks and runs, supervise, serve other commands')
    .option(
      '--finish-within <seconds>',
      'seconds to finish running work on shutdown (default: 25)',
      zeroOrMore,
    )
    .option('--detach', 'run in the background, and print its process and address')
    .option(
      '--idle-timeout <minutes>',
      `minutes without work after which it ends, or none (default: none; with --detach: ${IDLE_MINUTES})`,
      minutesOrNone,
    )
    .action(withGlobals(serve))
  command
    .command('status')
    .description('say which process serves, and what it does; exits with 3 if none does')
    .action(withGlobals(tellStatus))
  command
    .command('stop')
    .description('end the process that serves, once its tasks have ended')
    .option('--now', 'end it at once: what is not finished is left to the next start')
    .action(withGlobals(stopOwner))
}

function minutesOrNone(text: string): number {
  if (text === 'none') return Number.POSITIVE_INFINITY
  if (/^\d{1,6}(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text)
  throw new InvalidArgumentError('It must be a number of minutes, or none.')
}

interface ServeOptions {
  /** Seconds. */
  readonly finishWithin?: number
  readonly detach?: boolean
  /** Minutes. */
  readonly idleTimeout?: number
}

const A_DAY_MS = 86_400_000

async function serve(
  globals: GlobalOptions,
  { finishWithin = 25, detach, idleTimeout }: ServeOptions,
): Promise<void> {
  if (detach) {
    const idle = idleTimeout === Number.POSITIVE_INFINITY ? 'none' : idleTimeout
    return startAndTell(globals, [
      ...['--finish-within', String(finishWithin)],
      ...(idle === undefined ? [] : ['--idle-timeout', String(idle)]),
    ])
  }
  if (globals.database !== undefined) await refuseWorkers(globals.database)
  const screen = terminal(globals)
  const opened = await openRunner(globals, screen)
  // Listening for signals and on a socket does not keep Node running.
  const keepAlive = setInterval(() => {}, A_DAY_MS)
  const over = new AbortController()
  try {
    const { closeOnSignal } = await import('../../shutdown.ts')
    const { retryWhileInUse } = await import('../../remote/retry.ts')
    const { connectOwner } = await import('../../remote/client.ts')
    // A short command may have the store open just now.
    // A request that comes while the store is being opened waits for that.
    let asked: { readonly now: boolean } | undefined
    let stop = (request: { readonly now: boolean }) => {
      asked = request
    }
    const { notify } = globals.config
    const open = () =>
      openHere(globals, opened, { onStop: (request) => stop(request), ...defined({ notify }) })
    const orchestrator = await retryWhileInUse(open).catch(async (error) => {
      const client = await connectOwner(globals.baseDir).catch(() => null)
      client?.close()
      if (client) refuseOtherRunner(globals, { pid: client.pid, runner: client.greeting.runner }, 'call')
      throw error
    })
    const { closed, begin } = closeOnSignal(orchestrator, {
      signals: ['SIGINT', 'SIGTERM', 'SIGHUP'],
      finishWithinMs: finishWithin * 1000,
      before: () => screen.note(`shutting down: ${ending}`),
    })
    let ending = `work not finished within ${finishWithin} s is left to the next start`
    stop = ({ now }) => {
      ending = now ? 'as asked, at once' : 'as asked, once its work has ended'
      begin({ finishWithinMs: now ? 0 : Number.POSITIVE_INFINITY })
    }
    if (asked) stop(asked)
    void watchIdleness(orchestrator, (idleTimeout ?? Number.POSITIVE_INFINITY) * 60_000, over.signal, () => {
      ending = `it has had nothing to do for ${idleTimeout} minutes`
      begin()
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
    const { baseDir } = orchestrator
    const database = globals.database && withoutPassword(globals.database)
    if (screen.json) screen.value(defined({ pid: process.pid, baseDir, database }))
    else screen.line(`Serving ${inert(database ?? baseDir)} as process ${process.pid} (Ctrl-C stops it)`)
    await noteWaitingRuns(orchestrator, screen)
    // To the command that started it in the background, unless that was ended meanwhile.
    if (process.connected) process.send?.('serving', () => {})
    await Promise.race([closed, failed])
  } finally {
    clearInterval(keepAlive)
    over.abort()
    await opened[Symbol.asyncDispose]()
  }
}

/** Throws InvalidInputError where the agents of the database live in workers. */
async function refuseWorkers(database: string): Promise<void> {
  const { WorkerTable } = await import('../../cluster/worker-table.ts')
  if (!(await WorkerTable.areIn(database))) return
  throw new InvalidInputError({
    what: 'serve',
    problem: 'the agents of this database live in workers, which resume their tasks themselves',
    hint: 'Start another worker: claude-agents worker. See which there are: claude-agents cluster workers',
  })
}

/** Calls back once the orchestrator has had nothing to do for so long. */
async function watchIdleness(
  orchestrator: Orchestrator,
  timeoutMs: number,
  signal: AbortSignal,
  end: () => void,
): Promise<void> {
  if (timeoutMs === Number.POSITIVE_INFINITY) return
  const since = systemClock.now()
  for (let idle = 0; idle < timeoutMs; ) {
    await pause(systemClock, Math.max(timeoutMs - idle, LEAST_WAIT_MS), signal)
    if (signal.aborted) return
    // What cannot be read now may be read later.
    idle = await idleMs(orchestrator, since, systemClock.now()).catch(() => 0)
  }
  end()
}

const LEAST_WAIT_MS = 1000
