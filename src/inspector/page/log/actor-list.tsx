/** The actors that existed at the shown moment, each with its state then. */
import { dollars } from '../../../events/figures.ts'
import type { ActorRow } from '../../view.ts'
import { isChosenId, number } from '../parts/words.ts'
import { actor, actorsText, moment } from './state.ts'

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
              {HEADINGS[kind] ?? kind} <span>{rows.filter(isThere).length}</span>
            </h2>
            {rows.filter(isThere).map((row) => (
              <Actor key={row.stream} row={row} />
            ))}
            <Removed rows={rows.filter((row) => !isThere(row))} />
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

const isThere = ({ kind, status }: ActorRow) => kind !== 'agent' || status !== 'absent'

/** Agents that were removed, such as the copies of a pool: folded away, unless one of them is chosen. */
function Removed({ rows }: { readonly rows: readonly ActorRow[] }) {
  if (rows.length === 0) return null
  return (
    <details class="removed" open={rows.some(({ stream }) => stream === actor.value)}>
      <summary>{number(rows.length)} removed</summary>
      {rows.map((row) => (
        <Actor key={row.stream} row={row} />
      ))}
    </details>
  )
}

function Actor({ row }: { readonly row: ActorRow }) {
  const { stream, id, label, asked, status, tone, kind, load, done, costUsd } = row
  const isChosen = actor.value === stream
  const current = (actor.value || moment.value?.fact?.stream) === stream
  const work = kind === 'run' ? `${done}/${load} steps` : load > 0 ? `${load} to do` : `${done} done`
  return (
    <button
      type="button"
      class="actor"
      aria-pressed={isChosen}
      aria-current={current}
      title={`${stream}${asked === '' ? '' : `: ${asked}`}`}
      onClick={() => {
        actor.value = isChosen ? '' : stream
      }}
    >
      <i class={`dot tone-${tone} status-${status}`} />
      <span class="name">{label}</span>
      <span class={`status tone-${tone}`}>{status === 'absent' ? 'removed' : status}</span>
      {/* An id that a person chose tells runs of one workflow apart; any other one only fills the line. */}
      {label !== id &&
        (isChosenId(id) ? <span class="asked">{id}</span> : <span class="asked">{asked}</span>)}
      <span class="work">{kind === 'agent' || kind === 'run' ? work : ''}</span>
      <span class="cost">{costUsd > 0 ? dollars(costUsd) : ''}</span>
    </button>
  )
}
