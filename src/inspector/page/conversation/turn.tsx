/** One turn of a conversation: what was asked, by whom, and what came of it. */

import { useState } from 'preact/hooks'
import { dollars, duration } from '../../../events/figures.ts'
import type { ChangesView, ForkLine, ToolsView, TurnView } from '../../view.ts'
import { Offers } from '../acts/offers.tsx'
import { CommandLine } from '../parts/copy.tsx'
import { PatchText } from '../parts/patch.tsx'
import { PlainText } from '../parts/plain-text.tsx'
import { TextBlock } from '../parts/text-block.tsx'
import { Took } from '../parts/time.tsx'
import { day, minute, number, several, tokens } from '../parts/words.ts'
import { ask } from '../shell/ask.ts'
import { Icon } from '../shell/icons.tsx'
import { addressOf } from '../shell/router.ts'

const TONES: Readonly<Record<TurnView['state'], string>> = {
  waiting: 'plain',
  held: 'warn',
  running: 'call',
  retrying: 'warn',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'warn',
}

interface TurnProps {
  readonly turn: TurnView
  readonly agent: string
  readonly stream: string
  readonly forks: readonly ForkLine[]
  readonly isChosen: boolean
  /** Whether the server can tell which tools a call used. */
  readonly hasTools: boolean
}

export function TurnCard({ turn, agent, stream, forks, isChosen, hasTools }: TurnProps) {
  const { number: count, state, at, run, prompt, textInput, answer, note, startedAt, endedAt } = turn
  const title = count === null ? `Turn: ${state}` : `Turn ${number(count)}`
  return (
    <article class={isChosen ? 'turn chosen' : 'turn'} aria-label={title} aria-current={isChosen}>
      <div class="card sheet asked">
        <header>
          <h2>{count === null ? 'Asked' : `Turn ${number(count)}`}</h2>
          {run && (
            <a class="link" href={`/run/${run.id}`} title={run.id}>
              by run {run.label}
            </a>
          )}
          <a
            class="when"
            href={addressOf(`/fact/${turn.position}`, { actor: stream })}
            title={`${day(at)}, ${at}`}
          >
            {minute(at)}
          </a>
        </header>
        {prompt && <TextBlock view={prompt} label="prompt" fold />}
        {textInput && (
          <>
            <h3>Text to work on</h3>
            <TextBlock view={textInput} label="text" fold />
          </>
        )}
      </div>
      <div class={`card sheet answered is-${state}`}>
        <header>
          <h3>{state === 'succeeded' ? agent : <span class={`tone-${TONES[state]}`}>{state}</span>}</h3>
          <p class="extent">
            {startedAt !== null && <Took since={startedAt} until={endedAt} />}
            {turn.costUsd > 0 && `, ${dollars(turn.costUsd)}`}
            {turn.tokens > 0 && `, ${tokens(turn.tokens)} tokens`}
            {turn.model !== null && `, ${turn.model}`}
          </p>
        </header>
        {answer && <TextBlock view={answer} label="answer" fold />}
        {note !== null && <p class={state === 'failed' ? 'notice bad' : 'notice'}>{note}</p>}
        {state === 'held' && (
          <p>
            <a class="link" href="/inbox">
              Decide it in the inbox
            </a>
          </p>
        )}
        <Tools turn={turn} agent={agent} hasTools={hasTools} />
        <Attempts turn={turn} />
        <Files turn={turn} stream={stream} />
        <Forks turn={turn} agent={agent} forks={forks} />
      </div>
    </article>
  )
}

interface ToolsProps {
  readonly turn: TurnView
  readonly agent: string
  readonly hasTools: boolean
}

