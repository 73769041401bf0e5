/** A run: what was asked, what came out, and its steps as a waterfall. */
import { dollars } from '../../../events/figures.ts'
import type { RunPageView } from '../../view.ts'
import { ActorOffers } from '../acts/offers.tsx'
import { CommandLine, Copy } from '../parts/copy.tsx'
import { Figure, VersionNotice } from '../parts/head.tsx'
import { NotFound } from '../parts/not-found.tsx'
import { Payload } from '../parts/payload.tsx'
import { TextBlock } from '../parts/text-block.tsx'
import { Took } from '../parts/time.tsx'
import { day, isChosenId, minute, number, several, tokens } from '../parts/words.ts'
import { useLiveAnswer } from '../shell/answers.ts'
import { usePageTitle } from '../shell/page-title.ts'
import { addressOf, parameter } from '../shell/router.ts'
import { Steps } from './steps.tsx'

export function RunPage({ id }: { readonly id: string }) {
  const at = parameter('at')
  const { answer: run, problem } = useLiveAnswer('run', { id, at: /^\d+$/.test(at) ? at : '' })
  usePageTitle(`Run ${run?.name ?? id}`)
  if (!run) return <NotFound what={`Run ${id}`} problem={problem} list="/runs" />
  return (
    <>
      <Head run={run} />
      <div class="input-output">
        <section class="card sheet" aria-labelledby="input">
          <h2 id="input">Input</h2>
          {run.prompt && <TextBlock view={run.prompt} label="prompt" fold />}
          {run.textInput && (
            <>
              <h3>Text to work on</h3>
              <TextBlock view={run.textInput} label="text" fold />
            </>
          )}
          <Material run={run} />
        </section>
        <section class="card sheet" aria-labelledby="output">
          <h2 id="output">Output</h2>
          <Output run={run} />
        </section>
      </div>
      <Steps run={run} />
    </>
  )
}

function Head({ run }: { readonly run: RunPageView }) {
  const { id, name, status, tone, startedAt, endedAt, counts, costUsd, version, newestVersion } = run
  const open = counts.scheduled
  const done = counts.succeeded
  return (
    <header class="card sheet head">
      <p class="kind">
        <a href="/runs">Run</a>
      </p>
      <h1>{name}</h1>
      <p class={`badge tone-${tone}`}>{status}</p>
      <p class={isChosenId(id) ? 'id' : 'id generated'} title={id}>
        {id}
        <Copy text={id} label="Copy the id" />
      </p>
      <dl class="figures">
        <Figure
          name="steps"
          value={open === 0 || run.isOver ? number(done) : `${number(done)} of ${number(done + open)}`}
        />
        {counts.failed > 0 && <Figure name="failed" value={number(counts.failed)} tone="bad" />}
        {counts.cancelled > 0 && <Figure name="cancelled" value={number(counts.cancelled)} tone="warn" />}
        <div>
          <dt>{endedAt === null ? 'runs for' : 'took'}</dt>
          <dd>
            <Took since={startedAt} until={endedAt} />
          </dd>
        </div>
        <Figure name="cost" value={dollars(costUsd)} />
        {run.tokens > 0 && <Figure name="tokens" value={tokens(run.tokens)} />}
        <div>
          <dt>started</dt>
          <dd>
            <time dateTime={startedAt} title={`${day(startedAt)}, ${startedAt}`}>
              {minute(startedAt)}
            </time>
          </dd>
        </div>
      </dl>
      <ActorOffers stream={run.stream} />
      <nav class="related" aria-label="Related">
        <a class="link" href={addressOf(`/fact/${run.position}`, { actor: run.stream, view: 'history' })}>
          In the log
        </a>
        {run.forkedFrom !== null && (
          <a class="link" href={`/run/${run.forkedFrom}`}>
            Forked from {run.forkedFrom}
          </a>
        )}
        {run.forks.map((fork) => (
          <a class="link" key={fork.id} href={`/run/${fork.id}`}>
            Fork: {isChosenId(fork.id) ? fork.id : fork.label}
          </a>
        ))}
      </nav>
      <VersionNotice version={version} newest={newestVersion} now={`/run/${id}`} />
    </header>
  )
}

function Output({ run }: { readonly run: RunPageView }) {
  const { id, status, output, errors, reason, counts, isResumable } = run
  return (
    <>
      {errors.map(({ agent, problem }, at) => (
        <p class="notice bad" key={at}>
          <a class="link" href={`/agent/${agent}`}>
            {agent}
          </a>
          : {problem}
        </p>
      ))}
      {reason !== null && (
        <p class="notice">
          {status}: {reason}
        </p>
      )}
      {output && <TextBlock view={output} label="output" fold />}
      {!output && status === 'running' && (
        <p class="empty">
          No output yet: {several(counts.scheduled, 'step')} to be answered, {number(counts.succeeded)} done.
        </p>
      )}
      {!output && status !== 'running' && errors.length === 0 && reason === null && (
        <p class="empty">It ended without an output.</p>
      )}
      {status === 'failed' && !isResumable && (
        <p class="next-step">
          All its tasks are answered, so there is nothing to resume. Land what was set aside, once you have
          looked at it:{' '}
          <a class="link" href="/inbox">
            the inbox
          </a>
        </p>
      )}
      {isResumable && (
        <p class="next-step">
          Answers are kept. To continue from where it stopped:{' '}
          <CommandLine command={`claude-agents workflow resume ${id}`} />
        </p>
      )}
    </>
  )
}

function Material({ run: { material } }: { readonly run: RunPageView }) {
  const lists = Object.entries(material ?? {}).filter(([, list]) => Array.isArray(list) && list.length > 0)
  if (lists.length === 0) return null
  return (
    <>
      <h3>Files</h3>
      <Payload value={Object.fromEntries(lists)} path="material" />
    </>
  )
}
