/** The steps of a run with their waterfall: in order, or as a tree of which answers each was made from. */

import { signal } from '@preact/signals'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { dollars, duration } from '../../../events/figures.ts'
import type { RunPageView, StepBrief, StepDetails, StepLine } from '../../view.ts'
import { Offers } from '../acts/offers.tsx'
import { CommandLine } from '../parts/copy.tsx'
import { TextBlock } from '../parts/text-block.tsx'
import { useNow } from '../parts/time.tsx'
import { number, several, tokens } from '../parts/words.ts'
import { ask } from '../shell/ask.ts'
import { addressOf } from '../shell/router.ts'
import { stepRows } from './step-rows.ts'

const order = signal<'order' | 'tree'>('order')
/** As many as the server tells in one answer. */
const GROUP = 60

export function Steps({ run }: { readonly run: RunPageView }) {
  const isLive = run.endedAt === null && run.version === run.newestVersion
  const now = useNow(isLive)
  const spanMs = Math.max(
    1,
    run.endedAt === null
      ? isLive
        ? now - Date.parse(run.startedAt)
        : Math.max(...run.steps.map((step) => step.startMs + (step.durationMs ?? 0)), 1)
      : Date.parse(run.endedAt) - Date.parse(run.startedAt),
  )
  const [only, setOnly] = useState<StepLine['state'] | null>(null)
  const ofState = useMemo(() => byState(run.steps), [run.steps])
  // All steps of that state may have got another one.
  const chosen = only !== null && ofState.has(only) ? only : null
  const shown = chosen === null ? run.steps : (ofState.get(chosen) ?? [])
  const rows = useMemo(() => stepRows(shown, order.value), [shown, order.value])
  const groups = Array.from({ length: Math.ceil(rows.length / GROUP) }, (_, at) =>
    rows.slice(at * GROUP, (at + 1) * GROUP),
  )
  return (
    <section class="card waterfall" aria-labelledby="steps" onKeyDown={moveFocus}>
      <header>
        <h2 id="steps">Steps</h2>
        <p class="extent">{several(run.steps.length + run.moreSteps, 'step')}</p>
        {ofState.size > 1 && (
          <fieldset class="switch">
            <legend class="hidden">Which steps</legend>
            {[null, ...ofState.keys()].map((state) => (
              <button
                type="button"
                key={state}
                aria-pressed={chosen === state}
                onClick={() => setOnly(state)}
              >
                {state === null ? 'All' : `${STATE_WORDS[state]} ${number(ofState.get(state)?.length ?? 0)}`}
              </button>
            ))}
          </fieldset>
        )}
        <fieldset class="switch">
          <legend class="hidden">Arrangement</legend>
          {(['order', 'tree'] as const).map((name) => (
            <button
              type="button"
              key={name}
              aria-pressed={order.value === name}
              title={name === 'order' ? 'As they began' : 'Under the step whose answer each was made from'}
              onClick={() => {
                order.value = name
              }}
            >
              {name === 'order' ? 'In order' : 'As a tree'}
            </button>
          ))}
        </fieldset>
      </header>
      {run.steps.length === 0 && <p class="empty">No steps yet.</p>}
      {run.moreSteps > 0 && <p class="empty">{number(run.moreSteps)} earlier steps are not shown.</p>}
      {run.steps.length > 0 && <Axis spanMs={spanMs} />}
      <div class="step-groups">
        {groups.map((group, at) => (
          <Group key={`${order.value} ${chosen} ${at}`} run={run} rows={group} spanMs={spanMs} />
        ))}
      </div>
    </section>
  )
}

function byState(steps: readonly StepLine[]): ReadonlyMap<StepLine['state'], readonly StepLine[]> {
  const found = new Map<StepLine['state'], StepLine[]>()
  for (const step of steps) {
    const others = found.get(step.state)
    if (others) others.push(step)
    else found.set(step.state, [step])
  }
  return found
}

