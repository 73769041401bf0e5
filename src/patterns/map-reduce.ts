/** Cut a task into pieces, do the pieces side by side, and make one answer of them. */
import { concatMap, from, map, mergeMap, of, toArray } from 'rxjs'
import type { TaskInput } from '../events/task-input.ts'
import { joinAnswers, type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkCount, checkStep } from './steps.ts'

/** Options of `mapReduce`. */
export interface MapReduceOptions {
  /** The pieces of a task. */
  readonly split: (task: TaskInput) => readonly (string | TaskInput)[]
  /** Who does a piece. A pool does several at a time. */
  readonly map: Step
  /** Who makes one answer of all; without one the answers are put one after another. */
  readonly reduce?: Step
  /** How many pieces are done at the same time. Default: the size of the pool, or 1. */
  readonly concurrency?: number
}

/**
 * The pieces do not see each other: each is asked in a fresh session. Their order is kept.
 *
 * @example
 * mapReduce({ split: ({ prompt }) => prompt.split('\n\n'), map: pool('summarizer', { size: 4 }), reduce: 'editor' })
 */
export function mapReduce({ split, map: mapper, reduce, concurrency }: MapReduceOptions): Pattern {
  checkStep('mapReduce', mapper)
  if (reduce !== undefined) checkStep('mapReduce', reduce)
  const width = concurrency ?? (typeof mapper === 'object' ? mapper.size : 1)
  checkCount('concurrency', width)
  return patternOf(reduce === undefined ? [mapper] : [mapper, reduce], (ask, task) =>
    from(split(task)).pipe(
      mergeMap((piece, index) => {
        const input = typeof piece === 'string' ? { prompt: piece } : piece
        return runStep(ask, mapper, input, { session: 'fresh' }).pipe(
          toArray(),
          map((answers) => ({ index, text: joinAnswers(answers) })),
        )
      }, width),
      toArray(),
      map((pieces) => pieces.sort((one, other) => one.index - other.index).map(({ text }) => text)),
      concatMap((texts) =>
        reduce === undefined
          ? of({ agent: typeof mapper === 'object' ? mapper.pool : String(mapper), text: texts.join('\n\n') })
          : runStep(ask, reduce, {
              prompt: `${task.prompt.split('\n', 1)[0]}\n\nMake one answer of these parts:\n\n${texts.join('\n\n---\n\n')}`,
            }),
      ),
    ),
  )
}
