/** `log` and `replay`: looking at what happened. Neither changes anything. */
import type { AgentSnapshot, Recorded, RunSnapshot } from '../index.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'
import { inert, jsonLine, type Terminal } from './terminal.ts'

export interface LogOptions {
  readonly stream?: string
  readonly after?: number
  readonly limit?: number
}

export async function log(globals: GlobalOptions, { stream, after, limit }: LogOptions) {
  if (!hasStore(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const range = { ...(after === undefined ? {} : { after }), ...(limit === undefined ? {} : { limit }) }
    for await (const recorded of orchestrator.log(stream === undefined ? range : { ...range, stream })) {
      if (terminal.json) terminal.value(recorded)
      else terminal.line(logLine(terminal, recorded))
    }
  })
}

export async function replay(globals: GlobalOptions, stream: string, { to }: { to?: number }) {
  if (!hasStore(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    for await (const { recorded, before, after } of orchestrator.replay(
      stream,
      to === undefined ? {} : { to },
    )) {
      const { version, type } = recorded
      if (terminal.json) terminal.value({ version, type, before: stateView(before), after: stateView(after) })
      else
        terminal.line(
          `${String(version).padStart(5)}  ${type.padEnd(18)}  ${transition(terminal, before, after)}`,
        )
    }
  })
}

type Snapshot = AgentSnapshot | RunSnapshot

const isAgent = (snapshot: Snapshot): snapshot is AgentSnapshot => 'queue' in snapshot.context

/** What a state looks like from outside. */
function stateView(snapshot: Snapshot) {
  if (!isAgent(snapshot)) {
    const { name, steps, done, costUsd } = snapshot.context
    return { status: snapshot.value, name, steps, done, costUsd }
  }
  const { current, queue, session, totals } = snapshot.context
  return {
    status: snapshot.value,
    currentSession: session,
    current: current && { taskId: current.taskId, attempt: current.attempt, dueAt: current.dueAt },
    queue: queue.map(({ taskId }) => taskId),
    totals,
  }
}

function transition(terminal: Terminal, before: Snapshot, after: Snapshot): string {
  const state =
    before.value === after.value ? after.value : `${before.value} → ${terminal.style('bold', after.value)}`
  return `${state}${terminal.style('dim', detail(after))}`
}

function detail(snapshot: Snapshot): string {
  if (!isAgent(snapshot)) return `, ${snapshot.context.done} of ${snapshot.context.steps} steps`
  const { queue } = snapshot.context
  return queue.length > 0 ? `, ${queue.length} waiting` : ''
}

const LONGEST_DATA = 100

function logLine(terminal: Terminal, { position, at, stream, type, data }: Recorded): string {
  const text = inert(jsonLine(data))
  const shown = text.length > LONGEST_DATA ? `${text.slice(0, LONGEST_DATA)}…` : text
  const where = terminal.style('dim', `${String(position).padStart(6)}  ${at}`)
  return `${where}  ${stream}  ${terminal.style(colourOf(type), type)}  ${terminal.style('dim', shown)}`
}

function colourOf(type: string): 'green' | 'red' | 'yellow' | 'cyan' {
  if (/Succeeded|Created/.test(type)) return 'green'
  if (/Failed|Unknown|Lost/.test(type)) return 'red'
  if (/Retry|Cancelled|Reset|Stopped|Removed/.test(type)) return 'yellow'
  return 'cyan'
}
