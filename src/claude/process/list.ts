/** Finds the processes of calls in the process table, by the markers that each of them carries. */

import { realpath } from 'node:fs/promises'
import { uptime } from 'node:os'
import { relative, resolve, sep } from 'node:path'
import { checkArgument } from '../../events/options/decoding.ts'
import { HOME_MARKER } from '../../workspaces/directories.ts'
import { CALL_MARKER, TASK_MARKER } from '../environment.ts'
import type { CallProcesses, ProcessIdentity } from '../runner.ts'
import { type ProcessEntry, type ProcessTable, systemProcessTable } from './table.ts'

/** `agents/<id>/home` below the base. A store inside an agent's workspace is a different store. */
const HOME_OF_AGENT = /^agents[\\/]([^\\/]+)[\\/]home$/

/**
 * The calls of a base directory that have running processes, oldest first. Needs no store, only the process table.
 * Finds nothing except on Linux, because other systems do not expose environments.
 */
export async function callProcesses(
  baseDir: string,
  table: ProcessTable = systemProcessTable,
): Promise<readonly CallProcesses[]> {
  const bases = [resolve(baseDir), await realpath(baseDir).catch(() => baseDir)]
  const calls = new Map<string, { agent: string; taskId: string | null; entries: ProcessEntry[] }>()
  for (const entry of await table.entries()) {
    if (entry.ended) continue
    const markers = await table.environment(entry.pid)
    const callId = markers?.get(CALL_MARKER)
    const agent = agentOf(bases, markers?.get(HOME_MARKER))
    if (!markers || callId === undefined || agent === null) continue
    const call = calls.get(callId) ?? { agent, taskId: markers.get(TASK_MARKER) ?? null, entries: [] }
    calls.set(callId, call)
    call.entries.push(entry)
  }
  return [...calls]
    .map(([callId, { agent, taskId, entries }]) => {
      const root = rootOf(entries)
      const { pid, startTime } = root
      return { agent, taskId, callId, pid, startTime, ageMs: ageOf(root), others: entries.length - 1 }
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

/**
 * The root of the call's processes: its parent is none of them. If several qualify (the first has exited), the
 * oldest.
 */
function rootOf(entries: readonly ProcessEntry[]): ProcessEntry {
  const pids = new Set(entries.map(({ pid }) => pid))
  const roots = entries.filter(({ parentPid }) => !pids.has(parentPid))
  return (roots.length > 0 ? roots : entries).reduce((one, other) =>
    ageOf(other) > ageOf(one) ? other : one,
  )
}

/** The kernel's unit, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** How long a process has been running, in ms; 0 if the start time cannot be parsed. */
export function ageOf({ startTime }: Pick<ProcessIdentity, 'startTime'>): number {
  if (startTime === null) return 0
  const age = /^\d+$/.test(startTime)
    ? (uptime() - Number(startTime) / TICKS_PER_SECOND) * 1000
    : Date.now() - Date.parse(startTime)
  return Number.isFinite(age) ? Math.max(0, Math.round(age)) : 0
}

/** A call with running processes. Only the owner of the store can tell whether the log knows the call. */
export interface ListedProcess {
  readonly agent: string
  readonly taskId: string | null
  readonly callId: string
  readonly pid: number
  readonly ageMs: number
  readonly others: number
}

/**
 * Reads only the process table: opens no store and takes no lock. Finds nothing except on Linux, because other
 * systems do not expose environments.
 */
export async function listProcesses(baseDir: string): Promise<readonly ListedProcess[]> {
  checkArgument('The base directory', baseDir, 'a text')
  return (await callProcesses(baseDir)).map(({ startTime: _, ...listed }) => listed)
}
