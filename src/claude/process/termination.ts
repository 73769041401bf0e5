/** Terminates processes (SIGTERM, a grace period, SIGKILL), and those that calls have left running, by their marker. */

import { realpath } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { type Clock, pause } from '../../clock.ts'
import { HOME_MARKER } from '../../workspaces/directories.ts'
import { CALL_MARKER } from '../environment.ts'
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

type Environment = ReadonlyMap<string, string>

/** Each round finds what was started during the one before. */
const ROUNDS = 10

/**
 * Kills every process of one call. Returns how many there were.
 *
 * @param first The process of the call, if it is known: none of the others is older, and only theirs are looked at.
 */
export function sweepCall(
  callId: string,
  context: TerminationContext,
  first: ProcessIdentity | null = null,
): Promise<number> {
  const isOfCall = (markers: Environment) => markers.get(CALL_MARKER) === callId
  return sweepProcesses(context, isOfCall, new Set(), ticksOf(first?.startTime))
}

/** The start of a process in the kernel's unit, which orders it among others; 0 if the system tells it otherwise. */
const ticksOf = (startTime: string | null = null) => Number(startTime) || 0

/** Kills the processes of all calls of a base directory except those in `keep`. Returns how many there were. */
export async function sweepBase(
  { baseDir, keep }: { readonly baseDir: string; readonly keep: readonly string[] },
  context: TerminationContext,
): Promise<number> {
  const bases = [resolve(baseDir), await realpath(baseDir).catch(() => baseDir)].map(
    (base) => `${base}${sep}`,
  )
  const isOurs = (markers: Environment) => bases.some((base) => markers.get(HOME_MARKER)?.startsWith(base))
  return sweepProcesses(context, isOurs, new Set(keep))
}

/**
 * Kills every process whose markers match. A kept call keeps all its descendants, whatever their markers: an agent
 * may itself run agents. We may be running in an agent ourselves, so we and our ancestors are spared too.
 */
async function sweepProcesses(
  context: TerminationContext,
  fits: (markers: Environment) => boolean,
  keep: ReadonlySet<string>,
  sinceTicks = 0,
): Promise<number> {
  const swept = new Set<string>()
  for (let round = 0; round < ROUNDS; round += 1) {
    const entries = (await context.table.entries()).filter((entry) => !entry.ended)
    const spared = new Set([...ancestorsOf(process.pid, entries), process.pid])
    const marked: ProcessEntry[] = []
    for (const entry of entries) {
      if (ticksOf(entry.startTime) < sinceTicks) continue
      const markers = await context.table.environment(entry.pid)
      if (!markers || !fits(markers)) continue
      if (!keep.has(markers.get(CALL_MARKER) ?? '')) marked.push(entry)
      else if (!spared.has(entry.pid))
        for (const kept of descendantsOf(entry.pid, entries)) spared.add(kept.pid)
    }
    const doomed = marked.filter((entry) => !spared.has(entry.pid))
    if (doomed.length === 0) break
    for (const entry of doomed) swept.add(`${entry.pid} ${entry.startTime}`)
    await killAll(doomed, context)
  }
  return swept.size
}

function ancestorsOf(pid: number, entries: readonly ProcessEntry[]): number[] {
  const parents = new Map(entries.map((entry) => [entry.pid, entry.parentPid]))
  const found: number[] = []
  for (let parent = parents.get(pid); parent && !found.includes(parent); parent = parents.get(parent)) {
    found.push(parent)
  }
  return found
}
