/** Several answers as one. What is missing from them travels with it, so that no run succeeds without a part. */
import { catchError, map, type Observable, type OperatorFunction, toArray } from 'rxjs'
import { describeError } from '../events/errors/base.ts'
import { defined } from '../events/json.ts'
import type { StepError } from '../events/run-facts.ts'

/** The answer of an agent, or of a part of a workflow. */
export interface Answer {
  readonly agent: string
  readonly text: string
  /** Why there is no answer, if the pattern continues without it. */
  readonly error?: AnswerError
  /** The parts that it was made without, because they failed. A run that ends with it has not succeeded. */
  readonly missing?: readonly StepError[]
  /** The ids of the facts that hold the answers it was made of. */
  readonly facts?: readonly string[]
}

/** Why an agent gave no answer: the tag and the message of the error. */
export interface AnswerError {
  readonly code: string
  readonly message: string
}

/** Several answers as one text. A single answer stays as it is, and failed ones are left out. */
export function joinAnswers(answers: readonly Answer[]): string {
  const good = answers.filter(({ error }) => error === undefined)
  if (good.length === 1) return good[0]?.text ?? ''
  return good.map(({ agent, text }) => `## ${agent}\n\n${text}`).join('\n\n')
}

/** Several answers as one, in the name of the last. It has failed if all of them have. */
export function asOne(answers: readonly Answer[]): Answer {
  const last = answers.at(-1)
  const hasFailed = answers.every(({ error }) => error !== undefined)
  return {
    agent: last?.agent ?? '',
    text: joinAnswers(answers),
    ...defined({ error: hasFailed ? last?.error : undefined }),
    ...madeOf(answers),
  }
}

/** All answers of a step as one. */
export const joined = (answers: Observable<Answer>): Observable<Answer> => answers.pipe(toArray(), map(asOne))

/** What an answer made of these is made of, and what is missing from it. */
export function madeOf(answers: readonly Answer[]): Pick<Answer, 'missing' | 'facts'> {
  const missing = missingFrom(answers)
  const [only] = answers
  const facts =
    only && answers.length === 1
      ? (only.facts ?? [])
      : [...new Set(answers.flatMap((answer) => answer.facts ?? []))]
  return { ...(missing.length > 0 && { missing }), ...(facts.length > 0 && { facts }) }
}

/** The parts that are missing from any of the answers. */
export function missingFrom(answers: readonly Answer[]): readonly StepError[] {
  if (answers.every(({ error, missing }) => error === undefined && missing === undefined)) return []
  const parts = answers.flatMap(
    ({ agent, error, missing }) => missing ?? (error === undefined ? [] : [{ agent, ...error }]),
  )
  return [...new Set(parts)]
}

/** Makes what is missing from some answers missing from those that are made from them, and lost with an error. */
export function carryMissing(from: readonly Answer[] = []): OperatorFunction<Answer, Answer> {
  const before = missingFrom(from)
  if (before.length === 0) return (answers) => answers
  return (answers) =>
    answers.pipe(
      map((answer) => ({ ...answer, missing: [...new Set([...before, ...missingFrom([answer])])] })),
      catchError((error: unknown) => {
        const lost = lostWith(error) ?? [stepError('', error)]
        throw rememberLost(error, [...new Set([...before, ...lost])])
      }),
    )
}

/** The parts of a workflow that an error has cost it. */
const lost = new WeakMap<object, readonly StepError[]>()

/** Remembers the parts that are lost with an error. Returns the error. */
export function rememberLost(error: unknown, parts: readonly StepError[]): unknown {
  if (typeof error === 'object' && error !== null) lost.set(error, parts)
  return error
}

/** The parts that are lost with an error; undefined if no ask of the workflow caused it. */
export const lostWith = (error: unknown): readonly StepError[] | undefined =>
  typeof error === 'object' && error !== null ? lost.get(error) : undefined

/** What an error says may be of any length, and a fact may not. */
const LONGEST_TEXT = 16 * 1024

/** An error as a missing part. */
export function stepError(agent: string, error: unknown): StepError {
  const { code, message } = describeError(error)
  // The error of a user's own code is told in its own words.
  const said = code === 'UnexpectedError' && error instanceof Error ? error.message : message
  return { agent, code, message: said.slice(0, LONGEST_TEXT) }
}
