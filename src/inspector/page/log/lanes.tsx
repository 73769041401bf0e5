/** The timeline, one lane per actor: states as spans; calls, retries and failures as marks; the moment as a line. */

import { useEffect, useRef } from 'preact/hooks'
import { duration } from '../../../events/figures.ts'
import type { Lane, MarkKind, TimelineView } from '../../view.ts'
import { clock, number, several } from '../parts/words.ts'
import { Icon } from '../shell/icons.tsx'
import {
  actor,
  axis,
  columns,
  goTo,
  position,
  shownRange,
  timelineLanes,
  withRemoved,
  zoom,
} from './state.ts'

const HEIGHT = 20

export function Lanes() {
  const view = timelineLanes.value
  const area = useRef<HTMLDivElement>(null)
  useWidth(area)
  const toMoment = (event: PointerEvent) => {
    const box = area.current?.getBoundingClientRect()
    if (!box || !view) return
    goTo(positionAt(view, (event.clientX - box.left) / box.width))
  }
  return (
    <section class="card lanes" aria-label="Timeline">
      <header>
        <h2>Timeline</h2>
        <p class="extent">{view && extent(view)}</p>
        <fieldset class="switch">
          <legend class="hidden">Axis</legend>
          {(['order', 'time'] as const).map((name) => (
            <button
              type="button"
              key={name}
              aria-pressed={axis.value === name}
              onClick={() => {
                axis.value = name
              }}
            >
              {name === 'order' ? 'By fact' : 'By time'}
            </button>
          ))}
        </fieldset>
        <button
          type="button"
          class="quiet round"
          title="Zoom out (−)"
          aria-label="Zoom out"
          onClick={() => zoom(2)}
        >
          <Icon name="minus" />
        </button>
        <button
          type="button"
          class="quiet round"
          title="Zoom in (+)"
          aria-label="Zoom in"
          onClick={() => zoom(0.5)}
        >
          <Icon name="plus" />
        </button>
        <button
          type="button"
          class="quiet"
          disabled={shownRange.value === null}
          title="Show the whole log (0)"
          onClick={() => {
            shownRange.value = null
          }}
        >
          Fit
        </button>
      </header>
      <div class="scroll">
        <div class="grid">
          {view?.lanes.map((lane) => (
            <Row key={lane.stream} lane={lane} view={view} />
          ))}
          <div
            class="area"
            ref={area}
            onPointerDown={(event) => {
              event.currentTarget.setPointerCapture(event.pointerId)
              toMoment(event)
            }}
            onPointerMove={(event) => {
              if (event.buttons === 1) toMoment(event)
            }}
            onWheel={(event) => {
              if (!(event.ctrlKey || event.metaKey) || !view) return
              event.preventDefault()
              const box = event.currentTarget.getBoundingClientRect()
              zoom(event.deltaY > 0 ? 1.25 : 0.8, positionAt(view, (event.clientX - box.left) / box.width))
            }}
          >
            {view && <Playhead view={view} />}
          </div>
        </div>
        {(view?.moreLanes ?? 0) > 0 && (
          <p class="empty">{number(view?.moreLanes ?? 0)} more lanes: search for actors by name.</p>
        )}
        {((view?.removedLanes ?? 0) > 0 || withRemoved.value) && (
          <p class="empty">
            <button
              type="button"
              class="link"
              aria-pressed={withRemoved.value}
              onClick={() => {
                withRemoved.value = !withRemoved.value
              }}
            >
              {withRemoved.value
                ? 'Hide removed copies of agents'
                : `Show ${several(view?.removedLanes ?? 0, 'removed copy', 'removed copies')}`}
            </button>
          </p>
        )}
        {view?.lanes.length === 0 && <p class="empty">Nothing has happened yet.</p>}
      </div>
      <footer class="legend" aria-hidden="true">
        <span>
          <i class="key span-call" /> busy
        </span>
        <span>
          <i class="key span-warn" /> held, or waiting to retry
        </span>
        <span>
          <i class="key span-bad" /> failed
        </span>
        <span>
          <i class="key span-good" /> succeeded
        </span>
        <span>
          <i class="key span-plain" /> idle
        </span>
        <span>
          <b class="mark-call">●</b> call
        </span>
        <span>
          <b class="mark-retry">◆</b> retry
        </span>
        <span>
          <b class="mark-failure">✕</b> failure
        </span>
      </footer>
    </section>
  )
}

