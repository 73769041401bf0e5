/** The invariants of a log after any number of crashes, as checks that throw. */
import assert from 'node:assert/strict'
import { agentKind } from '../actors/agent/machine.ts'
import { endsTask } from '../actors/agent/tasks/known-tasks.ts'
import { foldStream, recordedState } from '../actors/engine/history.ts'
import type { Call } from '../claude/runner.ts'
import type { Orchestrator } from '../orchestrator.ts'
import { runKind } from '../patterns/runs/machine.ts'
import type { EventStore } from '../store/event-store.ts'

/** Checks that no position and no version is missing, and that each accepted task has exactly one outcome. */
export async function checkLog(store: EventStore): Promise<void> {
  const versions = new Map<string, number>()
  const outcomes = new Map<string, string[]>()
  let position = 0
  for await (const recorded of store.readAll()) {
    const { stream, type, data } = recorded
    assert.equal(recorded.position, ++position, 'the log has a gap')
    versions.set(stream, (versions.get(stream) ?? 0) + 1)
    assert.equal(recorded.version, versions.get(stream), `${stream} has a gap`)
    if (typeof data.taskId !== 'string' || !stream.startsWith('agent/')) continue
    const task = `${data.taskId} of ${stream}`
    if (type === 'TaskAccepted') outcomes.set(task, [])
    else if (endsTask(recorded, data.taskId)) outcomes.get(task)?.push(type)
  }
  for (const [task, ends] of outcomes)
    assert.equal(ends.length, 1, `${task} has the outcomes ${JSON.stringify(ends)}`)
}

/**
 * Checks that nothing was answered, and so paid for, twice. A step may have had more than one task, and whatever a run asked
 * is one of its steps. What follows a decision of a person is a part of its own.
 */
export async function checkAnsweredOnce(store: EventStore, answered: readonly Call[]): Promise<void> {
  const steps = await stepsOfTasks(store)
  const units = new Set<string>()
  for (const { agent, taskId, prompt, resumes } of answered) {
    const whole = steps.get(taskId) ?? `task ${taskId} of ${agent}`
    const unit = resumes ? `${whole} after ${resumes.toolUseId}` : whole
    assert.ok(!units.has(unit), `${agent} answered ${unit} twice: ${JSON.stringify(prompt.slice(0, 60))}`)
    units.add(unit)
  }
}

async function stepsOfTasks(store: EventStore): Promise<Map<string, string>> {
  const steps = new Map<string, string>()
  for await (const { stream, type, data } of store.readAll()) {
    if (type === 'StepScheduled') steps.set(String(data.taskId), `step ${data.stepKey} of ${stream}`)
    if (type === 'TaskAccepted' && typeof data.runId === 'string')
      assert.ok(steps.has(String(data.taskId)), `${data.taskId} of ${stream} is no step of run ${data.runId}`)
  }
  return steps
}

/** Checks that each live state, and each summary in the list of streams, equals the fold of its facts. */
export async function checkReplay(orchestrator: Orchestrator): Promise<void> {
  const { store } = orchestrator
  for (const { id } of await orchestrator.agents()) {
    const { value, context } = (await orchestrator.agent(id)).snapshot
    const { snapshot } = await foldStream(agentKind, withoutSnapshots(store), `agent/${id}`)
    assert.deepEqual({ value, context }, plain(snapshot), `agent ${id} differs from the fold of its facts`)
  }
  for await (const { stream, summary } of store.streams({ prefix: 'run/' })) {
    const { snapshot } = await foldStream(runKind, withoutSnapshots(store), stream)
    assert.deepEqual(
      summary,
      recordedState(runKind, snapshot),
      `${stream} differs from the fold of its facts`,
    )
  }
}

const plain = ({ value, context }: { value: unknown; context: unknown }) => ({ value, context })

/** Makes folds begin at the first fact. */
const withoutSnapshots = (store: EventStore): EventStore => ({
  ...store,
  snapshots: { ...store.snapshots, load: async () => undefined },
})