const STATE_WORDS: Readonly<Record<StepLine['state'], string>> = {
  scheduled: 'open',
  succeeded: 'answered',
  failed: 'failed',
  cancelled: 'cancelled',
}

const TICKS = [0, 0.25, 0.5, 0.75, 1]

function Axis({ spanMs }: { readonly spanMs: number }) {
  return (
    <div class="axis" aria-hidden="true">
      <div class="ticks">
        {TICKS.map((share) => (
          <span key={share} style={{ left: `${share * 100}%` }}>
            {duration(share * spanMs)}
          </span>
        ))}
      </div>
    </div>
  )
}

type Rows = ReturnType<typeof stepRows>

interface GroupProps {
  readonly run: RunPageView
  readonly rows: Rows
  readonly spanMs: number
}

/** A part of the list. What its steps were asked and answered is fetched when it comes into sight. */
function Group({ run, rows, spanMs }: GroupProps) {
  const [element, setElement] = useState<HTMLElement | null>(null)
  const [isSeen, setSeen] = useState(false)
  const [briefs, setBriefs] = useState<ReadonlyMap<number, StepBrief>>(new Map())
  const done = rows.filter(({ step }) => step.state !== 'scheduled').length
  useEffect(() => {
    if (!element || isSeen) return
    const observer = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting) setSeen(true)
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [element, isSeen])
  useEffect(() => {
    if (!isSeen) return
    const leaving = new AbortController()
    const indexes = rows.map(({ step }) => step.index).filter((index) => !briefs.get(index)?.answered)
    readBriefs(run.id, indexes, leaving.signal, (found) =>
      setBriefs((known) => new Map([...known, ...found])),
    )
    return () => leaving.abort()
  }, [isSeen, rows.length, done])
  return (
    <ol class="step-group" ref={setElement}>
      {rows.map((row) => (
        <StepRow
          key={row.step.position}
          run={run}
          {...row}
          brief={briefs.get(row.step.index)}
          spanMs={spanMs}
        />
      ))}
    </ol>
  )
}

/** In as few requests as possible: the server tells the steps from an index on. */
async function readBriefs(
  run: string,
  indexes: readonly number[],
  signal: AbortSignal,
  onFound: (briefs: readonly (readonly [number, StepBrief])[]) => void,
): Promise<void> {
  const left = [...indexes].sort((a, b) => a - b)
  try {
    while (left.length > 0) {
      const { steps } = await ask('steps', { run, from: left[0] ?? 0 }, signal)
      onFound(steps.map((step) => [step.index, step] as const))
      const last = steps.at(-1)?.index ?? Number.POSITIVE_INFINITY
      while (left.length > 0 && (left[0] ?? 0) <= last) left.shift()
    }
  } catch {
    // The page's own question fails in the same way, and shows the problem.
  }
}

interface StepRowProps {
  readonly run: RunPageView
  readonly step: StepLine
  readonly depth: number
  readonly brief: StepBrief | undefined
  readonly spanMs: number
}

function StepRow({ run, step, depth, brief, spanMs }: StepRowProps) {
  const [isOpen, setOpen] = useState(false)
  const { agent, worker, state, startMs, durationMs, costUsd, problem } = step
  const took = durationMs ?? Math.max(0, spanMs - startMs)
  const isOpenEnded = durationMs === null
  const left = Math.min(99.5, (startMs / spanMs) * 100)
  return (
    <li class="step-row">
      <button
        type="button"
        class="step"
        aria-expanded={isOpen}
        style={{ '--depth': String(Math.min(depth, 8)) } as Record<string, string>}
        onClick={() => setOpen(!isOpen)}
      >
        <i class={`node is-${state}`} />
        <span class="text">
          <span class="name">{worker}</span>
          <span class="hidden">{state}</span>
          <span class={problem === null ? 'brief' : 'brief tone-bad'}>
            {problem ?? (brief?.answered || brief?.asked || '')}
          </span>
        </span>
        <span class="track" aria-hidden="true">
          <span
            class={`bar is-${state}${isOpenEnded ? ' growing' : ''}`}
            style={{
              left: `${left}%`,
              width: `${Math.max(0.4, Math.min(100 - left, (took / spanMs) * 100))}%`,
            }}
          />
        </span>
        <span class="took">{duration(took)}</span>
        <span class="cost">{costUsd > 0 ? dollars(costUsd) : ''}</span>
      </button>
      {isOpen && <Opened run={run} step={step} agent={agent} />}
    </li>
  )
}

