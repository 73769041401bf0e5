/** What the agents of a run did in it to their files: in the turns that were its steps. */
import { type FilesDiff, filesTurns } from '../../../actors/agent/files.ts'
import { agentKind } from '../../../actors/agent/machine.ts'
import type { StoredCopies } from '../../../actors/agent/moving/copies.ts'
import { foldStream } from '../../../actors/engine/history.ts'
import type { AgentRunner } from '../../../claude/runner.ts'
import { NO_FILES } from '../../../events/agent-facts.ts'
import { streamName } from '../../../events/ids.ts'
import type { EventStore } from '../../../store/event-store.ts'
import type { AgentDirectories } from '../../../workspaces/directories.ts'
import type { FileChange } from '../../../workspaces/files/file-history.ts'
import type { RecordedStep } from '../recorded-steps.ts'

/** What each agent of a run did to its files; those that never had any are left out. */
export interface RunDiff {
  readonly runId: string
  readonly agents: readonly AgentRunDiff[]
}

/** From the first turn to the last. What was done between these in other turns, or by hand, is not in `files`. */
export interface AgentRunDiff extends FilesDiff {
  /** The changes as `git apply` takes them, if they were asked for. */
  readonly patch?: string
}

/** What is compared. */
export interface RunDiffOptions {
  /** Whether to add the patches. Default: false. */
  readonly patch?: boolean
}

export interface RunFilesEnvironment {
  readonly store: EventStore
  readonly runner: AgentRunner
  readonly directories: (agent: string) => AgentDirectories
  /** Of agents that live on another machine. */
  readonly copies?: StoredCopies | undefined
}

/** From one snapshot to another without a change by anyone else. */
interface Stretch {
  readonly from: string
  readonly to: string
}

export async function runDiff(
  { store, runner, directories, copies }: RunFilesEnvironment,
  runId: string,
  steps: Iterable<RecordedStep>,
  { patch: withPatch = false }: RunDiffOptions = {},
): Promise<RunDiff> {
  const { files } = runner
  const agents: AgentRunDiff[] = []
  for (const [agent, tasks] of tasksByAgent(steps)) {
    const stretches = await stretchesOf(store, agent, tasks)
    const [first, last] = [stretches[0], stretches.at(-1)]
    if (!files || !first || !last || (first.from === NO_FILES && last.to === NO_FILES)) continue
    const { context } = (await foldStream(agentKind, store, streamName('agent', agent))).snapshot
    const copy = await copies?.of(agent, context)
    const place = { agent, directories: copy?.directories ?? directories(agent) }
    const changes: (readonly FileChange[])[] = []
    const patches: string[] = []
    for (const { from, to } of stretches) {
      changes.push(await files.changes(place, from, to))
      if (withPatch) patches.push(await files.patch(place, from, to))
    }
    const diff = { agent, base: first.from, head: last.to, files: together(changes) }
    agents.push(withPatch ? { ...diff, patch: patches.join('') } : diff)
  }
  return { runId, agents }
}

/** In the order of their first steps. An answer that was carried over belongs to another run. */
function tasksByAgent(steps: Iterable<RecordedStep>): ReadonlyMap<string, ReadonlySet<string>> {
  const tasks = new Map<string, Set<string>>()
  for (const { worker, taskId, carriedFrom } of steps)
    if (carriedFrom === null) tasks.set(worker, (tasks.get(worker) ?? new Set()).add(taskId))
  return tasks
}

async function stretchesOf(store: EventStore, agent: string, tasks: ReadonlySet<string>): Promise<Stretch[]> {
  const stretches: Stretch[] = []
  for (const { taskId, before, after } of (await filesTurns(store, streamName('agent', agent))).turns) {
    if (!tasks.has(taskId)) continue
    const last = stretches.at(-1)
    if (last?.to === before) stretches.splice(-1, 1, { from: last.from, to: after })
    else stretches.push({ from: before, to: after })
  }
  return stretches
}

/** Several differences, one after another, as one by path. */
function together([first = [], ...others]: readonly (readonly FileChange[])[]): readonly FileChange[] {
  if (others.length === 0) return first
  const files = new Map<string, FileChange>()
  for (const change of [first, ...others].flat()) {
    const { path, status, added, removed } = change
    const before = files.get(path)
    const isNew = (before ?? change).status === 'added'
    const isGone = status === 'removed'
    const sum = (one: number | null | undefined, other: number | null) =>
      one === null || other === null ? null : (one ?? 0) + other
    files.set(path, {
      path,
      status: isNew ? 'added' : isGone ? 'removed' : 'changed',
      added: sum(before?.added, added),
      removed: sum(before?.removed, removed),
    })
    if (isNew && isGone) files.delete(path)
  }
  return [...files.values()].sort((one, other) => (one.path < other.path ? -1 : 1))
}
