/** What was spent each day, as bars and as a table. */
import { dollars } from '../../../events/figures.ts'
import { dayName, number, several } from '../parts/words.ts'

interface SpendChartProps {
  readonly days: readonly number[]
  readonly spentUsd: readonly number[]
  readonly answers: readonly number[]
}

const HEIGHT = 90
const BAR = 20
const GAP = 8

export function SpendChart({ days, spentUsd, answers }: SpendChartProps) {
  const most = Math.max(...spentUsd, 0)
  const today = spentUsd.at(-1) ?? 0
  const sum = spentUsd.reduce((all, one) => all + one, 0)
  const width = days.length * (BAR + GAP) - GAP
  const heightOf = (spent: number) => (most === 0 ? 0 : Math.max(spent > 0 ? 2 : 0, (spent / most) * HEIGHT))
  return (
    <>
      <p class="spend-sums">
        <span>
          <strong class="big">{dollars(today)}</strong> today
        </span>
        <span>
          {dollars(sum)} in {several(days.length, 'day')}
        </span>
      </p>
      <svg
        class="spend"
        viewBox={`0 0 ${width} ${HEIGHT + 16}`}
        role="img"
        aria-label={`Spend by day: ${dollars(today)} today`}
      >
        {days.map((ms, at) => {
          const height = heightOf(spentUsd[at] ?? 0)
          const x = at * (BAR + GAP)
          return (
            <g key={ms} class={at === days.length - 1 ? 'today' : ''}>
              <title>{`${dayName(ms)}: ${dollars(spentUsd[at] ?? 0)}, ${several(answers[at] ?? 0, 'answer')}`}</title>
              <rect class="ground" x={x} y="0" width={BAR} height={HEIGHT} rx="3" />
              <rect class="amount" x={x} y={HEIGHT - height} width={BAR} height={height} rx="3" />
              {at % 2 === (days.length - 1) % 2 && (
                <text x={x + BAR / 2} y={HEIGHT + 12}>
                  {new Date(ms).getDate()}
                </text>
              )}
            </g>
          )
        })}
      </svg>
      <details class="spend-table">
        <summary>As a table</summary>
        <table>
          <thead>
            <tr>
              <th>Day</th>
              <th>Spent</th>
              <th>Answers</th>
            </tr>
          </thead>
          <tbody>
            {days
              .map((ms, at) => (
                <tr key={ms}>
                  <th scope="row">{dayName(ms)}</th>
                  <td>{dollars(spentUsd[at] ?? 0)}</td>
                  <td>{number(answers[at] ?? 0)}</td>
                </tr>
              ))
              .reverse()}
          </tbody>
        </table>
      </details>
    </>
  )
}
