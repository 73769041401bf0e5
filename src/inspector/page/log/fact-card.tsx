/** The shown fact, in full. */
import { Payload } from '../parts/payload.tsx'
import { clock, day, number } from '../parts/words.ts'
import { ask } from '../shell/ask.ts'
import { visitFact } from './address.ts'
import { actor, file, moment, pane, sinceBeginning } from './state.ts'

export function FactCard() {
  const fact = moment.value?.fact
  if (!fact) {
    return (
      <section class="card fact-card" aria-label="Fact">
        <p class="empty">Nothing has been written yet.</p>
      </section>
    )
  }
  const { position, at, type, tone, version, causePosition, causationId, correlationId, change, problem } =
    fact
  return (
    <section class="card fact-card" aria-label="Fact">
      <header>
        <h2 class={`tone-${tone}`}>{type}</h2>
        {change && (
          <p class="change">
            {change[0]} → <strong>{change[1]}</strong>
          </p>
        )}
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <section class="scroll" aria-label={`What ${type} says`} tabIndex={0}>
        <dl class="facts-about">
          <div>
            <dt>position</dt>
            <dd>{number(position)}</dd>
          </div>
          {fact.stream !== '' && (
            <div>
              <dt>stream</dt>
              <dd>
                <button
                  type="button"
                  class="link"
                  title="Show only this stream"
                  onClick={() => {
                    actor.value = fact.stream
                  }}
                >
                  {fact.stream}
                </button>{' '}
                version {number(version)}
              </dd>
            </div>
          )}
          {at !== '' && (
            <div>
              <dt>written</dt>
              <dd>
                <time dateTime={at} title={at}>
                  {day(at)}, {clock(at)}
                </time>
              </dd>
            </div>
          )}
          {causationId !== null && (
            <div>
              <dt>caused by</dt>
              <dd>
                {causePosition === null ? (
                  <span class="id">{causationId}</span>
                ) : (
                  <button type="button" class="link" onClick={() => visitFact(causePosition)}>
                    {number(causePosition)}
                  </button>
                )}
              </dd>
            </div>
          )}
          {correlationId !== null && (
            <div>
              <dt>belongs to</dt>
              <dd class="id">{correlationId}</dd>
            </div>
          )}
        </dl>
        {fact.changesFiles && (
          <p class="more">
            <button type="button" class="link" onClick={showChanges}>
              Show what changed in the files
            </button>
          </p>
        )}
        {problem === null ? (
          <Payload
            value={fact.data}
            path="data"
            whole={{
              bodies: fact.bodies,
              piece: (path, offset) => ask('body', { position, path, offset }),
            }}
            key={position}
          />
        ) : (
          <p class="notice bad">{problem}</p>
        )}
      </section>
    </section>
  )
}

function showChanges(): void {
  // Of this fact, and not of an actor that is pinned.
  actor.value = ''
  file.value = ''
  sinceBeginning.value = false
  pane.value = 'changes'
}
