/** One actor as of the shown moment: its chart, its sessions or steps, and its state. */
import type { ActorView } from '../../view.ts'
import { Payload } from '../parts/payload.tsx'
import { number } from '../parts/words.ts'
import { SessionTree } from './session-tree.tsx'
import { actor, aspect, moment, pane, subject } from './state.ts'
import { StateChartCard } from './state-chart.tsx'
import { StepTree } from './step-tree.tsx'

export function ActorCard() {
  const view = moment.value?.actor
  if (!view) {
    return (
      <section class="card actor-card" aria-label="Actor">
        <p class="empty">{subject.value ? `${subject.value} did not exist yet.` : 'No actor.'}</p>
      </section>
    )
  }
  const { stream, label, asked, status, tone, version } = view
  const tabs: readonly (readonly [typeof aspect.value, string])[] = [
    ['chart', 'Chart'],
    ['history', stream.startsWith('run/') ? 'Steps' : 'Sessions'],
    ['state', 'State'],
  ]
  return (
    <section class="card actor-card" aria-label="Actor">
      <header>
        <h2 title={stream}>{label}</h2>
        <p class={`badge tone-${tone}`}>{status || 'no state'}</p>
        <p class="extent">version {number(version)}</p>
        {/^(agent|run)\//.test(stream) && (
          <a
            class="quiet"
            href={`/${stream}?at=${version}`}
            title={asked === '' ? stream : `${stream}: ${asked}`}
          >
            Open
          </a>
        )}
        {view.files && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              pane.value = 'files'
            }}
            title="Show its files at this moment (f)"
          >
            Files
          </button>
        )}
        {actor.value !== '' && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              actor.value = ''
            }}
            title="Show all actors again"
          >
            Show all
          </button>
        )}
      </header>
      {/* Without the role of tabs, which would claim the arrow keys: they step through the facts. */}
      <fieldset class="tabs">
        <legend class="hidden">View of the actor</legend>
        {tabs.map(([name, label]) => (
          <button
            type="button"
            key={name}
            id={`show-${name}`}
            aria-pressed={aspect.value === name}
            onClick={() => {
              aspect.value = name
            }}
          >
            {label}
          </button>
        ))}
      </fieldset>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <section class="scroll" aria-label={`What ${label} was then`} tabIndex={0}>
        {view.problem !== null && <p class="notice bad">State unknown from here on: {view.problem}</p>}
        <Aspect view={view} />
      </section>
    </section>
  )
}

function Aspect({ view }: { readonly view: ActorView }) {
  if (aspect.value === 'state') return <Payload value={view.context} path="context" />
  if (aspect.value === 'history') {
    return view.run ? (
      <StepTree run={view.run} />
    ) : (
      <SessionTree sessions={view.sessions} more={view.moreSessions} />
    )
  }
  return view.chart ? (
    <StateChartCard chart={view.chart} status={view.status} last={view.last} />
  ) : (
    <p class="empty">Unknown kind of actor: its facts can be read, but its state cannot be shown.</p>
  )
}
