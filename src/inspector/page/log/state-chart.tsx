/** A state machine drawn as a ring, with its active state and the transition that led to it. */
import type { ActorView, ChartView } from '../../view.ts'

const WIDTH = 400
const HEIGHT = 236
const BOX = { width: 86, height: 30 }

interface Point {
  readonly x: number
  readonly y: number
}

interface Props {
  readonly chart: ChartView
  readonly status: string
  readonly last: ActorView['last']
}

export function StateChartCard({ chart, status, last }: Props) {
  const points = ring(chart)
  const edges = edgesOf(chart)
  const changed = last !== null && last.from !== last.to
  const isLast = (from: string, to: string) => changed && last.from === from && last.to === to
  const next = chart.transitions.filter(({ from }) => from === status)
  return (
    <div class="chart">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`State chart; the active state is ${status}`}
      >
        <defs>
          {['edge', 'edge-next', 'edge-last'].map((name) => (
            <marker
              key={name}
              id={name}
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="6.5"
              markerHeight="6.5"
              orient="auto"
            >
              <path class={`head ${name}`} d="M0 .8L7.4 4 0 7.2z" />
            </marker>
          ))}
        </defs>
        {edges.map(([from, to]) => {
          const kind = isLast(from, to) ? 'edge-last' : from === status ? 'edge-next' : 'edge'
          return (
            <path
              key={`${from} ${to}`}
              class={`edge ${kind}`}
              d={curve(points.get(from), points.get(to))}
              marker-end={`url(#${kind})`}
            />
          )
        })}
        {chart.states.map(({ name, tone }) => {
          const { x, y } = points.get(name) ?? { x: 0, y: 0 }
          const active = name === status
          return (
            <g
              key={name}
              class={`state tone-${tone}${active ? ' active' : ''}`}
              data-state={name}
              aria-current={active}
            >
              <rect
                x={x - BOX.width / 2}
                y={y - BOX.height / 2}
                width={BOX.width}
                height={BOX.height}
                rx="9"
              />
              <text x={x} y={y + 4}>
                {name}
              </text>
            </g>
          )
        })}
        {changed && (
          <text class="way" x={WIDTH / 2} y={HEIGHT / 2 + 4}>
            {last.type}
          </text>
        )}
      </svg>
      {next.length > 0 ? (
        <details class="next">
          <summary>Possible transitions</summary>
          <ul>
            {next.map(({ fact, to }) => (
              <li key={`${fact} ${to}`}>
                {fact} <span>{to === status ? 'stays' : `→ ${to}`}</span>
              </li>
            ))}
          </ul>
        </details>
      ) : (
        <p class="empty">Final state: no transitions.</p>
      )}
    </div>
  )
}

/** The states on an ellipse, the initial one on the left: a line between two of them never crosses a third. */
function ring({ initial, states }: ChartView): ReadonlyMap<string, Point> {
  const names = states.map(({ name }) => name)
  const start = Math.max(0, names.indexOf(initial))
  const [radiusX, radiusY] = [WIDTH / 2 - BOX.width / 2 - 4, HEIGHT / 2 - BOX.height / 2 - 6]
  return new Map(
    names.map((name, index) => {
      const angle = Math.PI + ((index - start) / names.length) * 2 * Math.PI
      return [name, { x: WIDTH / 2 + radiusX * Math.cos(angle), y: HEIGHT / 2 + radiusY * Math.sin(angle) }]
    }),
  )
}

function edgesOf({ transitions }: ChartView): readonly (readonly [string, string])[] {
  const pairs = new Map(transitions.map(({ from, to }) => [`${from} ${to}`, [from, to] as const]))
  return [...pairs.values()].filter(([from, to]) => from !== to)
}

/** A curve bent to one side, so that both directions between two states are visible. */
function curve(from: Point | undefined, to: Point | undefined): string {
  if (!from || !to) return ''
  const length = Math.hypot(to.x - from.x, to.y - from.y)
  const bend = Math.min(22, length / 7)
  const middle = {
    x: (from.x + to.x) / 2 - ((to.y - from.y) / length) * bend,
    y: (from.y + to.y) / 2 + ((to.x - from.x) / length) * bend,
  }
  const [start, end] = [border(from, middle), border(to, middle)]
  return `M${start.x} ${start.y}Q${middle.x} ${middle.y} ${end.x} ${end.y}`
}

/** The point where a line from the centre of a box leaves it. */
function border(box: Point, towards: Point): Point {
  const [dx, dy] = [towards.x - box.x, towards.y - box.y]
  const scale = Math.min(
    (BOX.width / 2 + 2) / Math.max(Math.abs(dx), 0.001),
    (BOX.height / 2 + 2) / Math.max(Math.abs(dy), 0.001),
  )
  return { x: Math.round((box.x + dx * scale) * 10) / 10, y: Math.round((box.y + dy * scale) * 10) / 10 }
}
