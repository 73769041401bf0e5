/** Kills what calls have left running: every process that carries their marker, however it was started. */

import { realpath } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { HOME_MARKER } from '../../workspaces/directories.ts'
import { CALL_MARKER } from '../environment.ts'
import { descendantsOf, type ProcessEntry } from './table.ts'
import { killAll, type TerminationContext } from './termination.ts'

type Environment = ReadonlyMap<string, string>

/** Each round finds what was started during the one before. */
const ROUNDS = 10

/** Kills every process of one call. Returns how many there were. */
export function sweepCall(callId: string, context: TerminationContext): Promise<number> {
  return sweepProcesses(context, (markers) => markers.get(CALL_MARKER) === callId, new Set())
}

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
): Promise<number> {
  const swept = new Set<string>()
  for (let round = 0; round < ROUNDS; round += 1) {
    const entries = (await context.table.entries()).filter((entry) => !entry.ended)
    const spared = new Set([...ancestorsOf(process.pid, entries), process.pid])
    const marked: ProcessEntry[] = []
    for (const entry of entries) {
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
