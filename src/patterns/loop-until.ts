/** Repeats a step until its answer is good enough, or the rounds run out. */
import { defined } from '../events/json.ts'
import { checkArgument } from '../events/options/decoding.ts'
import type { TaskInput } from '../events/task-input.ts'
import type { Answer } from './answers.ts'
import { type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkCount, checkStep } from './steps.ts'
import { inTurn, lastTurn, type Turn } from './turns.ts'

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
export function loopUntil(step: Step, options: LoopOptions): Pattern {
  checkArgument('The options of loopUntil', options, 'an object')
  const { until, rounds = 3, next = improve } = options
  checkStep('loopUntil', step)
  checkCount('rounds', rounds)
  return patternOf([step], (ask, task) => {
    const round = (count: number, input: TaskInput, from: readonly Answer[]): Turn => ({
      part: runStep(ask, step, input, { from }),
      next: (answer) =>
        count >= rounds || until(answer.text, count)
          ? lastTurn(answer)
          : round(count + 1, { prompt: next(answer.text, task) }, [answer]),
    })
    return inTurn(round(1, task, []))
  })
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
export function debate(options: DebateOptions): Pattern {
  checkArgument('The options of debate', options, 'an object')
  const { writer, critic, rounds = 3, approved = saysApproved } = options
  checkStep('debate', writer)
  checkStep('debate', critic)
  checkCount('rounds', rounds)
  return patternOf([writer, critic], (ask, task) => {
    const draft = (count: number, input: TaskInput, from: readonly Answer[]): Turn => ({
      part: runStep(ask, writer, input, { from }),
      next: (answer) => (count >= rounds ? lastTurn(answer) : criticism(count, answer)),
    })
    const criticism = (count: number, answer: Answer): Turn => ({
      part: runStep(ask, critic, criticize(task, answer), { from: [answer] }),
      next: (critique) =>
        approved(critique.text)
          ? lastTurn({ ...answer, ...defined({ missing: critique.missing }) })
          : draft(count + 1, revise(task, answer, critique.text), [answer, critique]),
    })
    return inTurn(draft(1, task, []))
  })
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
