/** The inbox: everything that waits for a person, in full, with what can be done about it. */
import type { EntryView, InboxView } from '../../acts/view.ts'
import { Offers } from '../acts/offers.tsx'
import { Payload } from '../parts/payload.tsx'
import { minute, number, usd } from '../parts/words.ts'
import { ask } from '../shell/ask.ts'
import { usePageTitle } from '../shell/page-title.ts'
import { inbox } from './inbox-state.ts'

export function InboxPage() {
  usePageTitle('Inbox')
  const view = inbox.value
  return (
    <div class="inbox">
      <header class="about">
        <h1>Inbox</h1>
        {view && <Waiting view={view} />}
      </header>
      {view?.problem && <p class="notice bad">{view.problem}</p>}
      {view?.acting.problem && (
        <div class="notice">
          <p>{view.acting.problem.message}</p>
          <p>{view.acting.problem.hint}</p>
        </div>
      )}
      <ol class="entries" aria-label="What waits for you">
        {view?.entries.map((entry) => (
          <li key={entry.id}>
            <Entry entry={entry} />
          </li>
        ))}
      </ol>
      {view && view.more > 0 && <p class="empty">And {number(view.more)} more.</p>}
    </div>
  )
}

function Waiting({ view }: { readonly view: InboxView }) {
  const count = view.entries.length + view.more
  return (
    <p class="extent" role="status">
      {count === 0
        ? 'Nothing waits for you.'
        : count === 1
          ? '1 entry waits for you'
          : `${number(count)} entries wait for you`}
    </p>
  )
}

const KINDS: Readonly<Record<EntryView['kind'], string>> = {
  task: 'Task',
  budget: 'Budget',
  account: 'Account',
  landing: 'Landing',
  supervision: 'Supervision',
  run: 'Run',
  schedule: 'Schedule',
}

function Entry({ entry }: { readonly entry: EntryView }) {
  const { id, kind, agent, run, since, question, prompt, tool, input, bodies, costUsd, command, offers } =
    entry
  const whole = { bodies, piece: (path: string, offset: number) => ask('entry', { id, path, offset }) }
  return (
    <article
      class="card entry"
      tabIndex={-1}
      data-entry={id}
      aria-labelledby={`entry ${id}`.replaceAll(' ', '-')}
    >
      <header>
        <span class={`badge kind-${kind}`}>{KINDS[kind]}</span>
        {agent !== null && (
          <a class="link" href={`/agent/${agent}`}>
            {agent}
          </a>
        )}
        {run !== null && (
          <a class="link" href={`/run/${run}`}>
            run {run}
          </a>
        )}
        <span class="extent">
          since <time dateTime={since}>{minute(since)}</time>
          {costUsd !== null && costUsd > 0 && `, ${usd(costUsd)} so far`}
        </span>
      </header>
      <h2 id={`entry ${id}`.replaceAll(' ', '-')}>{question}</h2>
      {prompt !== null && (
        <section aria-label="Prompt">
          <h3>What is asked</h3>
          <Payload value={prompt} path="entry.prompt" whole={whole} />
        </section>
      )}
      {tool !== null && (
        <section aria-label="Input">
          <h3>{tool}</h3>
          <Payload value={input} path="entry.input" whole={whole} />
        </section>
      )}
      {tool === null && input !== null && (
        <details>
          <summary>Details</summary>
          <Payload value={input} path="entry.input" whole={whole} />
        </details>
      )}
      <Offers offers={offers} />
      <p class="command">
        <code>{command}</code>
      </p>
    </article>
  )
}
