/** Several answers to one question that do not see each other, and one that counts: the majority's, or a judge's. */
import { concatMap, from, mergeMap, type Observable, of, toArray } from 'rxjs'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, type Ask, type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkCount, checkSteps } from './steps.ts'

/** Options of `vote`. */
export interface VoteOptions {
  /** How often each voter is asked. Default 1 with several voters, 3 with one. */
  readonly votes?: number
  /** Who decides. Default: the majority of equal answers. */
  readonly judge?: Step
  /** What makes answers equal. Default: the same words, whatever their case and spacing. */
  readonly normalize?: (text: string) => string
  readonly concurrency?: number
}

/**
 * With equal numbers of votes the answer that was given first wins.
 *
 * @example
 * vote(['physicist'], { votes: 5 })
 */
export function vote(voters: readonly Step[], options: VoteOptions = {}): Pattern {
  checkSteps('vote', voters)
  const { votes = voters.length === 1 ? 3 : 1, judge, normalize = sameWords } = options
  const { concurrency = Number.POSITIVE_INFINITY } = options
  checkCount('votes', votes)
  checkCount('concurrency', concurrency)
  const ballots = voters.flatMap((voter) => Array.from({ length: votes }, () => voter))
  return patternOf(judge === undefined ? voters : [...voters, judge], (ask, task) =>
    from(ballots).pipe(
      mergeMap(
        (voter, index) =>
          runStep(ask, voter, task, { session: 'fresh' }).pipe(concatMap((answer) => of({ index, answer }))),
        concurrency,
      ),
      toArray(),
      concatMap((given) => {
        const answers = given.sort((one, other) => one.index - other.index).map(({ answer }) => answer)
        return judge === undefined ? of(majority(answers, normalize)) : judged(ask, judge, task, answers)
      }),
    ),
  )
}

const sameWords = (text: string) => text.trim().toLowerCase().replace(/\s+/g, ' ')

function majority(answers: readonly Answer[], normalize: (text: string) => string): Answer {
  const votesFor = (text: string) =>
    answers.filter((other) => normalize(other.text) === normalize(text)).length
  const most = Math.max(...answers.map(({ text }) => votesFor(text)))
  return answers.find(({ text }) => votesFor(text) === most) ?? { agent: '', text: '' }
}

function judged(ask: Ask, judge: Step, task: TaskInput, answers: readonly Answer[]): Observable<Answer> {
  const listed = answers.map(({ text }, index) => `Answer ${index + 1}:\n${text}`).join('\n\n')
  return runStep(ask, judge, {
    prompt: `${task.prompt}\n\nThese answers were given. Give the best one, corrected where it needs to be:\n\n${listed}`,
  })
}
