/** What a state of an actor looks like from outside. */
import type { AgentSnapshot } from '../actors/agent/machine.ts'
import type { AnyReplayStep } from '../actors/engine/replay.ts'
import type { SupervisorSnapshot } from '../actors/supervision/machine.ts'
import type { Json } from '../events/json.ts'
import type { RunSnapshot } from '../patterns/runs/machine.ts'
import { inert, jsonLine } from './terminal.ts'

type Snapshot = AnyReplayStep['after']

interface View {
  /** What is shown of it with `--json`. */
  readonly json: (snapshot: Snapshot) => object
}

const AGENT: View = {
  json({ value, context }: AgentSnapshot) {
    const { current, queue, session, totals } = context
    return {
      status: value,
      currentSession: session,
      current: current && { taskId: current.taskId, attempt: current.attempt, dueAt: current.dueAt },
      queue: queue.map(({ taskId }) => taskId),
      totals,
    }
  },
}

const RUN: View = {
  json({ value, context: { name, steps, done, costUsd } }: RunSnapshot) {
    return { status: value, name, steps, done, costUsd }
  },
}

const SUPERVISOR: View = {
  json({ value, context: { rules, parent, specs, running, children } }: SupervisorSnapshot) {
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

/** Of an actor of the user's: the state as it is. */
const OTHER: View = {
  json: ({ value, context }) => ({ status: value, context }),
}

const VIEWS: Readonly<Record<string, View>> = { agent: AGENT, run: RUN, supervisor: SUPERVISOR }

const viewOf = (stream: string): View => VIEWS[stream.slice(0, stream.indexOf('/'))] ?? OTHER

/** What a state looks like as JSON. */
export const stateView = (stream: string, snapshot: Snapshot): object => viewOf(stream).json(snapshot)

/** A state within a state has a name of several parts. */
export const stateName = ({ value }: Snapshot): string =>
  inert(typeof value === 'string' ? value : jsonLine(value))

/** The state and what it knows, side by side. */
export const stateOf = ({ value, context }: AnyReplayStep['after']) =>
  ({ value, ...(context as object) }) as unknown as { readonly [name: string]: Json }
