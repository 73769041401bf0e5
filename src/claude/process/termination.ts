/** How processes are ended: asked first, then killed, and at last everything that carries their mark. */
import { type Clock, pause } from '../../clock.ts'
import type { ProcessIdentity } from '../runner.ts'
import { descendantsOf, isRunning, type ProcessEntry, type ProcessTable } from './table.ts'

export interface TerminationContext {
  readonly table: ProcessTable
  readonly clock: Clock
  /** How long a process has for ending by itself once it was asked to. */
  readonly graceMs: number
  /** Sends a signal; a test replaces it. */
  readonly kill?: (pid: number, signal: NodeJS.Signals) => void
}

/** How often one looks whether a process that is not our child still runs. */
const LOOK_EVERY_MS = 100
/** A process that was killed is gone within this, unless the system itself hangs. */
const KILLED_WITHIN_MS = 5_000

/** Resolves when the process has ended, or when the signal aborts. Polls: nobody is told of a foreign process's end. */
export async function waitForEnd(
  identity: ProcessIdentity,
  context: Pick<TerminationContext, 'table' | 'clock'>,
  signal?: AbortSignal,
): Promise<void> {
  while (!signal?.aborted && (await isRunning(context.table, identity))) {
    await pause(context.clock, LOOK_EVERY_MS, signal)
  }
}

/**
 * Ends one process and all that it has started as far as that is known: SIGTERM, a grace, SIGKILL. `ended` resolves
 * when the process is gone; without it that is looked for. The descendants are noted first: once their parent has
 * ended nothing leads to them any more.
 */
export async function terminate(
  identity: ProcessIdentity,
  context: TerminationContext,
  ended?: Promise<unknown>,
): Promise<void> {
  const { table, clock, graceMs } = context
  const kill = context.kill ?? signalProcess
  const family = descendantsOf(identity.pid, await table.entries())
  const giveUp = new AbortController()
  const gone = ended ?? waitForEnd(identity, context, giveUp.signal)
  if (ended || (await isRunning(table, identity))) kill(identity.pid, 'SIGTERM')
  if (!(await within(clock, graceMs, gone))) {
    if (ended || (await isRunning(table, identity))) kill(identity.pid, 'SIGKILL')
    await within(clock, KILLED_WITHIN_MS, gone)
  }
  giveUp.abort()
  await killAll(family, context)
}

/** Kills those of the processes that still run, and waits until they are gone. */
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
  if (left.length > 0) await within(context.clock, KILLED_WITHIN_MS, gone)
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

/** It may have ended in between, or belong to somebody else: then there is nothing to do. */
function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {}
}
