/** Loads what the log's page shows, whenever the selection or the log changes. */
import { computed, effect } from '@preact/signals'
import { ask, latest } from '../shell/ask.ts'
import { head, indexed, noteGrowth, problem } from '../shell/state.ts'
import * as page from './state.ts'

/** The shortest time between two redraws of the lanes and the overview of a growing log. */
const REDRAW_MS = 250
/** While a long log is being indexed, moments are shown rarely: each one slows down indexing. */
const MOMENT_WHILE_INDEXING_MS = 400

/** Loads until the returned function is called. */
export function startLoading(): () => void {
  const loadMoment = latest(async () => {
    // While following, the server chooses the position: the end has moved on by now.
    const at = page.following.peek() ? '' : page.position.peek()
    await reportingProblems(async () => {
      const moment = await ask('moment', { at, ...page.filter.peek(), ...subject() })
      page.moment.value = moment
      noteGrowth(moment.log.head, moment.log.indexed)
      // An address can name a fact that the log does not have.
      if (at !== '' && at > moment.log.head && at === page.position.peek())
        page.position.value = moment.log.head
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
        stream: page.actor.peek(),
        removed: page.withRemoved.peek() ? 1 : '',
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

  let nextMoment = 0
  let redrawing: ReturnType<typeof setTimeout> | undefined
  const known = computed(() => {
    const log = page.moment.value?.log
    return `${log?.streams} ${log?.types}`
  })
  const stops = [
    // If the page follows, it moves to the new end.
    effect(() => {
      const [last, all] = [indexed.value, head.value]
      if (!page.following.value || (last < all && performance.now() < nextMoment)) return
      nextMoment = performance.now() + MOMENT_WHILE_INDEXING_MS
      page.position.value = last
    }),
    effect(() => {
      for (const signal of [page.position, page.filter, page.actorsText, page.aspect]) signal.value
      page.keepInSight()
      loadMoment()
    }),
    effect(() => {
      for (const signal of [page.shownRange, page.axis, page.columns, page.actorsText]) signal.value
      for (const signal of [page.actor, page.withRemoved]) signal.value
      loadTimeline()
    }),
    effect(() => {
      page.columns.value
      loadOverview()
    }),
    effect(() => {
      if (known.value !== '') loadNames()
    }),
    effect(() => {
      if (indexed.value === 0 || redrawing !== undefined) return
      redrawing = setTimeout(() => {
        redrawing = undefined
        loadOverview()
        loadTimeline()
        // The index had not reached the fact.
        if ((page.moment.peek()?.position ?? 0) < page.position.peek()) loadMoment()
      }, REDRAW_MS)
    }),
  ]
  return () => {
    clearTimeout(redrawing)
    for (const stop of stops) stop()
  }
}

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
const barCount = () => Math.max(1, Math.min(400, page.columns.peek(), head.peek()))

const subject = () => ({
  actor: page.actor.peek(),
  actors: page.actorsText.peek(),
  history: page.aspect.peek() === 'history' ? 1 : '',
})

/** Shows the failure of `work` on the page, or that there is no problem any more. */
async function reportingProblems(work: () => Promise<void>): Promise<void> {
  try {
    await work()
    problem.value = ''
  } catch (error) {
    problem.value = error instanceof Error ? error.message : String(error)
  }
}
