/** One actor at a position of the log: its state folded from its facts, its chart, and its sessions or steps. */
import { type AccountState, pauseLeftMs } from '../actors/admission/account-machine.ts'
import { instant } from '../clock.ts'
import { ClaudeAgentError } from '../events/errors/base.ts'
import { ClosedError } from '../events/errors/usage.ts'
import { stateChart } from '../history/state-chart.ts'
import type { EventStore } from '../store/event-store.ts'
import { changeAt } from './facts.ts'
import { filesAt } from './files.ts'
import type { LogIndex } from './index/index.ts'
import { timeAt } from './index/moment.ts'
import { toneOfStatus } from './index/tones.ts'
import { foldTo, type StreamTrack } from './index/track.ts'
import { runAt } from './run.ts'
import { sessionsAt } from './sessions.ts'
import { bounded } from './text.ts'
import type { AccountView, ActorView, ChartView } from './view.ts'

/** null if the actor did not exist yet. */
export async function actorAt(
  store: EventStore,
  index: LogIndex,
  stream: string,
  position: number,
  /** Whether to look up its calls or steps as well. */
  withHistory: boolean,
): Promise<ActorView | null> {
  const track = index.track(stream)
  const last = track?.lastUpTo(position) ?? 0
  if (!track || last === 0) return null
  const version = index.table.version(last)
  const status = index.table.status(last)
  const { label, asked } = track
  const known = { stream, label, asked, version, status, tone: toneOfStatus(status), chart: chartOf(track) }
  const change = changeAt(index, last)
  const type = index.table.type(last)
  const [from, to] = change ?? [status, status]
  const rest = { ...known, last: { type, from, to, at: timeAt(index, last) } }
  const nothing = { context: null, files: null, sessions: [], moreSessions: false, run: null }
  const { damage } = track
  if (damage && version >= damage.version) return { ...rest, ...nothing, problem: damage.problem }
  try {
    const state = await foldTo(store, track, version)
    const kind = withHistory ? track.actorKind : ''
    const { sessions, more } =
      kind === 'agent' ? await sessionsAt(store, stream, version) : { sessions: [], more: false }
    const run = kind === 'run' ? await runAt(store, index, stream, version, position) : null
    const context = state ? bounded(state.context, 'context').data : null
    const files = filesAt(index, track, position, state)
    return { ...rest, context, files, sessions, moreSessions: more, run, problem: null }
  } catch (error) {
    if (!(error instanceof ClaudeAgentError) || error instanceof ClosedError) throw error
    return { ...rest, ...nothing, problem: error.summary }
  }
}

/** More than a program uses. */
const MOST_ACCOUNTS = 20

/** The accounts of which anything was known. */
export async function accountsAt(
  store: EventStore,
  index: LogIndex,
  position: number,
): Promise<readonly AccountView[]> {
  const views: AccountView[] = []
  const now = Date.parse(timeAt(index, position))
  for (const track of index.tracks
    .filter(({ actorKind }) => actorKind === 'account')
    .slice(0, MOST_ACCOUNTS)) {
    const last = track.lastUpTo(position)
    if (last === 0 || track.damage) continue
    const state = await foldTo(store, track, index.table.version(last))
    if (!state) continue
    const { account, windows, said, pauses } = state.context as unknown as AccountState
    const leftMs = pauseLeftMs(pauses, now)
    views.push({ account, windows, said, waitsUntil: leftMs > 0 ? instant(now + leftMs) : null })
  }
  return views
}

const charts = new WeakMap<object, ChartView>()

function chartOf({ kind }: StreamTrack): ChartView | null {
  if (!kind) return null
  const known = charts.get(kind)
  if (known) return known
  const { states, ...chart } = stateChart(kind.fold.machine)
  const view = { ...chart, states: states.map((name) => ({ name, tone: toneOfStatus(name) })) }
  charts.set(kind, view)
  return view
}
