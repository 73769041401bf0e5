/** An agent: its conversation, turn by turn, and what it is. */

import { useEffect, useState } from 'preact/hooks'
import { dollars } from '../../../events/figures.ts'
import type { ConversationView } from '../../view.ts'
import { ActorOffers } from '../acts/offers.tsx'
import { CommandLine } from '../parts/copy.tsx'
import { Figure, VersionNotice } from '../parts/head.tsx'
import { NotFound } from '../parts/not-found.tsx'
import { Payload } from '../parts/payload.tsx'
import { minute, number, tokens } from '../parts/words.ts'
import { useLiveAnswer } from '../shell/answers.ts'
import { ask } from '../shell/ask.ts'
import { usePageTitle } from '../shell/page-title.ts'
import { addressOf, parameter } from '../shell/router.ts'
import { TurnCard } from './turn.tsx'

export function AgentPage({ id }: { readonly id: string }) {
  const at = versionIn('at')
  const turn = versionIn('turn')
  // A turn is shown with those before it; without one, the newest are.
  const query = { id, at, before: turn }
  const { answer: agent, problem } = useLiveAnswer('conversation', query)
  usePageTitle(`Agent ${id}`)
  if (!agent) return <NotFound what={`Agent ${id}`} problem={problem} list="/agents" />
  return (
    <>
      <Head agent={agent} />
      <Entries key={`${at} ${turn}`} agent={agent} turn={turn === '' ? null : Number(turn)} at={at} />
    </>
  )
}

const versionIn = (name: string): string => (/^[1-9]\d{0,14}$/.test(parameter(name)) ? parameter(name) : '')

function Head({ agent }: { readonly agent: ConversationView }) {
  const { id, status, tone, version, newestVersion, stream, forkedFrom, forks, config } = agent
  return (
    <header class="card sheet head">
      <p class="kind">
        <a href="/agents">Agent</a>
      </p>
      <h1>{id}</h1>
      <p class={`badge tone-${tone}`}>{status === 'absent' ? 'removed' : status}</p>
      <dl class="figures">
        <Figure name="answers" value={number(agent.answers)} />
        {agent.open > 0 && <Figure name="to do" value={number(agent.open)} tone="call" />}
        <Figure name="cost" value={dollars(agent.costUsd)} />
        {agent.tokens > 0 && <Figure name="tokens" value={tokens(agent.tokens)} />}
        <Figure name="version" value={number(version)} />
      </dl>
      <ActorOffers stream={stream} />
      <nav class="related" aria-label="Related">
        <a class="link" href={addressOf(`/fact/${agent.position}`, { actor: stream })}>
          In the log
        </a>
        <a class="link" href={addressOf(`/fact/${agent.position}`, { actor: stream, show: 'files' })}>
          Files
        </a>
        {forkedFrom && (
          <a class="link" href={`/agent/${forkedFrom.id}?at=${forkedFrom.version}`}>
            Forked from {forkedFrom.id} at version {number(forkedFrom.version)}
          </a>
        )}
        {forks.map((fork) => (
          <a class="link" key={fork.id} href={`/agent/${fork.id}`}>
            Fork: {fork.label}
          </a>
        ))}
      </nav>
      <VersionNotice version={version} newest={newestVersion} now={`/agent/${id}`} />
      {config !== null && (
        <details class="config">
          <summary>Role and settings</summary>
          <Payload value={config} path="config" />
        </details>
      )}
    </header>
  )
}

type ConversationEntries = ConversationView['entries']

function Entries({
  agent,
  turn,
  at,
}: {
  readonly agent: ConversationView
  readonly turn: number | null
  readonly at: string
}) {
  const { id, stream, entries, forks, newestVersion } = agent
  const [earlier, setEarlier] = useState<{
    readonly entries: ConversationEntries
    readonly before: number | null
  }>({
    entries: [],
    before: agent.before,
  })
  const [problem, setProblem] = useState('')
  const before = earlier.entries.length === 0 ? agent.before : earlier.before
  const more = async () => {
    if (before === null) return
    try {
      const answer = await ask('conversation', { id, at, before })
      if (answer) setEarlier({ entries: [...answer.entries, ...earlier.entries], before: answer.before })
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  const first = entries[0]?.version ?? 0
  const shown = [...earlier.entries.filter((entry) => entry.version < first), ...entries]
  const last = shown.at(-1)
  const isEnd = turn === null || !last || last.version >= turn || last.kind === 'event'
  useEffect(() => {
    if (turn !== null) document.querySelector('.turn.chosen')?.scrollIntoView({ block: 'start' })
  }, [turn])
  return (
    <section class="conversation" aria-label="Conversation">
      {before !== null && (
        <p class="more">
          <button type="button" class="button" onClick={more}>
            Show earlier turns
          </button>
        </p>
      )}
      {problem !== '' && <p class="notice bad">{problem}</p>}
      {shown.length === 0 && (
        <p class="empty">
          Nothing was asked yet. <CommandLine command={`claude-agents agent ask ${id} "..."`} />
        </p>
      )}
      {shown.map((entry) =>
        entry.kind === 'turn' ? (
          <TurnCard
            key={entry.position}
            turn={entry}
            agent={id}
            hasTools={agent.hasTools}
            stream={stream}
            forks={forks.filter(({ version }) => version !== null && version === entry.endVersion)}
            isChosen={turn !== null && (entry.version === turn || entry.endVersion === turn)}
          />
        ) : (
          <p class="event" key={entry.position}>
            <span class={`tone-${entry.tone}`}>{wordsOf(entry.type)}</span>{' '}
            {entry.detail !== '' && <span>{entry.detail} </span>}
            <a href={`/fact/${entry.position}`} title={entry.at}>
              {minute(entry.at)}
            </a>
          </p>
        ),
      )}
      {turn !== null && isEnd && newestVersion > turn && (
        <p class="more">
          <a class="button" href={`/agent/${id}`}>
            Show the newest turns
          </a>
        </p>
      )}
    </section>
  )
}

/** `AgentReset` as `Agent reset`. */
const wordsOf = (type: string): string =>
  type
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace(/^./, (first) => first.toUpperCase())
