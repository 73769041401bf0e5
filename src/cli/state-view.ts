/** What a state of an actor looks like from outside: as JSON, and in a line. */
import type { AgentSnapshot, AnyStep, RunSnapshot, SupervisorSnapshot } from '../index.ts'
import { inert, jsonLine, type Terminal } from './terminal.ts'

type Snapshot = AnyStep['after']

interface View {
  /** What is shown of it with `--json`. */
  readonly json: (snapshot: Snapshot) => object
  /** What follows the name of the state in a line. */
  readonly detail: (snapshot: Snapshot) => string
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
  detail: ({ context: { queue } }: AgentSnapshot) => (queue.length > 0 ? `, ${queue.length} waiting` : ''),
}

const RUN: View = {
  json({ value, context: { name, steps, done, costUsd } }: RunSnapshot) {
    return { status: value, name, steps, done, costUsd }
  },
  detail: ({ context: { done, steps } }: RunSnapshot) => `, ${done} of ${steps} steps`,
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
  detail: ({ context: { running, specs } }: SupervisorSnapshot) => `, ${running} of ${specs} run`,
}

/** Of an actor of the user's: the state as it is. */
const OTHER: View = {
  json: ({ value, context }) => ({ status: value, context }),
  detail: ({ context }) => shortened(`, ${inert(jsonLine(context))}`),
}

const VIEWS: Readonly<Record<string, View>> = { agent: AGENT, run: RUN, supervisor: SUPERVISOR }

const viewOf = (stream: string): View => VIEWS[stream.slice(0, stream.indexOf('/'))] ?? OTHER

/** What a state looks like as JSON. */
export const stateView = (stream: string, snapshot: Snapshot): object => viewOf(stream).json(snapshot)

/** What a fact has made of a state, in a line. */
export function transition(terminal: Terminal, { recorded, before, after }: AnyStep): string {
  const [from, to] = [nameOf(before), nameOf(after)]
  const state = from === to ? to : `${from} → ${terminal.style('bold', to)}`
  return `${state}${terminal.style('dim', viewOf(recorded.stream).detail(after))}`
}

/** A state within a state has a name of several parts. */
const nameOf = ({ value }: Snapshot): string => inert(typeof value === 'string' ? value : jsonLine(value))

const LONGEST_DETAIL = 100
const shortened = (text: string) =>
  text.length > LONGEST_DETAIL ? `${text.slice(0, LONGEST_DETAIL)}…` : text
