/** One actor as it was at the moment: its chart, its sessions or steps, and its state. */
import type { ActorView } from '../view.ts'
import { Payload } from './payload.tsx'
import { SessionTree } from './session-tree.tsx'
import { actor, aspect, moment } from './state.ts'
import { StateChartCard } from './state-chart.tsx'
import { StepTree } from './step-tree.tsx'
import { number } from './words.ts'

export function ActorCard() {
  const seen = moment.value?.actor
  const subject = actor.value || moment.value?.fact?.stream
  if (!seen) {
    return (
      <section class="card actor-card" aria-label="Actor">
        <p class="empty">{subject ? `${subject} was not there yet.` : 'No actor.'}</p>
      </section>
    )
  }
  const { stream, status, tone, version } = seen
  const tabs: readonly (readonly [typeof aspect.value, string])[] = [
    ['chart', 'Chart'],
    ['history', stream.startsWith('run/') ? 'Steps' : 'Sessions'],
    ['state', 'State'],
  ]
  return (
    <section class="card actor-card" aria-label="Actor">
      <header>
        <h2>{stream}</h2>
        <p class={`badge tone-${tone}`}>{status || 'no state'}</p>
        <p class="extent">version {number(version)}</p>
        {actor.value !== '' && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              actor.value = ''
            }}
            title="Show the actor of each fact again"
          >
            Unpin
          </button>
        )}
      </header>
      {/* Not tabs by their role: the arrow keys are for going through the facts. */}
      <fieldset class="tabs">
        <legend class="hidden">What to show of the actor</legend>
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
      <div class="scroll">
        {seen.problem !== null && (
          <p class="notice bad">Its state cannot be told from here on: {seen.problem}</p>
        )}
        <Shown seen={seen} />
      </div>
    </section>
  )
}

function Shown({ seen }: { readonly seen: ActorView }) {
  if (aspect.value === 'state') return <Payload value={seen.context} path="context" />
  if (aspect.value === 'history') {
    return seen.run ? (
      <StepTree run={seen.run} />
    ) : (
      <SessionTree sessions={seen.sessions} more={seen.moreSessions} />
    )
  }
  return seen.chart ? (
    <StateChartCard chart={seen.chart} status={seen.status} last={seen.last} />
  ) : (
    <p class="empty">
      This kind of actor is not known here: its facts can be read, its state cannot be told.
    </p>
  )
}
