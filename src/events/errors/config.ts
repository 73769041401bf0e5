/** What is wrong with the configuration, problem by problem. */
import { defineError } from './builder.ts'

/** Something in the configuration that cannot be used. */
export interface ConfigProblem {
  /** `file:line:column`, the name of a variable, or the option. */
  readonly place: string
  readonly problem: string
  /** What to write instead; may be empty. */
  readonly hint: string
}

/** The configuration cannot be used; everything that is wrong with it is reported at once. */
export class ConfigError extends defineError('ConfigError', (problems: readonly ConfigProblem[]) => {
  const details = { problems }
  const [first] = problems
  if (problems.length === 1 && first)
    return { details, message: `${first.place}: ${first.problem}.`, hint: first.hint }
  const lines = problems.map(({ place, problem, hint }) => `${place}: ${problem}.${hint && ` ${hint}`}`)
  return { details, message: lines.join('\n') }
}) {}
