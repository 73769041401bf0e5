/** An agent's calls as a tree of sessions: each session continues its parent, and a failed attempt is a side branch. */
import { dollars, duration } from '../../../events/figures.ts'
import type { SessionNode } from '../../view.ts'
import { clock } from '../parts/words.ts'
import { visitFact } from './address.ts'

const ROW = 40
const STEP = 16
const MIDDLE = ROW / 2

export function SessionTree({
  sessions,
  more,
}: {
  readonly sessions: readonly SessionNode[]
  readonly more: boolean
}) {
  if (sessions.length === 0) return <p class="empty">No calls yet.</p>
  const lanes = branches(sessions)
  const rows = new Map(sessions.map(({ sessionId }, row) => [sessionId, row]))
  const width = (Math.max(...lanes) + 1) * STEP + 6
  const node = (row: number) => ({ x: (lanes[row] ?? 0) * STEP + STEP / 2 + 2, y: row * ROW + MIDDLE })
  return (
    <div class="sessions">
      {more && <p class="empty">Only the newest calls are shown.</p>}
      <div class="tree-rows">
        <svg width={width} height={sessions.length * ROW} aria-hidden="true">
          {sessions.map(({ sessionId, parentSessionId }, row) => {
            const parent = rows.get(parentSessionId ?? '')
            return parent === undefined ? null : (
              <path key={sessionId} class="rail" d={rail(node(parent), node(row))} />
            )
          })}
          {sessions.map(({ sessionId, outcome }, row) => {
            const { x, y } = node(row)
            return <circle key={sessionId} class={`node is-${outcome}`} cx={x} cy={y} r="4.5" />
          })}
        </svg>
        <ol>
          {sessions.map((session) => (
            <li key={session.sessionId}>
              <CallLine call={session} name={session.asked || `Call at ${clock(session.startedAt)}`} />
            </li>
          ))}
        </ol>
      </div>
    </div>
  )
}

/** A call in one row: its name, outcome, duration and cost. */
export function CallLine({ call, name }: { readonly call: SessionNode; readonly name: string }) {
  const { position, endPosition, outcome, attempt, durationMs, costUsd, startedAt, problem } = call
  return (
    <button
      type="button"
      class="call"
      title={problem ?? `task ${call.taskId}, session ${call.sessionId}`}
      onClick={() => visitFact(endPosition ?? position)}
    >
      <span class="name">{name}</span>
      <span class={`outcome is-${outcome}`}>
        {outcome}
        {attempt > 1 ? `, attempt ${attempt}` : ''}
      </span>
      <span class="cost">{costUsd > 0 ? dollars(costUsd) : ''}</span>
      <span class="took">{durationMs === null ? '…' : duration(durationMs)}</span>
      <span class={problem ? 'why tone-bad' : 'why'}>{problem ?? clock(startedAt)}</span>
    </button>
  )
}

/** The branch of each session: the first one that continues its parent stays on the parent's branch, others fork off. */
function branches(sessions: readonly SessionNode[]): readonly number[] {
  const lanes = new Map<string, number>()
  const continued = new Set<string>()
  return sessions.map(({ sessionId, parentSessionId, outcome }) => {
    const parent = parentSessionId ?? ''
    const straight = (outcome === 'succeeded' || outcome === 'open') && !continued.has(parent)
    if (straight) continued.add(parent)
    const lane = (lanes.get(parent) ?? 0) + (straight ? 0 : 1)
    lanes.set(sessionId, lane)
    return lane
  })
}

function rail(from: { x: number; y: number }, to: { x: number; y: number }): string {
  if (from.x === to.x) return `M${from.x} ${from.y}V${to.y}`
  const turn = to.y - MIDDLE
  return `M${from.x} ${from.y}V${turn - 6}Q${from.x} ${to.y} ${to.x} ${to.y}`
}
