/** One lane for each actor: its states as spans, calls, retries and failures as marks, and the moment as a line. */
import { useEffect, useRef } from 'preact/hooks'
import type { Lane, MarkKind, TimelineView } from '../inspector-view.ts'
import { Icon } from './icons.tsx'
import { actor, axis, columns, goTo, position, range, timeline, zoom } from './state.ts'
import { clock, duration, nameOf, number } from './words.ts'

const HEIGHT = 20

export function Lanes() {
  const seen = timeline.value
  const area = useRef<HTMLDivElement>(null)
  useWidth(area)
  const toMoment = (event: PointerEvent) => {
    const box = area.current?.getBoundingClientRect()
    if (!box || !seen) return
    goTo(positionAt(seen, (event.clientX - box.left) / box.width))
  }
  return (
    <section class="card lanes" aria-label="Timeline">
      <header>
        <h2>Timeline</h2>
        <p class="extent">{seen && extent(seen)}</p>
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
          disabled={range.value === null}
          title="The whole log (0)"
          onClick={() => {
            range.value = null
          }}
        >
          Fit
        </button>
      </header>
      <div class="scroll">
        <div class="grid">
          {seen?.lanes.map((lane) => (
            <Row key={lane.stream} lane={lane} width={seen.columns} />
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
              if (!(event.ctrlKey || event.metaKey) || !seen) return
              event.preventDefault()
              const box = event.currentTarget.getBoundingClientRect()
              zoom(event.deltaY > 0 ? 1.25 : 0.8, positionAt(seen, (event.clientX - box.left) / box.width))
            }}
          >
            {seen && <Playhead seen={seen} />}
          </div>
        </div>
        {(seen?.moreLanes ?? 0) > 0 && (
          <p class="empty">{number(seen?.moreLanes ?? 0)} more lanes: find them by name.</p>
        )}
        {seen?.lanes.length === 0 && <p class="empty">Nothing has happened yet.</p>}
      </div>
      <footer class="legend" aria-hidden="true">
        <span>
          <i class="key span-call" /> busy
        </span>
        <span>
          <i class="key span-warn" /> waits to retry
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

function Row({ lane, width }: { readonly lane: Lane; readonly width: number }) {
  return (
    <>
      <button
        type="button"
        class="label"
        aria-pressed={actor.value === lane.stream}
        title={lane.stream}
        onClick={() => {
          actor.value = actor.value === lane.stream ? '' : lane.stream
        }}
      >
        {lane.kind === 'run' ? <em>run</em> : null} {nameOf(lane.stream)}
      </button>
      <svg
        class="lane"
        viewBox={`0 0 ${width} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={laneText(lane)}
      >
        {lane.spans.map(([from, to, status, tone]) => (
          <rect
            key={from}
            class={`span-${tone} is-${status}`}
            x={from}
            width={to - from}
            y={5}
            height={HEIGHT - 10}
            rx={to - from > 5 ? 2 : 0}
          >
            <title>{status}</title>
          </rect>
        ))}
        {lane.marks.map(([x, kind, count]) => (
          <path key={`${x} ${kind}`} class={`mark-${kind}`} d={MARKS[kind](x + 0.5)}>
            <title>{count === 1 ? kind : `${number(count)} × ${kind}`}</title>
          </path>
        ))}
      </svg>
    </>
  )
}

const MIDDLE = HEIGHT / 2

const MARKS: Readonly<Record<MarkKind, (x: number) => string>> = {
  call: (x) => `M${x - 2} ${MIDDLE}a2 2 0 104 0a2 2 0 10-4 0`,
  retry: (x) => `M${x} ${MIDDLE - 5}l4 5-4 5-4-5z`,
  answer: (x) => `M${x} ${MIDDLE - 5}v10`,
  failure: (x) => `M${x - 4} ${MIDDLE - 4}l8 8M${x + 4} ${MIDDLE - 4}l-8 8`,
}

const laneText = ({ stream, spans, marks }: Lane): string => {
  const count = (wanted: MarkKind) =>
    marks.reduce((sum, [, kind, found]) => sum + (kind === wanted ? found : 0), 0)
  return `${stream}: ${count('call')} calls, ${count('retry')} retries, ${count('failure')} failures, in the end ${spans.at(-1)?.[2] ?? 'nothing'}`
}

/** Where the moment is, from 0 to 1; outside of that it is not in sight. */
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

function Playhead({ seen }: { readonly seen: TimelineView }) {
  const share = shareOf(seen, position.value)
  return share < 0 || share > 1 ? null : <div class="playhead" style={{ left: `${share * 100}%` }} />
}

function extent({ from, to, fromMs, toMs }: TimelineView): string {
  return `${number(from)} to ${number(to)}, ${clock(fromMs)} to ${clock(toMs)} (${duration(toMs - fromMs)})`
}

/** The server makes the lanes for as many columns as there are pixels. */
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