function Opened({
  run,
  step,
  agent,
}: {
  readonly run: RunPageView
  readonly step: StepLine
  readonly agent: string
}) {
  const [view, setView] = useState<StepDetails | null>(null)
  const [problem, setProblem] = useState('')
  useEffect(() => {
    const leaving = new AbortController()
    ask('step', { run: run.id, position: step.position }, leaving.signal).then(
      (answer) => setView(answer),
      (error: Error) => {
        if (!leaving.signal.aborted) setProblem(error.message)
      },
    )
    return () => leaving.abort()
  }, [step.position, step.state])
  if (problem !== '') return <p class="notice bad">{problem}</p>
  if (!view) return <p class="empty">Reading…</p>
  const used = step.uses.flatMap((index) => run.steps.find((one) => one.index === index) ?? [])
  return (
    <div class="opened">
      <p class="about">
        <a class="link" href={addressOf(`/agent/${step.worker}`, { turn: view.agentVersion ?? '' })}>
          {view.agentVersion === null ? `Agent ${step.worker}` : `In the conversation of ${step.worker}`}
        </a>
        <a class="link" href={addressOf(`/fact/${step.endPosition ?? step.position}`, { actor: run.stream })}>
          In the log
        </a>
        {step.tokens > 0 && <span>{tokens(step.tokens)} tokens</span>}
        {step.worker !== agent && <span>a copy of {agent}</span>}
        {used.length > 0 && <span>quotes {used.map((one) => one.worker).join(', ')}</span>}
      </p>
      {step.problem !== null && <p class="notice bad">{step.problem}</p>}
      <div class="asked-answered">
        <section>
          <h3>Asked</h3>
          {view.prompt ? (
            <TextBlock view={view.prompt} label="prompt" fold />
          ) : (
            <p class="empty">Its task is not in the log.</p>
          )}
          {view.textInput && <TextBlock view={view.textInput} label="text" fold />}
        </section>
        <section>
          <h3>Answered</h3>
          {view.answer ? (
            <TextBlock view={view.answer} label="answer" fold />
          ) : (
            <p class="empty">{step.state === 'scheduled' ? 'Not yet.' : 'Nothing.'}</p>
          )}
        </section>
      </div>
      {view.calls.length > 1 && (
        <ol class="attempts" aria-label="Calls">
          {view.calls.map(({ sessionId, attempt, outcome, durationMs, costUsd, problem: why }) => (
            <li key={sessionId}>
              <span class={`outcome is-${outcome}`}>
                Attempt {attempt}: {outcome}
              </span>{' '}
              {durationMs !== null && duration(durationMs)} {costUsd > 0 && dollars(costUsd)} {why}
            </li>
          ))}
        </ol>
      )}
      {view.fork && (
        <div class="next-step">
          <p>Ask this step again in a fork of the run, with the answers before it:</p>
          <Offers offers={[view.fork]} />
          <CommandLine command={`claude-agents fork --run ${run.id} --at ${view.stepKey}`} />
        </div>
      )}
    </div>
  )
}

/** The arrow keys lead from step to step. */
function moveFocus(event: KeyboardEvent): void {
  const by = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key]
  if (by === undefined || !(event.target instanceof HTMLElement) || !event.target.matches('.step')) return
  const rows = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('.step')]
  rows[rows.indexOf(event.target) + by]?.focus()
  event.preventDefault()
}
