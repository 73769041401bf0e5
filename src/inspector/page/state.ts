/** What the page shows, as signals: where it stands in the log, what is selected, and what the server has told. */
import { computed, signal } from '@preact/signals'
import type { MomentView, NamesView, OverviewView, TimelineView } from '../view.ts'

/** The moment that the whole page shows: a position in the log. 0 before anything is known. */
export const position = signal(0)
/** The end of the log, and how far the server has read it. */
export const head = signal(0)
export const indexed = signal(0)
/** The page goes along with the end of the log. */
export const following = signal(true)
export const connected = signal(true)
export const problem = signal('')

export const text = signal('')
export const type = signal('')
export const stream = signal('')
export const filtered = computed(() => text.value !== '' || type.value !== '' || stream.value !== '')
export const filter = computed(() => ({ text: text.value, type: type.value, stream: stream.value }))

/** The actor that is looked at; empty for the one that the fact belongs to. */
export const actor = signal('')
export const actorsText = signal('')

export const moment = signal<MomentView | null>(null)
export const timelineLanes = signal<TimelineView | null>(null)
export const overviewLanes = signal<OverviewView | null>(null)

export const names = signal<NamesView>({ types: [], streams: [] })
/** What is shown of the actor. */
export const aspect = signal<'chart' | 'history' | 'state'>('chart')

export const axis = signal<'order' | 'time'>('order')
/** The part of the log that the lanes show; null for all of it. */
export const shownRange = signal<{ readonly from: number; readonly to: number } | null>(null)
/** How wide the lanes are, in pixels. */
export const columns = signal(800)

export const helpOpen = signal(false)

/** Sets the page to a moment. Whoever looks back does not want to be carried along. */
export function goTo(where: number): void {
  following.value = false
  position.value = Math.max(Math.min(1, head.value), Math.min(where, head.value))
}

export function toggleFollowing(): void {
  following.value = !following.value
  if (following.value) position.value = indexed.value
}

export function clearFilter(): void {
  text.value = ''
  type.value = ''
  stream.value = ''
}

const SMALLEST_RANGE = 20

/** Makes the part of the log that the lanes show smaller or larger, around a position. */
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

/** Moves the part that is shown so that it begins here, as far as the log reaches. */
function show(from: number, size: number): void {
  const first = Math.max(1, Math.min(from, indexed.value - size + 1))
  shownRange.value = { from: first, to: first + size - 1 }
}

/** Keeps the moment in sight. */
export function keepInSight(): void {
  const shown = shownRange.value
  if (!shown || (position.value >= shown.from && position.value <= shown.to)) return
  const size = shown.to - shown.from + 1
  show(position.value - Math.floor(size / 2), size)
}
