/** The process table of this machine: /proc on Linux, `ps` elsewhere. */
import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { soon, systemClock } from '../../clock.ts'
import { isLack, spawnWhenPossible, withDescriptors } from '../../workspaces/descriptors.ts'
import type { ProcessIdentity } from '../runner.ts'

export interface ProcessEntry {
  readonly pid: number
  readonly parentPid: number
  readonly startTime: string
  /** A zombie: exited but not reaped. Where pid 1 does not reap, orphans stay zombies for ever. */
  readonly ended: boolean
}

export interface ProcessTable {
  entries(): Promise<readonly ProcessEntry[]>
  entry(pid: number): Promise<ProcessEntry | null>
  /** The environment it was started with; null if it cannot be read. */
  environment(pid: number): Promise<ReadonlyMap<string, string> | null>
}

/** Whether this very process still runs: its pid may have been reused. */
export async function isRunning(table: ProcessTable, identity: ProcessIdentity): Promise<boolean> {
  const entry = await table.entry(identity.pid)
  return entry !== null && !entry.ended && entry.startTime === identity.startTime
}

/** All descendants of a process, as long as the chain of parents is unbroken. */
export function descendantsOf(pid: number, entries: readonly ProcessEntry[]): ProcessEntry[] {
  const children = new Map<number, ProcessEntry[]>()
  for (const entry of entries) {
    const siblings = children.get(entry.parentPid)
    if (siblings) siblings.push(entry)
    else children.set(entry.parentPid, [entry])
  }
  const found = new Map<number, ProcessEntry>()
  const parents = [pid]
  for (const parent of parents) {
    for (const child of children.get(parent) ?? []) {
      if (child.pid === pid || found.has(child.pid)) continue
      found.set(child.pid, child)
      parents.push(child.pid)
    }
  }
  return [...found.values()]
}

/** Parses /proc/<pid>/stat. The name is in parentheses, and may itself contain parentheses and spaces. */
export function parseStat(pid: number, stat: string): ProcessEntry | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, parentPid] = fields
  const startTime = fields[19]
  if (state === undefined || parentPid === undefined || startTime === undefined) return null
  return { pid, parentPid: Number(parentPid), startTime, ended: state === 'Z' || state === 'X' }
}

export function parseEnvironment(block: string): ReadonlyMap<string, string> {
  return new Map(
    block.split('\0').flatMap((entry) => {
      const equals = entry.indexOf('=')
      return equals > 0 ? [[entry.slice(0, equals), entry.slice(equals + 1)] as const] : []
    }),
  )
}

/** Parses the output of `ps -A -o pid=,ppid=,stat=,lstart=`. */
export function parseProcessList(output: string): ProcessEntry[] {
  return output.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S.*?)\s*$/.exec(line)
    if (!match) return []
    const [, pid, parentPid, state = '', startTime = ''] = match
    return [{ pid: Number(pid), parentPid: Number(parentPid), startTime, ended: state.startsWith('Z') }]
  })
}

/** A process may exit while it is being read: it then counts as absent. */
function nullIfGone(error: unknown): null {
  // It would count as absent though it runs.
  if (isLack(error)) throw error
  return null
}

/** Read at once: it is in memory, and to ask a thread for it costs three times as much. */
function statOf(pid: number): ProcessEntry | null {
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch (error) {
    return nullIfGone(error)
  }
}

/** How many processes are read before other work has its turn. */
const AT_ONCE = 64

async function readEntries(): Promise<readonly ProcessEntry[]> {
  const entries: ProcessEntry[] = []
  let read = 0
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    // Some of its names are not those of processes.
    if (!Number.isInteger(pid)) continue
    if (read > 0 && read % AT_ONCE === 0) await new Promise<void>((resolve) => soon(systemClock, resolve))
    read += 1
    const entry = statOf(pid)
    if (entry !== null) entries.push(entry)
  }
  return entries
}

export const linuxProcessTable: ProcessTable = {
  entries: () => withDescriptors(readEntries),
  entry: (pid) => withDescriptors(() => statOf(pid)),
  async environment(pid) {
    // Of a process that hangs, the system may keep us waiting for it.
    const block = await withDescriptors(() => readFile(`/proc/${pid}/environ`, 'utf8')).catch(nullIfGone)
    return block === null ? null : parseEnvironment(block)
  },
}

/** Other systems do not expose environments, so only descendants are found. */
export const portableProcessTable: ProcessTable = {
  async entries() {
    const { execa } = await import('execa')
    const { child } = await spawnWhenPossible(() =>
      execa('ps', ['-A', '-o', 'pid=,ppid=,stat=,lstart='], { reject: false, env: { LC_ALL: 'C' } }),
    )
    const { stdout } = await child
    return parseProcessList(stdout ?? '')
  },
  async entry(pid) {
    return (await portableProcessTable.entries()).find((entry) => entry.pid === pid) ?? null
  },
  environment: () => Promise.resolve(null),
}

export const systemProcessTable = process.platform === 'linux' ? linuxProcessTable : portableProcessTable