function Row({ lane, view }: { readonly lane: Lane; readonly view: TimelineView }) {
  return (
    <>
      <button
        type="button"
        class="label"
        aria-pressed={actor.value === lane.stream}
        title={lane.asked === '' ? lane.stream : `${lane.stream}: ${lane.asked}`}
        onClick={() => {
          actor.value = actor.value === lane.stream ? '' : lane.stream
        }}
      >
        {lane.kind === 'run' ? <em>run</em> : null} {lane.label}
      </button>
      <svg
        class="lane"
        viewBox={`0 0 ${view.columns} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={laneText(lane, view)}
      >
        {view.statuses.map(({ name, tone }, number) => (
          <path key={name} class={`span-${tone} is-${name}`} d={bars(lane, number)} />
        ))}
        {MARK_KINDS.map((kind) => (
          <path
            key={kind}
            class={`mark-${kind}`}
            d={(lane.marks[kind] ?? []).map(lane.crowded ? tick : MARKS[kind]).join('')}
          />
        ))}
      </svg>
    </>
  )
}

/** All spans of a state as one path: ten thousand shapes would make the page slow. */
const bars = ({ spans }: Lane, wanted: number): string =>
  spans
    .filter(([, , status]) => status === wanted)
    .map(([from, to]) => `M${from} 5h${to - from}v${HEIGHT - 10}h${from - to}z`)
    .join('')

const MIDDLE = HEIGHT / 2
const MARK_KINDS = ['answer', 'call', 'retry', 'failure'] as const

const MARKS: Readonly<Record<MarkKind, (column: number) => string>> = {
  call: (x) => `M${x - 1.5} ${MIDDLE}a2 2 0 104 0a2 2 0 10-4 0`,
  retry: (x) => `M${x + 0.5} ${MIDDLE - 5}l4 5-4 5-4-5z`,
  answer: (x) => `M${x + 0.5} ${MIDDLE - 5}v10`,
  failure: (x) => `M${x - 3.5} ${MIDDLE - 4}l8 8m0-8l-8 8`,
}

/** The mark of a crowded lane. */
const tick = (x: number) => `M${x + 0.5} 1v3`

function laneText({ kind, label, spans, counts }: Lane, { statuses }: TimelineView): string {
  const { call = 0, retry = 0, failure = 0 } = counts
  const last = statuses[spans.at(-1)?.[2] ?? 0]?.name
  return `${kind} ${label}: ${call} calls, ${retry} retries, ${failure} failures; last state: ${last || 'none'}`
}

/** Where a position is on the lanes, from 0 to 1; outside of that range it is not visible. */
function shareOf({ from, to, axis: shown, positions, columns: width }: TimelineView, at: number): number {
  if (shown === 'order') return (at - from + 0.5) / (to - from + 1)
  const column = positions.findIndex((end) => end >= at)
  return (column < 0 ? width : column + 0.5) / width
}

function positionAt(
  { from, to, axis: shown, positions, columns: width }: TimelineView,
  share: number,
): number {
  const inside = Math.min(0.999999, Math.max(0, share))
  if (shown === 'order') return from + Math.floor(inside * (to - from + 1))
  return positions[Math.floor(inside * width)] ?? to
}

function Playhead({ view }: { readonly view: TimelineView }) {
  const share = shareOf(view, position.value)
  return share < 0 || share > 1 ? null : <div class="playhead" style={{ left: `${share * 100}%` }} />
}

function extent({ from, to, fromMs, toMs }: TimelineView): string {
  return `${number(from)} to ${number(to)}, ${clock(fromMs)} to ${clock(toMs)} (${duration(toMs - fromMs)})`
}

/** Keeps the number of columns equal to the width of the lanes. */
function useWidth(area: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    if (!area.current) return
    const observer = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0)
      if (width > 0) columns.value = width
    })
    observer.observe(area.current)
    return () => observer.disconnect()
  }, [])
}
