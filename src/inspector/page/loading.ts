/** Loads what the page shows, whenever the selection or the log changes. */
import { computed, effect } from '@preact/signals'
import { ask, latest } from './ask.ts'
import * as page from './state.ts'

/** The shortest time between two redraws of the lanes and the overview of a growing log. */
const REDRAW_MS = 250

export function startLoading(): void {
  const loadMoment = latest(async () => {
    // While following, the server chooses the position: the end has moved on by now.
    const at = page.following.peek() ? '' : page.position.peek()
    await reportingProblems(async () => {
      const moment = await ask('moment', { at, ...page.filter.peek(), ...subject() })
      page.moment.value = moment
      noteLog(moment.log.head, moment.log.indexed)
    })
  })
  const loadTimeline = latest(() =>
    reportingProblems(async () => {
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
    reportingProblems(async () => {
      page.names.value = await ask('names', {})
    }),
  )
  const loadOverview = latest(() =>
    reportingProblems(async () => {
      page.overviewBars.value = await ask('overview', { columns: barCount() })
    }),
  )

  effect(() => {
    for (const signal of [page.position, page.filter, page.actor, page.actorsText, page.aspect]) signal.value
    page.keepInSight()
    loadMoment()
  })
  effect(() => {
    for (const signal of [page.shownRange, page.axis, page.columns, page.actorsText]) signal.value
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
    }, REDRAW_MS)
  })
}

/** Notes how far the log and the index have grown. If the page follows, it moves to the new end. */
export function noteLog(head: number, indexed: number): void {
  page.head.value = Math.max(head, page.head.peek())
  page.indexed.value = Math.max(indexed, page.indexed.peek())
  if (!page.following.peek()) return
  // While a long log is being indexed, moments are shown rarely: each one slows down indexing.
  const indexing = page.indexed.peek() < page.head.peek()
  if (indexing && performance.now() < nextMoment) return
  nextMoment = performance.now() + MOMENT_WHILE_INDEXING_MS
  page.position.value = page.indexed.peek()
}

const MOMENT_WHILE_INDEXING_MS = 400
let nextMoment = 0

/** Moves `by` facts: among the matches or, with `within`, among the facts of a stream or the `problems`. */
export async function step(by: number, within = ''): Promise<void> {
  if (within === '' && !page.filtered.peek()) return page.goTo(page.position.peek() + by)
  await reportingProblems(async () => {
    const at = page.position.peek()
    const moment = await ask('moment', { at, step: by, within, ...page.filter.peek(), ...subject() })
    page.moment.value = moment
    if (moment.position !== at) page.goTo(moment.position)
  })
}

/** At most one bar per fact. */
const barCount = () => Math.max(1, Math.min(400, page.columns.peek(), page.head.peek()))

const subject = () => ({
  actor: page.actor.peek(),
  actors: page.actorsText.peek(),
  history: page.aspect.peek() === 'history' ? 1 : '',
})

/** Shows the failure of `work` on the page, or that there is no problem any more. */
async function reportingProblems(work: () => Promise<void>): Promise<void> {
  try {
    await work()
    page.problem.value = ''
  } catch (error) {
    page.problem.value = error instanceof Error ? error.message : String(error)
  }
}