/** What the log knows of tools, and when it is opened what the transcript tells of the last call. */
function Tools({ turn: { tools, calls }, agent, hasTools }: ToolsProps) {
  const [used, setUsed] = useState<ToolsView | null>(null)
  const call = calls.at(-1)
  const isTold = hasTools && call !== undefined && call.outcome !== 'open'
  if (tools.length === 0 && !isTold) return null
  const read = () => {
    if (used !== null || !isTold) return
    ask('tools', { agent, session: call.sessionId }).then(setUsed, (error: Error) =>
      setUsed({ problem: error.message, tools: [] }),
    )
  }
  return (
    <details
      class="tools"
      open={tools.length > 0}
      onToggle={({ currentTarget }) => {
        if (currentTarget.open) read()
      }}
    >
      <summary>
        <Icon name="tool" /> Tools
      </summary>
      <ol>
        {tools.map(({ tool, input, what }, at) => (
          <li key={at}>
            <strong>{tool}</strong> <span class="tone-warn">{what}</span>
            {input !== '' && <PlainText text={input} />}
          </li>
        ))}
        {used?.tools.map(({ tool, input, result, isError }, at) => (
          <li key={at}>
            <details>
              <summary>
                <strong>{tool}</strong>{' '}
                <span class={isError ? 'tone-bad' : ''}>
                  {isError ? 'failed ' : ''}
                  {input.replace(/\s+/g, ' ').slice(0, 120)}
                </span>
              </summary>
              <PlainText text={input} />
              {result !== null && <PlainText text={result} />}
            </details>
          </li>
        ))}
      </ol>
      {used?.problem != null && <p>{used.problem}</p>}
      {used?.problem === null && used.tools.length === 0 && <p>None were used.</p>}
    </details>
  )
}

/** Shown where a single call did not do. */
function Attempts({ turn: { calls, state } }: { readonly turn: TurnView }) {
  if (calls.length < 2 && !(state === 'failed' && calls.length > 0)) return null
  return (
    <details class="attempts">
      <summary>{several(calls.length, 'call')}</summary>
      <ol>
        {calls.map(({ sessionId, attempt, outcome, durationMs, costUsd, problem, position, endPosition }) => (
          <li key={sessionId}>
            <a class={`outcome is-${outcome}`} href={`/fact/${endPosition ?? position}`}>
              Attempt {attempt}: {outcome}
            </a>{' '}
            <span class="extent">
              {durationMs !== null && duration(durationMs)} {costUsd > 0 && dollars(costUsd)}
            </span>
            {problem !== null && <p class="tone-bad">{problem}</p>}
          </li>
        ))}
      </ol>
    </details>
  )
}

const filesText = ({ changed, added, removed }: NonNullable<TurnView['files']>): string =>
  [
    changed > 0 ? `${several(changed, 'file')} changed` : '',
    added > 0 ? `${several(added, 'file')} added` : '',
    removed > 0 ? `${several(removed, 'file')} removed` : '',
  ]
    .filter((part) => part !== '')
    .join(', ')

/** What the turn changed in the files, read when it is opened. */
function Files({ turn: { files }, stream }: { readonly turn: TurnView; readonly stream: string }) {
  const [changes, setChanges] = useState<ChangesView | null>(null)
  const [problem, setProblem] = useState('')
  if (!files) return null
  const read = async () => {
    if (changes) return
    try {
      setChanges(await ask('changes', { actor: stream, at: files.position }))
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  return (
    <details
      class="changed"
      onToggle={({ currentTarget }) => {
        if (currentTarget.open) void read()
      }}
    >
      <summary>
        <Icon name="files" /> {filesText(files)}
      </summary>
      {(problem || changes?.problem) && <p class="notice bad">{problem || changes?.problem}</p>}
      {changes && changes.problem === null && (
        <>
          <PatchText lines={changes.patch} />
          <p class="extent">
            {changes.moreLines > 0 && `… and ${several(changes.moreLines, 'more line')}. `}
            <a class="link" href={addressOf(`/fact/${files.position}`, { actor: stream, show: 'changes' })}>
              Show file by file
            </a>
          </p>
        </>
      )}
    </details>
  )
}

function Forks({
  turn: { fork, endVersion },
  agent,
  forks,
}: {
  readonly turn: TurnView
  readonly agent: string
  readonly forks: readonly ForkLine[]
}) {
  return (
    <>
      {forks.map((fork) => (
        <p class="forked" key={fork.id}>
          <Icon name="fork" />{' '}
          <a class="link" href={`/agent/${fork.id}`}>
            {fork.label}
          </a>{' '}
          was forked from here
        </p>
      ))}
      {fork !== null && (
        <details class="fork">
          <summary>
            <Icon name="fork" /> Fork from here
          </summary>
          <p>{fork.says}</p>
          <Offers offers={[fork]} />
          <p>
            <CommandLine command={`claude-agents fork ${agent} --at ${endVersion} --as NEW`} />
          </p>
        </details>
      )}
    </>
  )
}
