/** The slider over the whole log, with the write activity above it, and the totals at the shown moment. */

import { dollars } from '../../../events/figures.ts'
import { clock, day, number, tokens } from '../parts/words.ts'
import { Icon } from '../shell/icons.tsx'
import { head, indexed } from '../shell/state.ts'
import { step } from './loading.ts'
import { goTo, moment, overviewBars, position } from './state.ts'

export function Scrubber() {
  const at = moment.value?.at ?? ''
  return (
    <section class="scrubber" aria-label="Moment">
      <div class="steps">
        <Step name="first" title="First fact (Home)" onClick={() => goTo(1)} />
        <Step name="previous" title="Previous fact (←)" onClick={() => step(-1)} />
        <Step name="next" title="Next fact (→)" onClick={() => step(1)} />
        <Step name="last" title="Last fact (End)" onClick={() => goTo(head.peek())} />
        <Step name="problem" title="Next problem (e)" onClick={() => step(1, 'problems')} />
      </div>
      <p class="where">
        <strong>{number(position.value)}</strong> <span>of {number(head.value)}</span>
        <time dateTime={at} title={`${day(at)}, ${at}`}>
          {clock(at)}
        </time>
      </p>
      <div class="slider">
        <Overview />
        <input
          type="range"
          aria-label="Position in the log"
          aria-valuetext={`${position.value} of ${head.value}, ${clock(at)}`}
          min={Math.min(1, head.value)}
          max={Math.max(1, head.value)}
          value={position.value}
          onInput={({ currentTarget }) => goTo(Math.min(Number(currentTarget.value), indexed.peek()))}
        />
      </div>
      <Sums />
    </section>
  )
}

function Step({
  name,
  title,
  onClick,
}: {
  name: Parameters<typeof Icon>[0]['name']
  title: string
  onClick: () => unknown
}) {
  return (
    <button type="button" class="quiet round" title={title} aria-label={title} onClick={onClick}>
      <Icon name={name} />
    </button>
  )
}

const HEIGHT = 30

function Overview() {
  const overview = overviewBars.value
  if (!overview) return <svg class="overview" aria-hidden="true" />
  const { facts, problems, broken } = overview
  const most = Math.max(1, ...facts)
  const bar = (count: number) =>
    count === 0 ? 0 : Math.max(3, Math.sqrt(count / most) * HEIGHT * (most === 1 ? 0.5 : 1))
  // A few bars have gaps between them; many form an outline.
  const width = facts.length > 150 ? 1 : 0.7
  const bars = (counts: readonly number[]) =>
    counts
      .map((count, x) => (count === 0 ? '' : `M${x} ${HEIGHT}h${width}v${-bar(count)}h${-width}z`))
      .join('')
  return (
    <svg
      class="overview"
      viewBox={`0 0 ${facts.length} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path class="facts" d={bars(facts)} />
      <path class="problems" d={bars(problems)} />
      {broken.map((brokenPosition) => (
        <rect
          class="problems"
          key={brokenPosition}
          x={((brokenPosition - 1) / overview.head) * facts.length}
          y="0"
          width="1"
          height={HEIGHT}
        />
      ))}
    </svg>
  )
}

function Sums() {
  const totals = moment.value?.totals
  if (!totals) return <dl class="sums" />
  const sums: readonly (readonly [string, string, string?])[] = [
    ['agents', number(totals.agents)],
    ['busy', number(totals.busy), totals.busy > 0 ? 'call' : ''],
    ['waiting', number(totals.waiting), totals.waiting > 0 ? 'warn' : ''],
    ['runs', number(totals.runs)],
    ['calls', number(totals.calls)],
    ['retries', number(totals.retries), totals.retries > 0 ? 'warn' : ''],
    ['failures', number(totals.failures), totals.failures > 0 ? 'bad' : ''],
    ['tokens', tokens(totals.tokens)],
    ['cost', dollars(totals.costUsd)],
  ]
  return (
    <dl class="sums">
      {sums.map(([name, value, tone]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class={tone ? `tone-${tone}` : ''}>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
