/** Terminates processes: SIGTERM, a grace period, SIGKILL. */
import { type Clock, pause } from '../../clock.ts'
import type { ProcessIdentity } from '../runner.ts'
import { descendantsOf, isRunning, type ProcessEntry, type ProcessTable } from './table.ts'

export interface TerminationContext {
  readonly table: ProcessTable
  readonly clock: Clock
  /** Milliseconds between SIGTERM and SIGKILL. */
  readonly graceMs: number
  /** Sends a signal; tests replace it. */
  readonly kill?: (pid: number, signal: NodeJS.Signals) => void
}

/** How often to poll a process that is not our child. */
const POLL_EVERY_MS = 100
/** A killed process is gone within this time, unless the system itself hangs. */
const KILL_TIMEOUT_MS = 5_000

/** Resolves when the process has ended, or when the signal aborts. Polls, because only a parent is notified. */
export async function waitForEnd(
  identity: ProcessIdentity,
  context: Pick<TerminationContext, 'table' | 'clock'>,
  signal?: AbortSignal,
): Promise<void> {
  while (!signal?.aborted && (await isRunning(context.table, identity))) {
    await pause(context.clock, POLL_EVERY_MS, signal)
  }
}

/**
 * Terminates a process and its descendants: SIGTERM, a grace period, SIGKILL. `ended` resolves when the process is
 * gone; without it, the process table is polled. The descendants are listed first, because once their parent is gone
 * nothing leads to them.
 */
export async function terminate(
  identity: ProcessIdentity,
  context: TerminationContext,
  ended?: Promise<unknown>,
): Promise<void> {
  const { table, clock, graceMs } = context
  const kill = context.kill ?? signalProcess
  const descendants = descendantsOf(identity.pid, await table.entries())
  const giveUp = new AbortController()
  const gone = ended ?? waitForEnd(identity, context, giveUp.signal)
  if (ended || (await isRunning(table, identity))) kill(identity.pid, 'SIGTERM')
  if (!(await within(clock, graceMs, gone))) {
    if (ended || (await isRunning(table, identity))) kill(identity.pid, 'SIGKILL')
    await within(clock, KILL_TIMEOUT_MS, gone)
  }
  giveUp.abort()
  await killAll(descendants, context)
}

/** Kills the processes that still run, and waits until they are gone. */
export async function killAll(
  processes: readonly ProcessEntry[],
  context: TerminationContext,
): Promise<void> {
  const kill = context.kill ?? signalProcess
  const left: ProcessEntry[] = []
  for (const entry of processes) {
    if (!(await isRunning(context.table, entry))) continue
    kill(entry.pid, 'SIGKILL')
    left.push(entry)
  }
  const giveUp = new AbortController()
  const gone = Promise.all(left.map((entry) => waitForEnd(entry, context, giveUp.signal)))
  if (left.length > 0) await within(context.clock, KILL_TIMEOUT_MS, gone)
  giveUp.abort()
}

/** Whether the promise settles within that time. */
export async function within(clock: Clock, delayMs: number, promise: Promise<unknown>): Promise<boolean> {
  const over = new AbortController()
  const settled = promise.then(
    () => true,
    () => true,
  )
  const late = pause(clock, delayMs, over.signal).then(() => false)
  const inTime = await Promise.race([settled, late])
  over.abort()
  return inTime
}

/** It may have exited meanwhile, or belong to another user: either way there is nothing to do. */
function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {}
}
