/** Asks for what the page shows whenever what it should show has changed. */
import { computed, effect } from '@preact/signals'
import { ask, latest } from './ask.ts'
import * as page from './state.ts'

/** Lanes and overview of a growing log are drawn anew at most so often. */
const REDRAWN_MS = 250

export function startLoading(): void {
  const loadMoment = latest(async () => {
    // Whoever follows wants the end, wherever that is by now.
    const at = page.following.peek() ? '' : page.position.peek()
    await said(async () => {
      const moment = await ask('moment', { at, ...page.filter.peek(), ...subject() })
      page.moment.value = moment
      noteLog(moment.log.head, moment.log.indexed)
    })
  })
  const loadTimeline = latest(() =>
    said(async () => {
      const range = page.shownRange.peek() ?? {}
      page.timelineLanes.value = await ask('timeline', {
        ...range,
        axis: page.axis.peek(),
        columns: page.columns.peek(),
        actors: page.actorsText.peek(),
      })
    }),
  )
  const loadNames = latest(() =>
    said(async () => {
      page.names.value = await ask('names', {})
    }),
  )
  const loadOverview = latest(() =>
    said(async () => {
      page.overviewLanes.value = await ask('overview', { columns: barCount() })
    }),
  )

  effect(() => {
    for (const one of [page.position, page.filter, page.actor, page.actorsText, page.aspect]) one.value
    page.keepInSight()
    loadMoment()
  })
  effect(() => {
    for (const one of [page.shownRange, page.axis, page.columns, page.actorsText]) one.value
    loadTimeline()
  })
  effect(() => {
    page.columns.value
    loadOverview()
  })
  const known = computed(() => {
    const log = page.moment.value?.log
    return `${log?.streams} ${log?.types}`
  })
  effect(() => {
    if (known.value !== '') loadNames()
  })
  let redrawing = false
  effect(() => {
    if (page.indexed.value === 0 || redrawing) return
    redrawing = true
    setTimeout(() => {
      redrawing = false
      loadOverview()
      loadTimeline()
    }, REDRAWN_MS)
  })
}

/** What the log has become; the page goes along where it follows. */
export function noteLog(head: number, indexed: number): void {
  page.head.value = Math.max(head, page.head.peek())
  page.indexed.value = Math.max(indexed, page.indexed.peek())
  if (!page.following.peek()) return
  // A long log is shown while it is read, but not so often that reading it would take longer.
  const reading = page.indexed.peek() < page.head.peek()
  if (reading && performance.now() < nextShown) return
  nextShown = performance.now() + SHOWN_WHILE_READING_MS
  page.position.value = page.indexed.peek()
}

const SHOWN_WHILE_READING_MS = 400
let nextShown = 0

/** Goes to the next (1) or the previous (-1) fact: of those that match, of a stream, or of those that went wrong. */
export async function step(by: number, within = ''): Promise<void> {
  if (within === '' && !page.filtered.peek()) return page.goTo(page.position.peek() + by)
  await said(async () => {
    const at = page.position.peek()
    const moment = await ask('moment', { at, step: by, within, ...page.filter.peek(), ...subject() })
    page.moment.value = moment
    if (moment.position !== at) page.goTo(moment.position)
  })
}

/** A short log has a bar for each fact. */
const barCount = () => Math.max(1, Math.min(400, page.columns.peek(), page.head.peek()))

const subject = () => ({
  actor: page.actor.peek(),
  actors: page.actorsText.peek(),
  history: page.aspect.peek() === 'history' ? 1 : '',
})

async function said(work: () => Promise<void>): Promise<void> {
  try {
    await work()
    page.problem.value = ''
  } catch (error) {
    page.problem.value = error instanceof Error ? error.message : String(error)
  }
}
