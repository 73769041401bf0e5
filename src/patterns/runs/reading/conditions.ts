/**
 * What lists say of runs: what they are about and how long they took, and what those are doing now that the log has as
 * running: executed by this process, held, or waiting for a process.
 */
import type { AgentSystem } from '../../../actors/agent/system.ts'
import { waitingTasks } from '../../../actors/agent/tasks/held.ts'
import type { Bodies } from '../../../actors/engine/bodies.ts'
import type { Recorded } from '../../../events/envelope.ts'
import { runFacts } from '../../../events/run-facts.ts'
import type { EventStore } from '../../../store/event-store.ts'
import type { RunStatus } from '../machine.ts'
import type { RunDriver, RunInfo } from '../options.ts'

/** In characters. */
const LONGEST_TOPIC = 200

const ENDED: ReadonlySet<RunStatus> = new Set(['succeeded', 'failed', 'cancelled'])

/** The position of a run's first fact, with what its first and its latest fact say. */
export async function courseOf(
  { store, now }: { readonly store: EventStore; readonly now: number },
  stream: string,
  bodies: Bodies,
  status: RunStatus,
  isActive: boolean,
): Promise<{ readonly position: number } & Pick<RunInfo, 'topic' | 'startedAt' | 'endedAt' | 'durationMs'>> {
  let first: Recorded | undefined
  for await (const recorded of store.read(stream, { limit: 1 })) first = recorded
  if (!first) return { position: 0, topic: '', startedAt: null, endedAt: null, durationMs: 0 }
  let latest = first
  for await (const recorded of store.read(stream, { direction: 'backwards' })) {
    latest = recorded
    // A call that was cut off may tell what it has cost when the run is long over.
    if (recorded.type !== 'StepCostRecorded') break
  }
  const end = isActive ? now : Date.parse(latest.at)
  const durationMs = Math.max(0, end - Date.parse(first.at))
  return {
    position: first.position,
    topic: await topicOf(first, bodies),
    startedAt: first.at,
    endedAt: ENDED.has(status) ? latest.at : null,
    durationMs,
  }
}

/** The first line of its prompt; empty if the prompt is no longer in the store. */
async function topicOf(started: Recorded, bodies: Bodies): Promise<string> {
  const { type, data } = runFacts.read(started)
  if (type !== 'RunStarted') return ''
  const prompt = await bodies.read(data.prompt).catch(() => '')
  const [line = ''] = prompt.trim().split(/[\r\n]/, 1)
  return line.slice(0, LONGEST_TOPIC)
}

/** @param driverOf Who executes a run, or why no process does. */
export async function atPresent<Info extends RunInfo>(
  runs: readonly Info[],
  agents: AgentSystem,
  driverOf: (runId: string) => Promise<RunDriver>,
): Promise<readonly Info[]> {
  if (!runs.some(({ status }) => status === 'running')) return runs
  const held = await heldSteps(agents)
  return Promise.all(
    runs.map(async (run) => {
      const { runId, status, steps, done } = run
      if (status !== 'running') return run
      const driven = await driverOf(runId)
      const driver = 'driver' in driven ? driven.driver : null
      if (steps > done && held.get(runId) === steps - done)
        return { ...run, status: 'held', reason: 'held', driver }
      return 'reason' in driven ? { ...run, status: 'waiting', reason: driven.reason } : { ...run, driver }
    }),
  )
}

/** How many steps of each run are held. Looks only at agents that have held tasks. */
async function heldSteps(agents: AgentSystem): Promise<ReadonlyMap<string, number>> {
  const steps = new Map<string, number>()
  for (const { id, held } of await agents.list({ open: true })) {
    if (held === 0) continue
    const { context } = await agents.stateOf(id)
    for (const { runId } of waitingTasks(context).map(({ task }) => task))
      if (runId !== undefined) steps.set(runId, (steps.get(runId) ?? 0) + 1)
  }
  return steps
}
