/** Workflows described by data: as patterns to run, and what they must answer if every step is answered. */
import { lastValueFrom, of, toArray } from 'rxjs'
import { joinAnswers } from '../../patterns/answers.ts'
import { hierarchical } from '../../patterns/hierarchical.ts'
import { loopUntil } from '../../patterns/loop-until.ts'
import { mapReduce } from '../../patterns/map-reduce.ts'
import { parallel } from '../../patterns/parallel.ts'
import { type Ask, type Pattern, type Step, stepName } from '../../patterns/pattern.ts'
import { pipeline } from '../../patterns/pipeline.ts'
import { pool } from '../../patterns/pool.ts'
import { race } from '../../patterns/race.ts'
import { route } from '../../patterns/route.ts'
import { sequential } from '../../patterns/sequential.ts'
import { vote } from '../../patterns/vote.ts'
import { numberOf } from './random.ts'
import type { Nesting } from './script.ts'

/** The pattern that a nesting describes. `workflows` holds the patterns that it may name. */
export function patternIn(nesting: Nesting, workflows: Readonly<Record<string, Pattern>>): Pattern {
  const step = stepIn(nesting, workflows)
  return typeof step === 'function' ? step : sequential([step])
}

/** Whether the answer depends on time, so that it cannot be foretold. */
export const isRaced = (nesting: Nesting): boolean =>
  'kind' in nesting && (nesting.kind === 'race' || nesting.parts.some(isRaced))

/** The final output if every step is answered. */
export async function foretold(
  pattern: Pattern,
  input: string,
  answer: (agent: string, prompt: string) => string,
): Promise<string> {
  const ask: Ask = (worker, { prompt, textInput }) => {
    const agent = stepName(worker)
    const whole = textInput === undefined ? prompt : `${prompt}\n\n${textInput}`
    return of({ agent, text: answer(agent, whole) })
  }
  return joinAnswers(await lastValueFrom(of({ prompt: input }).pipe(pattern(ask), toArray())))
}

function stepIn(given: Nesting, workflows: Readonly<Record<string, Pattern>>): Step {
  if ('agent' in given) return given.agent
  if ('pool' in given) return pool(given.pool, given)
  if ('workflow' in given) {
    const pattern = workflows[given.workflow]
    if (pattern) return pattern
    throw new RangeError(`there is no workflow ${given.workflow}`)
  }
  const { kind, number } = given
  const steps = given.parts.map((part) => stepIn(part, workflows))
  const [first = 'a', last = 'a'] = [steps[0], steps.at(-1)]
  switch (kind) {
    case 'sequential':
      return sequential(steps)
    case 'parallel':
      return parallel(onlyOnce(steps), { concurrency: number + 1 })
    case 'pipeline':
      return pipeline(steps.map((agent, index) => ({ agent, prompt: `stage ${index}: {{input}}` })))
    case 'race':
      return race(steps)
    case 'vote':
      return vote(steps, { votes: number + 1, ...(number === 1 ? { judge: first } : {}) })
    case 'loopUntil':
      return loopUntil(first, { until: (text) => numberOf(text) % 3 === 0, rounds: number + 1 })
    case 'mapReduce':
      return mapReduce({
        split: ({ prompt }) =>
          Array.from({ length: number + 2 }, (_, index) => `part ${index} of ${numberOf(prompt)}`),
        map: first,
        ...(number > 0 ? { reduce: last } : {}),
        concurrency: number + 1,
      })
    case 'hierarchical':
      return hierarchical({ manager: first, workers: onlyOnce(steps), concurrency: number + 1 })
    case 'route':
      return route({ classifier: last, routes: { left: first, right: last }, fallback: first })
  }
}

/** Wraps agents for patterns in which none may be named twice. */
const onlyOnce = (steps: readonly Step[]) =>
  steps.map((step, index) => (steps.indexOf(step) === index ? step : sequential([step])))
