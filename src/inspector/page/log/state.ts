/** The state of the log's page, as signals: its position, what is selected, and the responses of the server. */
import { computed, signal } from '@preact/signals'
import type { MomentView, NamesView, OverviewView, TimelineView } from '../../view.ts'
import { head, indexed } from '../shell/state.ts'

/** The position in the log that the whole page shows; 0 until the first response. */
export const position = signal(0)
/** Whether the page follows the end of the log. */
export const following = signal(true)

export const text = signal('')
export const type = signal('')
/** The stream of the chosen actor; empty for all. Facts and timeline show only what belongs to it. */
export const actor = signal('')
export const filtered = computed(() => text.value !== '' || type.value !== '' || actor.value !== '')
export const filter = computed(() => ({ text: text.value, type: type.value, stream: actor.value }))
export const actorsText = signal('')

export const moment = signal<MomentView | null>(null)
/** The stream of the actor that is shown; empty for none. */
export const subject = computed(() => actor.value || (moment.value?.fact?.stream ?? ''))
export const timelineLanes = signal<TimelineView | null>(null)
export const overviewBars = signal<OverviewView | null>(null)

export const names = signal<NamesView>({ types: [], streams: [] })
/** What is shown below the lanes. */
export const pane = signal<'facts' | 'files' | 'changes'>('facts')
/** Whether all changes since the agent began are shown, and not only those of the moment. */
export const sinceBeginning = signal(false)
/** The search in the paths of files. */
export const filesText = signal('')
/** The key of the file that is shown; empty for none. It stays chosen when the moment changes. */
export const file = signal('')
/** The files that can be chosen, in their order. */
export const listedFiles = signal<readonly string[]>([])

/** Which view of the actor is shown. */
export const aspect = signal<'chart' | 'history' | 'state'>('chart')

export const axis = signal<'order' | 'time'>('order')
/** The range of the log that the lanes show; null for all of it. */
export const shownRange = signal<{ readonly from: number; readonly to: number } | null>(null)
/** The width of the lanes, in pixels. */
export const columns = signal(800)

/** Whether the lanes show copies of agents that were removed. */
export const withRemoved = signal(false)

/** Moves the page to a position, and stops following the log. */
export function goTo(target: number): void {
  following.value = false
  position.value = Math.max(Math.min(1, head.value), Math.min(target, head.value))
}

export function toggleFollowing(): void {
  following.value = !following.value
}

/** Shows the files or the changes of the actor; if they are shown, the facts again. */
export function togglePane(name: 'files' | 'changes'): void {
  pane.value = pane.value === name ? 'facts' : name
}

/** Chooses the file that comes `by` files later in the list. */
export function chooseFile(by: number): void {
  const files = listedFiles.value
  const at = files.indexOf(file.value)
  const next = at < 0 ? 0 : Math.max(0, Math.min(files.length - 1, at + by))
  file.value = files[next] ?? ''
}

export function clearFilter(): void {
  text.value = ''
  type.value = ''
  actor.value = ''
}

const SMALLEST_RANGE = 20

/** Scales the range that the lanes show, around a position. */
export function zoom(factor: number, around = position.value): void {
  const end = Math.max(1, indexed.value)
  const { from, to } = shownRange.value ?? { from: 1, to: end }
  const length = Math.round((to - from + 1) * factor)
  if (length >= end) {
    shownRange.value = null
    return
  }
  const size = Math.max(Math.min(SMALLEST_RANGE, end), length)
  const share = (Math.min(Math.max(around, from), to) - from) / Math.max(1, to - from)
  show(Math.round(around - share * size), size)
}

/** Shows a range of the lanes, moved to where the log ends if it reaches further. */
function show(from: number, size: number): void {
  const first = Math.max(1, Math.min(from, indexed.value - size + 1))
  shownRange.value = { from: first, to: first + size - 1 }
}

/** Scrolls the lanes so that the position is visible. */
export function keepInSight(): void {
  const shown = shownRange.value
  if (!shown || (position.value >= shown.from && position.value <= shown.to)) return
  const size = shown.to - shown.from + 1
  show(position.value - Math.floor(size / 2), size)
}
