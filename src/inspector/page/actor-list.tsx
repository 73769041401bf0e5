/** The actors that existed at the shown moment, each with its state then. */
import type { ActorRow } from '../view.ts'
import { actor, actorsText, moment } from './state.ts'
import { number, usd } from './words.ts'

const HEADINGS: Readonly<Record<string, string>> = { agent: 'Agents', run: 'Runs', supervisor: 'Supervisors' }

export function ActorList() {
  const shown = moment.value
  const kinds = new Map<string, ActorRow[]>()
  for (const row of shown?.actors ?? []) kinds.set(row.kind, [...(kinds.get(row.kind) ?? []), row])
  return (
    <nav class="card actors" aria-label="Actors">
      <label class="find">
        <span class="hidden">Find an actor</span>
        <input
          type="search"
          placeholder="Find an actor"
          value={actorsText.value}
          onInput={({ currentTarget }) => {
            actorsText.value = currentTarget.value.trim()
          }}
        />
      </label>
      <div class="scroll">
        {[...kinds].map(([kind, rows]) => (
          <section key={kind}>
            <h2>
              {HEADINGS[kind] ?? kind} <span>{rows.length}</span>
            </h2>
            {rows.map((row) => (
              <Actor key={row.stream} row={row} />
            ))}
          </section>
        ))}
        {kinds.size === 0 && <p class="empty">No actors yet.</p>}
        {(shown?.moreActors ?? 0) > 0 && (
          <p class="empty">{number(shown?.moreActors ?? 0)} more: search by name.</p>
        )}
      </div>
    </nav>
  )
}

function Actor({ row }: { readonly row: ActorRow }) {
  const { stream, id, status, tone, kind, load, done, costUsd } = row
  const current = (actor.value || moment.value?.fact?.stream) === stream
  const work = kind === 'run' ? `${done}/${load} steps` : load > 0 ? `${load} to do` : `${done} done`
  return (
    <button
      type="button"
      class="actor"
      aria-pressed={actor.value === stream}
      aria-current={current}
      title={actor.value === stream ? 'Show the actor of the selected fact again' : `Pin ${stream}`}
      onClick={() => {
        actor.value = actor.value === stream ? '' : stream
      }}
    >
      <i class={`dot tone-${tone} status-${status}`} />
      <span class="name">{id}</span>
      <span class={`status tone-${tone}`}>{status}</span>
      <span class="work">{kind === 'agent' || kind === 'run' ? work : ''}</span>
      <span class="cost">{costUsd > 0 ? usd(costUsd) : ''}</span>
    </button>
  )
}
