/** States of actors as `replay` shows them. */
import type { AgentSnapshot } from '../../actors/agent/machine.ts'
import type { AnyReplayStep } from '../../actors/engine/history.ts'
import type { SupervisorSnapshot } from '../../actors/supervision/machine.ts'
import { jsonLine } from '../../events/hidden-characters.ts'
import type { Json } from '../../events/json.ts'
import type { RunSnapshot } from '../../patterns/runs/machine.ts'
import { inert } from '../terminal/text.ts'

type Snapshot = AnyReplayStep['after']

/** The JSON of a state, by the kind of its actor. */
const VIEWS: Readonly<Record<string, (snapshot: Snapshot) => object>> = {
  agent({ value, context }: AgentSnapshot) {
    const { current, queue, session, totals } = context
    return {
      status: value,
      currentSession: session,
      current: current && { taskId: current.taskId, attempt: current.attempt, dueAt: current.dueAt },
      queue: queue.map(({ taskId }) => taskId),
      totals,
    }
  },
  run({ value, context: { name, steps, done, costUsd } }: RunSnapshot) {
    return { status: value, name, steps, done, costUsd }
  },
  supervisor({ value, context: { rules, parent, specs, running, children } }: SupervisorSnapshot) {
    const all = Object.values(children).flatMap((bucket) => Object.values(bucket))
    return {
      status: value,
      parent,
      strategy: rules?.strategy ?? null,
      specs,
      running,
      children: all
        .sort((one, other) => one.order - other.order)
        .map(({ data, status, restarts, dueAt }) => ({ id: data.id, status, restarts, dueAt })),
    }
  },
}

/** An actor of the user's has its state as it is. */
const plainView = ({ value, context }: Snapshot) => ({ status: value, context })

export function stateView(stream: string, snapshot: Snapshot): object {
  const view = VIEWS[stream.slice(0, stream.indexOf('/'))] ?? plainView
  return view(snapshot)
}

/** A nested state has a name of several parts. */
export const stateName = ({ value }: Snapshot): string =>
  inert(typeof value === 'string' ? value : jsonLine(value))

/** The value of a state and its context in one object. */
export const stateOf = ({ value, context }: Snapshot) =>
  ({ value, ...(context as object) }) as unknown as { readonly [name: string]: Json }
