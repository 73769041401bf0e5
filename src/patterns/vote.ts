/** Several independent answers to one question, of which one counts: the majority's, or a judge's. */
import { concatMap, type Observable, of } from 'rxjs'
import { defined } from '../events/json.ts'
import type { TaskInput } from '../events/task-input.ts'
import { type Answer, asOne, madeOf } from './answers.ts'
import { type Ask, type Pattern, patternOf, runStep, type Step } from './pattern.ts'
import { checkCount, checkSteps } from './steps.ts'
import { sideBySide } from './turns.ts'

/** Options of `vote`. */
export interface VoteOptions {
  /** How often each voter is asked. Default: 1 with several voters, 3 with one. */
  readonly votes?: number
  /** Decides. Default: the majority of equal answers. */
  readonly judge?: Step
  /** Two answers are equal if this returns the same for both. Default: ignores case and spacing. */
  readonly normalize?: (text: string) => string
  /** How many votes are cast at the same time. Default: all. */
  readonly concurrency?: number
}

/**
 * Asks every voter, each time in a fresh session, and picks one answer. On a tie, the earliest answer wins.
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
  return patternOf(judge === undefined ? voters : [...voters, judge], (ask, task) => {
    const run = (voter: Step) => runStep(ask, voter, task, { session: 'fresh' })
    return sideBySide(ballots, run, concurrency).pipe(
      concatMap((cast) => {
        const all = cast.flat()
        const answers = all.filter(({ error }) => error === undefined)
        if (answers.length === 0) return of(asOne(all))
        if (judge !== undefined) return judged(ask, judge, task, answers, all)
        const { missing } = madeOf(all)
        return of({ ...majority(answers, normalize), ...defined({ missing }) })
      }),
    )
  })
}

const sameWords = (text: string) => text.trim().toLowerCase().replace(/\s+/g, ' ')

function majority(answers: readonly Answer[], normalize: (text: string) => string): Answer {
  const votesFor = (text: string) =>
    answers.filter((other) => normalize(other.text) === normalize(text)).length
  const most = Math.max(...answers.map(({ text }) => votesFor(text)))
  return answers.find(({ text }) => votesFor(text) === most) ?? { agent: '', text: '' }
}

function judged(
  ask: Ask,
  judge: Step,
  task: TaskInput,
  answers: readonly Answer[],
  from: readonly Answer[],
): Observable<Answer> {
  const listed = answers.map(({ text }, index) => `Answer ${index + 1}:\n${text}`).join('\n\n')
  const prompt = `${task.prompt}\n\nThese answers were given. Give the best one, corrected where it needs to be:\n\n${listed}`
  return runStep(ask, judge, { prompt }, { from })
}
