/** Repeats a step until its answer is good enough, or the rounds run out. */
import { concatMap, type Observable, of } from 'rxjs'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, type Ask, joined, type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkCount, checkStep } from './steps.ts'

/** Options of `loopUntil`. */
export interface LoopOptions {
  /** Whether the answer is good enough. */
  readonly until: (text: string, round: number) => boolean
  /** The most rounds. The answer of the last one counts, good or not. Default: 3. */
  readonly rounds?: number
  /** The prompt of the next round. Default: the task, followed by the last answer. */
  readonly next?: (text: string, task: TaskInput) => string
}

/**
 * Repeats a step until its answer is good enough.
 *
 * @example
 * loopUntil('writer', { until: (text) => text.length < 280, rounds: 5 })
 */
export function loopUntil(step: Step, { until, rounds = 3, next = improve }: LoopOptions): Pattern {
  checkStep('loopUntil', step)
  checkCount('rounds', rounds)
  const round = (ask: Ask, task: TaskInput, input: TaskInput, count: number): Observable<Answer> =>
    joined(runStep(ask, step, input)).pipe(
      concatMap((answer) =>
        count >= rounds || until(answer.text, count)
          ? of(answer)
          : round(ask, task, { prompt: next(answer.text, task) }, count + 1),
      ),
    )
  return patternOf([step], (ask, task) => round(ask, task, task, 1))
}

/** Options of `debate`. */
export interface DebateOptions {
  readonly writer: Step
  readonly critic: Step
  /** The most drafts. Default: 3. */
  readonly rounds?: number
  /** Whether the critic approves. Default: its answer begins with "approved". */
  readonly approved?: (criticism: string) => boolean
}

/**
 * A writer drafts and a critic comments, until the critic approves. The answer is the last draft.
 *
 * @example
 * debate({ writer: 'author', critic: 'editor', rounds: 4 })
 */
export function debate({ writer, critic, rounds = 3, approved = saysApproved }: DebateOptions): Pattern {
  checkStep('debate', writer)
  checkStep('debate', critic)
  checkCount('rounds', rounds)
  const draft = (ask: Ask, task: TaskInput, input: TaskInput, count: number): Observable<Answer> =>
    joined(runStep(ask, writer, input)).pipe(
      concatMap((answer) =>
        count >= rounds
          ? of(answer)
          : joined(runStep(ask, critic, criticize(task, answer))).pipe(
              concatMap(({ text }) =>
                approved(text) ? of(answer) : draft(ask, task, revise(task, answer, text), count + 1),
              ),
            ),
      ),
    )
  return patternOf([writer, critic], (ask, task) => draft(ask, task, task, 1))
}

const improve = (text: string, task: TaskInput) =>
  `${task.prompt}\n\nThis was the last attempt; make it better:\n\n${text}`
const saysApproved = (criticism: string) => /^\W*approved\b/i.test(criticism)
const criticize = (task: TaskInput, { text }: Answer): TaskInput => ({
  prompt: `The task was: ${task.prompt}\n\nSay what must be better in this draft, or begin with APPROVED if nothing must:\n\n${text}`,
})
const revise = (task: TaskInput, { text }: Answer, criticism: string): TaskInput => ({
  prompt: `${task.prompt}\n\nYour last draft:\n\n${text}\n\nWhat the critic says:\n\n${criticism}\n\nWrite it again.`,
})
