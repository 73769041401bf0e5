/** The lists of runs and of agents. */

import { useState } from 'preact/hooks'
import { dollars } from '../../../events/figures.ts'
import type { WorkLine } from '../../view.ts'
import { Took } from '../parts/time.tsx'
import { isChosenId, minute, number, several, tokens } from '../parts/words.ts'
import { useLiveAnswer } from '../shell/answers.ts'
import { usePageTitle } from '../shell/page-title.ts'
import { addressOf, noteAddress, parameter } from '../shell/router.ts'

export const RunsPage = () => <ActorsPage kind="run" title="Runs" />
export const AgentsPage = () => <ActorsPage kind="agent" title="Agents" />

const PAGE = 100

function ActorsPage({ kind, title }: { readonly kind: 'run' | 'agent'; readonly title: string }) {
  usePageTitle(title)
  const path = `/${kind}s`
  const [text, setText] = useState(parameter('text'))
  const status = parameter('status')
  const [offset, setOffset] = useState(0)
  const { answer, problem } = useLiveAnswer('actors', { kind, text, status, offset })
  const { rows = [], total = 0, counts = {} } = answer ?? {}
  const states = Object.entries(counts).filter(([name]) => name !== '')
  return (
    <section class="card list" aria-labelledby="list-title">
      <header>
        <h1 id="list-title">{title}</h1>
        <label class="find">
          <span class="hidden">Find in {title.toLowerCase()}</span>
          <input
            type="search"
            placeholder={`Find in ${title.toLowerCase()}`}
            value={text}
            maxLength={200}
            onInput={({ currentTarget }) => {
              setText(currentTarget.value.trim())
              setOffset(0)
              noteAddress(addressOf(path, { status, text: currentTarget.value.trim() }))
            }}
          />
        </label>
      </header>
      <nav class="states" aria-label="States">
        <a href={addressOf(path, { text })} aria-current={status === '' ? 'page' : undefined}>
          All
        </a>
        {states.map(([name, count]) => (
          <a
            key={name}
            href={addressOf(path, { status: name, text })}
            aria-current={status === name ? 'page' : undefined}
          >
            {name === 'absent' ? 'removed' : name} <span>{number(count)}</span>
          </a>
        ))}
      </nav>
      {problem !== '' && <p class="notice bad">{problem}</p>}
      {answer && rows.length === 0 && (
        <p class="empty">
          {text === '' && status === '' ? `No ${title.toLowerCase()} yet.` : 'Nothing matches.'}
        </p>
      )}
      <ul class="rows-of">
        {rows.map((row) => (
          <Row key={row.stream} row={row} />
        ))}
      </ul>
      {total > PAGE && (
        <p class="more">
          {number(offset + 1)} to {number(Math.min(total, offset + PAGE))} of {number(total)}{' '}
          <button
            type="button"
            class="button"
            disabled={offset === 0}
            onClick={() => setOffset(offset - PAGE)}
          >
            Newer
          </button>{' '}
          <button
            type="button"
            class="button"
            disabled={offset + PAGE >= total}
            onClick={() => setOffset(offset + PAGE)}
          >
            Older
          </button>
        </p>
      )}
    </section>
  )
}

function Row({ row }: { readonly row: WorkLine }) {
  const { stream, kind, id, label, asked, status, tone, load, done, costUsd, since, endedAt } = row
  const isOpen = status === 'running' || status === 'busy' || status === 'retry'
  return (
    <li>
      <a href={`/${stream}`}>
        <i class={`dot tone-${tone} status-${status}`} />
        <span class="named">
          <strong>{label}</strong> {label !== id && isChosenId(id) && <span class="id">{id}</span>}
          {asked !== '' && <span class="asked">{asked}</span>}
        </span>
        <span class={`status tone-${tone}`}>{status === 'absent' ? 'removed' : status}</span>
        <span class="work">
          {kind === 'run'
            ? `${isOpen ? `${number(done)} of ` : ''}${several(isOpen ? load : done, 'step')}`
            : `${several(done, 'answer')}${load > 0 ? `, ${number(load)} to do` : ''}`}
        </span>
        <span class="took">
          {kind === 'run' ? (
            <Took since={since} until={isOpen ? null : (endedAt ?? since)} />
          ) : (
            `${tokens(row.tokens)} tokens`
          )}
        </span>
        <span class="cost">{costUsd > 0 ? dollars(costUsd) : ''}</span>
        <time dateTime={since}>{minute(since)}</time>
      </a>
    </li>
  )
}
