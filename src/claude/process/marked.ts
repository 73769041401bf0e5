/** The processes of calls, as the system's table shows them: by the marks that every process of a call carries. */

import { realpath } from 'node:fs/promises'
import { uptime } from 'node:os'
import { relative, resolve, sep } from 'node:path'
import { HOME_MARKER } from '../../workspaces/directories.ts'
import { CALL_MARKER, TASK_MARKER } from '../environment.ts'
import type { CallProcesses, ProcessIdentity } from '../runner.ts'
import { type ProcessEntry, type ProcessTable, systemProcessTable } from './table.ts'

/** `agents/<id>/home` below the base. A store in an agent's workspace is another one. */
const HOME_OF_AGENT = /^agents[\\/]([^\\/]+)[\\/]home$/

/**
 * The calls of a base directory of which processes run, oldest first. Needs no store: only what the system tells.
 * Where environments may not be read (any system but Linux) nothing is found.
 */
export async function callProcesses(
  baseDir: string,
  table: ProcessTable = systemProcessTable,
): Promise<readonly CallProcesses[]> {
  const bases = [resolve(baseDir), await realpath(baseDir).catch(() => baseDir)]
  const calls = new Map<string, { agent: string; taskId: string | null; entries: ProcessEntry[] }>()
  for (const entry of await table.entries()) {
    if (entry.ended) continue
    const marks = await table.environment(entry.pid)
    const callId = marks?.get(CALL_MARKER)
    const agent = agentOf(bases, marks?.get(HOME_MARKER))
    if (!marks || callId === undefined || agent === null) continue
    const call = calls.get(callId) ?? { agent, taskId: marks.get(TASK_MARKER) ?? null, entries: [] }
    calls.set(callId, call)
    call.entries.push(entry)
  }
  return [...calls]
    .map(([callId, { agent, taskId, entries }]) => {
      const first = firstOf(entries)
      const { pid, startTime } = first
      return { agent, taskId, callId, pid, startTime, ageMs: ageOf(first), others: entries.length - 1 }
    })
    .sort((one, other) => other.ageMs - one.ageMs || one.pid - other.pid)
}

function agentOf(bases: readonly string[], home: string | undefined): string | null {
  if (home === undefined) return null
  for (const base of bases) {
    const found = home.startsWith(`${base}${sep}`) && HOME_OF_AGENT.exec(relative(base, home))
    if (found) return found[1] ?? null
  }
  return null
}

/** The one that started the others: its parent is none of them. Of several (the first has ended) the oldest. */
function firstOf(entries: readonly ProcessEntry[]): ProcessEntry {
  const pids = new Set(entries.map(({ pid }) => pid))
  const roots = entries.filter(({ parentPid }) => !pids.has(parentPid))
  return (roots.length > 0 ? roots : entries).reduce((one, other) =>
    ageOf(other) > ageOf(one) ? other : one,
  )
}

/** What the kernel counts in, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** How long a process has been running, in ms; 0 where the system's words for it are not understood. */
export function ageOf({ startTime }: Pick<ProcessIdentity, 'startTime'>): number {
  if (startTime === null) return 0
  const age = /^\d+$/.test(startTime)
    ? (uptime() - Number(startTime) / TICKS_PER_SECOND) * 1000
    : Date.now() - Date.parse(startTime)
  return Number.isFinite(age) ? Math.max(0, Math.round(age)) : 0
}
