/** The inbox: everything that waits for a person, in full, with what can be done about it. */

import type { ComponentChildren } from 'preact'
import { dollars } from '../../../events/figures.ts'
import type { EntryView, InboxView } from '../../acts/view.ts'
import { Offers } from '../acts/offers.tsx'
import { CommandLine } from '../parts/copy.tsx'
import { Payload } from '../parts/payload.tsx'
import { Took } from '../parts/time.tsx'
import { INBOX_KINDS, minute, number } from '../parts/words.ts'
import { ask } from '../shell/ask.ts'
import { usePageTitle } from '../shell/page-title.ts'
import { addressOf } from '../shell/router.ts'
import { inbox } from './inbox-state.ts'
import { Proposal } from './proposal.tsx'

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

function Entry({ entry }: { readonly entry: EntryView }) {
  const {
    id,
    kind,
    agent,
    run,
    since,
    question,
    prompt,
    tool,
    input,
    bodies,
    choices,
    costUsd,
    command,
    offers,
  } = entry
  // An id in HTML has no space.
  const heading = `entry-${id}`.replaceAll(' ', '-')
  const whole = { bodies, piece: (path: string, offset: number) => ask('entry', { id, path, offset }) }
  return (
    <article class="card entry" tabIndex={-1} data-entry={id} aria-labelledby={heading}>
      <header>
        <span class={`badge kind-${kind}`}>{INBOX_KINDS[kind]}</span>
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
          waits for <Took since={since} until={null} />, since <time dateTime={since}>{minute(since)}</time>
          {costUsd !== null && costUsd > 0 && `, ${dollars(costUsd)} so far`}
        </span>
      </header>
      {/* The call itself is shown below in full. */}
      <h2 id={heading}>{kind === 'tool' ? `${agent} needs approval to use ${tool}` : question}</h2>
      {prompt !== null && (
        <Part title={kind === 'message' ? 'What it says' : 'What is asked'} of={id}>
          <Payload value={prompt} path="entry.prompt" whole={whole} />
        </Part>
      )}
      {kind === 'tool' && <Proposal id={id} />}
      {tool !== null && (
        <Part title={tool} of={id}>
          <Payload value={input} path="entry.input" whole={whole} />
        </Part>
      )}
      {choices && (
        <ul class="choices" aria-label="The answers to choose from">
          {choices.map((choice) => (
            <li key={choice}>{choice}</li>
          ))}
        </ul>
      )}
      {tool === null && !choices && input !== null && (
        <details>
          <summary>Details</summary>
          <Payload value={input} path="entry.input" whole={whole} />
        </details>
      )}
      {kind === 'landing' && (
        <p>
          <a class="link" href={addressOf('/log', { actor: `agent/${agent}`, show: 'changes', all: 1 })}>
            Show what {agent} changed since it began
          </a>
        </p>
      )}
      <Offers offers={offers} />
      <p>
        <CommandLine command={command} />
      </p>
    </article>
  )
}

/** Scrolls by keyboard as well, if it is long. */
function Part({
  title,
  of,
  children,
}: {
  readonly title: string
  readonly of: string
  readonly children: ComponentChildren
}) {
  return (
    <div>
      <h3>{title}</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <section class="part" aria-label={`${title}: ${of}`} tabIndex={0}>
        {children}
      </section>
    </div>
  )
}
