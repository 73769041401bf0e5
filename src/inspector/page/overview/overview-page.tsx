/** The overview: what runs, what needs a person, what failed today, and what was spent. */

import { useState } from 'preact/hooks'
import { dollars } from '../../../events/figures.ts'
import type { FailureLine, SummaryView, WorkLine } from '../../view.ts'
import { inbox } from '../inbox/inbox-state.ts'
import { Took } from '../parts/time.tsx'
import { clock, INBOX_KINDS, isChosenId, minute, number, several } from '../parts/words.ts'
import { useLiveAnswer } from '../shell/answers.ts'
import { usePageTitle } from '../shell/page-title.ts'
import { addressOf } from '../shell/router.ts'
import { lastDays } from './days.ts'
import { SpendChart } from './spend-chart.tsx'

const DAYS = 14

export function OverviewPage() {
  usePageTitle('Overview')
  const [days] = useState(() => lastDays(new Date(), DAYS))
  const { answer, problem } = useLiveAnswer('summary', { days: days.join(',') })
  return (
    <>
      <h1 class="hidden">Overview</h1>
      {problem !== '' && <p class="notice bad">{problem}</p>}
      <div class="tiles">
        <NeedsYou />
        <Running summary={answer} />
        <Failed summary={answer} />
        <section class="card sheet" aria-labelledby="spend">
          <h2 id="spend">Spend by day</h2>
          {answer && <SpendChart days={days} spentUsd={answer.spentUsd} answers={answer.answers} />}
        </section>
        <Ended summary={answer} />
      </div>
    </>
  )
}

interface Tile {
  readonly summary: SummaryView | null
}

function NeedsYou() {
  const view = inbox.value?.problem === null ? inbox.value : null
  const entries = view?.entries ?? []
  const count = entries.length + (view?.more ?? 0)
  return (
    <section class={count > 0 ? 'card sheet tile needs' : 'card sheet tile'} aria-labelledby="needs-you">
      <h2 id="needs-you">
        Needs you <span class="big">{view ? number(count) : ''}</span>
      </h2>
      {view && count === 0 && <p class="empty">Nothing waits for a person.</p>}
      <ul class="lines">
        {entries.slice(0, 5).map(({ id, kind, agent, run, question }) => (
          <li key={id}>
            <a href="/inbox">
              <strong>{agent ?? run ?? id}</strong> <span class="tone-warn">{INBOX_KINDS[kind]}</span>
              <span class="about">{question}</span>
            </a>
          </li>
        ))}
      </ul>
      {count > 0 && (
        <p>
          <a class="button" href="/inbox">
            Open the inbox
          </a>
        </p>
      )}
    </section>
  )
}

function Running({ summary }: Tile) {
  const working = summary?.working ?? []
  return (
    <section class="card sheet tile" aria-labelledby="running">
      <h2 id="running">
        Running now <span class="big">{summary ? number(working.length + summary.moreWorking) : ''}</span>
      </h2>
      {summary && working.length === 0 && <p class="empty">No run is under way, and no agent is busy.</p>}
      <ul class="lines">
        {working.slice(0, 8).map((line) => (
          <li key={line.stream}>
            <a href={`/${line.stream}`}>
              <i class={`dot tone-${line.tone} status-${line.status}`} /> <Named line={line} />
              <span class="about">
                {line.kind === 'run' ? `${number(line.done)} of ${several(line.load, 'step')}` : line.status},{' '}
                <Took since={line.since} until={null} />
                {line.costUsd > 0 && `, ${dollars(line.costUsd)}`}
              </span>
              {line.kind === 'run' && (
                <progress
                  max={Math.max(1, line.load)}
                  value={line.done}
                  aria-label={`Steps of ${line.label}`}
                />
              )}
            </a>
          </li>
        ))}
      </ul>
      {working.length > 8 && (
        <p>
          <a class="link" href="/runs?status=running">
            Show all
          </a>
        </p>
      )}
    </section>
  )
}

/** What people call an actor, and what was asked of it. */
function Named({ line: { id, label, asked } }: { readonly line: WorkLine }) {
  return (
    <>
      <strong>{label}</strong> {label !== id && isChosenId(id) && <span class="id">{id}</span>}
      {asked !== '' && <span class="asked">{asked}</span>}
    </>
  )
}

function Failed({ summary }: Tile) {
  const failures = summary?.failures ?? []
  const count = failures.length + (summary?.moreFailures ?? 0)
  return (
    <section class={count > 0 ? 'card sheet tile failed' : 'card sheet tile'} aria-labelledby="failed">
      <h2 id="failed">
        Failed today <span class="big">{summary ? number(count) : ''}</span>
      </h2>
      {summary && count === 0 && <p class="empty">Nothing has failed today.</p>}
      <ul class="lines">
        {failures.slice(0, 6).map((line) => (
          <li key={line.position}>
            <a href={placeOfFailure(line)}>
              <strong>{line.label}</strong> <time dateTime={line.at}>{clock(line.at).slice(0, 5)}</time>
              {line.now !== 'failed' && line.now !== '' && (
                <span class={`tone-${line.nowTone}`}>
                  {' '}
                  {line.stream.startsWith('run/') ? 'since then ' : 'now '}
                  {line.now}
                </span>
              )}
              <span class="about">{line.brief}</span>
            </a>
          </li>
        ))}
      </ul>
      {count > 6 && (
        <p>
          <a class="link" href="/log?type=problems">
            Show all problems
          </a>
        </p>
      )}
    </section>
  )
}

function placeOfFailure({ stream, version, position }: FailureLine): string {
  if (stream.startsWith('run/')) return `/${stream}`
  return stream.startsWith('agent/') ? addressOf(`/${stream}`, { turn: version }) : `/fact/${position}`
}

function Ended({ summary }: Tile) {
  const ended = summary?.ended ?? []
  return (
    <section class="card sheet tile wide-tile" aria-labelledby="ended">
      <h2 id="ended">Ended lately</h2>
      {summary && ended.length === 0 && <p class="empty">No run has ended yet.</p>}
      <ul class="lines">
        {ended.map((line) => (
          <li key={line.stream}>
            <a href={`/${line.stream}`}>
              <i class={`dot tone-${line.tone}`} /> <Named line={line} />
              <span class="about">
                <span class={`tone-${line.tone}`}>{line.status}</span>{' '}
                {line.endedAt !== null && minute(line.endedAt)}, took{' '}
                <Took since={line.since} until={line.endedAt} />
                {line.costUsd > 0 && `, ${dollars(line.costUsd)}`}
              </span>
            </a>
          </li>
        ))}
      </ul>
      <p>
        <a class="link" href="/runs">
          Show all runs
        </a>
      </p>
    </section>
  )
}
