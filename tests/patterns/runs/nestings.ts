/** Random nestings of patterns, as data that can be shown and shrunk, and the workflows that they describe. */
import { hash } from 'node:crypto'
import fc from 'fast-check'
import { catchError, concatMap, tap } from 'rxjs'
import { RefusedError } from '../../../src/events/errors/call.ts'
import { hierarchical } from '../../../src/patterns/hierarchical.ts'
import { debate, loopUntil } from '../../../src/patterns/loop-until.ts'
import { mapReduce } from '../../../src/patterns/map-reduce.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { type Pattern, patternOf, runStep, type Step } from '../../../src/patterns/pattern.ts'
import { pipeline } from '../../../src/patterns/pipeline.ts'
import { pool } from '../../../src/patterns/pool.ts'
import { race } from '../../../src/patterns/race.ts'
import { route } from '../../../src/patterns/route.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { vote } from '../../../src/patterns/vote.ts'
import type { ScriptedAnswer } from '../../../src/testing/scripted-runner.ts'

export type Nesting =
  | { readonly agent: string }
  | { readonly pool: string; readonly size: number }
  | { readonly kind: Kind; readonly parts: readonly Nesting[]; readonly number: number }

const KINDS = [
  'sequential',
  'parallel',
  'pipeline',
  'race',
  'vote',
  'loopUntil',
  'debate',
  'mapReduce',
  'hierarchical',
  'route',
] as const
type Kind = (typeof KINDS)[number]

export const AGENTS = ['a', 'b', 'c', 'd']
/** Fails, or at least refuses more than the others; occurs only in a `parallel`, which continues without it. */
export const BROKEN = 'broken'

/** A pattern of patterns, at most three levels deep. */
export const nesting = fc.letrec<{ part: Nesting; pattern: Nesting }>((tie) => ({
  part: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    fc.record({ agent: fc.constantFrom(...AGENTS) }),
    fc.record({ pool: fc.constantFrom('a', 'b'), size: fc.constant(2) }),
    tie('pattern'),
  ),
  pattern: fc.record({
    kind: fc.constantFrom(...KINDS),
    parts: fc.array(tie('part'), { minLength: 1, maxLength: 3 }),
    number: fc.nat(2),
  }),
})).pattern

export function build(given: Nesting): Step {
  if ('agent' in given) return given.agent
  if ('pool' in given) return pool(given.pool, given)
  const { kind, number } = given
  const steps = given.parts.map(build)
  const [first = 'a', last = 'a'] = [steps[0], steps.at(-1)]
  switch (kind) {
    case 'sequential':
      return sequential(steps)
    case 'parallel':
      return parallel([...onlyOnce(steps), ...(number === 0 ? [BROKEN] : [])], { concurrency: number + 1 })
    case 'pipeline':
      return pipeline(steps.map((agent, index) => ({ agent, prompt: `stage ${index}: {{input}}` })))
    case 'race':
      return raceWonBy(steps, number % steps.length)
    case 'vote':
      return vote(steps, { votes: number + 1, ...(number === 1 ? { judge: 'a' } : {}) })
    case 'loopUntil':
      return loopUntil(first, { until: (text) => numberOf(text) % 3 === 0, rounds: number + 1 })
    case 'debate':
      return debate({
        writer: first,
        critic: last,
        rounds: number + 1,
        approved: (text) => numberOf(text) % 3 === 0,
      })
    case 'mapReduce': {
      const split = ({ prompt }: { prompt: string }) =>
        Array.from({ length: number + 2 }, (_, index) => `part ${index} of ${digest(prompt)}`)
      return mapReduce({
        split,
        map: first,
        ...(number > 0 ? { reduce: last } : {}),
        concurrency: number + 1,
      })
    }
    case 'hierarchical':
      return hierarchical({ manager: first, workers: onlyOnce(steps), concurrency: number + 1 })
    case 'route':
      return route({ classifier: 'd', routes: { left: first, right: last }, fallback: 'a' })
  }
}

/** A race whose winner does not depend on time, as a crash delays only some of the steps. */
function raceWonBy(steps: readonly Step[], winner: number): Step {
  const runners = steps.map((agent, index) =>
    pipeline([{ agent, parse: (text) => `runner ${index}: ${text}` }]),
  )
  return patternOf(runners, (ask, task) => {
    const failures = new Failures()
    const watched = runners.map((step, index) => (index === winner ? step : failures.watch(step)))
    return runStep(
      ask,
      race(watched, { accept: ({ text }) => text.startsWith(`runner ${winner}: `) }),
      task,
    ).pipe(tap(() => failures.excuse()))
  })
}

/** The asks that failed in the losers of races that were won: nothing is missing because of them. */
const excused = new WeakSet<object>()

/** The asks that fail within a step. */
export class Failures {
  readonly #errors = new Set<object>()

  /** The step, with its failures noted here. */
  watch(step: Step): Pattern {
    return (ask) =>
      concatMap((task) =>
        runStep(
          (worker, input, options) =>
            ask(worker, input, options).pipe(
              catchError((error: object) => {
                this.#errors.add(error)
                throw error
              }),
            ),
          step,
          task,
        ),
      )
  }

  excuse(): void {
    for (const error of this.#errors) excused.add(error)
  }

  /** How many of them nothing excuses. */
  get count(): number {
    return [...this.#errors].filter((error) => !excused.has(error)).length
  }
}

/** Wraps agents for patterns in which no agent may be named twice. */
const onlyOnce = (steps: readonly Step[]) =>
  steps.map((step, index) => (steps.indexOf(step) === index ? step : sequential([step])))

/** Depends only on the agent (not on the copy) and the prompt; takes from 1 to 20 ms. */
export function answerOf({ agent, prompt }: { agent: string; prompt: string }): ScriptedAnswer {
  const name = agent.split('.')[0] ?? ''
  if (name === BROKEN) return new RefusedError()
  const text = `${name} ${digest(prompt)}`
  const delayMs = 1 + (numberOf(text) % 20)
  if (prompt.startsWith('Which of these')) return { text: numberOf(text) % 2 ? 'left' : 'right', delayMs }
  return { text, delayMs }
}

/** As `answerOf`, but some agents refuse some prompts: which ones depends on the salt. */
export const refusingSome =
  (salt: string) =>
  (call: { agent: string; prompt: string }): ScriptedAnswer => {
    const name = call.agent.split('.')[0] ?? ''
    const share = numberOf(`${salt} ${name} ${call.prompt}`) % 100
    return share < (name === BROKEN ? 60 : 4) ? new RefusedError() : answering(call)
  }

/** As `answerOf`, but nobody refuses. */
export const answering = (call: { agent: string; prompt: string }): ScriptedAnswer =>
  call.agent === BROKEN ? `whole ${digest(call.prompt)}` : answerOf(call)

const digest = (text: string) => hash('sha256', text, 'hex').slice(0, 8)
const numberOf = (text: string) => Number.parseInt(digest(text), 16)
