/** Splits a task into pieces, works on them side by side, and makes one answer of the results. */
import { map } from 'rxjs'
import { checkArgument } from '../events/options/decoding.ts'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, asOne } from './answers.ts'
import { type Pattern, patternOf, runStep, type Step, stepName } from './pattern.ts'
import { checkCount, checkStep } from './steps.ts'
import { inTurn, lastTurn, sideBySide } from './turns.ts'

/** Options of `mapReduce`. */
export interface MapReduceOptions {
  /** Splits a task into pieces. */
  readonly split: (task: TaskInput) => readonly (string | TaskInput)[]
  /** Works on one piece. A pool works on several at a time. */
  readonly map: Step
  /** Makes one answer of the results. Default: the results are concatenated. */
  readonly reduce?: Step
  /** How many pieces are worked on at the same time. Default: the size of the pool, or 1. */
  readonly concurrency?: number
}

/**
 * Splits a task and works on the pieces side by side. Each piece is asked in a fresh session, so they do not see each
 * other; the results keep their order.
 *
 * @example
 * mapReduce({ split: ({ prompt }) => prompt.split('\n\n'), map: pool('summarizer', { size: 4 }), reduce: 'editor' })
 */
export function mapReduce(options: MapReduceOptions): Pattern {
  checkArgument('The options of mapReduce', options, 'an object')
  const { split, map: mapper, reduce, concurrency } = options
  checkStep('mapReduce', mapper)
  if (reduce !== undefined) checkStep('mapReduce', reduce)
  const width = concurrency ?? (typeof mapper === 'object' ? mapper.size : 1)
  checkCount('concurrency', width)
  return patternOf(reduce === undefined ? [mapper] : [mapper, reduce], (ask, task) => {
    const run = (piece: string | TaskInput) =>
      runStep(ask, mapper, typeof piece === 'string' ? { prompt: piece } : piece, { session: 'fresh' })
    let pieces: readonly string[] = []
    const mapped = sideBySide(split(task), run, width).pipe(
      map((results): Answer => {
        const answers = results.map(asOne)
        pieces = answers.filter(({ error }) => error === undefined).map(({ text }) => text)
        return { ...asOne(answers), agent: stepName(mapper), text: pieces.join('\n\n') }
      }),
    )
    const next = (all: Answer) =>
      reduce === undefined
        ? lastTurn(all)
        : { part: runStep(ask, reduce, { prompt: reducing(task, pieces) }, { from: [all] }) }
    return inTurn({ part: mapped, next })
  })
}

const reducing = (task: TaskInput, texts: readonly string[]) =>
  `${task.prompt.split('\n', 1)[0]}\n\nMake one answer of these parts:\n\n${texts.join('\n\n---\n\n')}`
