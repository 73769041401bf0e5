/** What is wrong with the configuration, problem by problem. */
import { ClaudeAgentError, type ErrorOptions } from './base.ts'

/** Something in the configuration that cannot be used. */
export interface ConfigProblem {
  /** `file:line:column`, the name of a variable, or the option. */
  readonly place: string
  readonly problem: string
  /** What to write instead; may be empty. */
  readonly hint: string
}

/** The configuration cannot be used; all that is wrong with it is said at once. */
export class ConfigError extends ClaudeAgentError<{ problems: readonly ConfigProblem[] }> {
  readonly _tag = 'ConfigError'
  constructor(problems: readonly ConfigProblem[], options?: ErrorOptions) {
    const [first] = problems
    const lines = problems.map(({ place, problem, hint }) => `${place}: ${problem}.${hint && ` ${hint}`}`)
    const text =
      problems.length === 1 && first
        ? { message: `${first.place}: ${first.problem}.`, hint: first.hint }
        : { message: lines.join('\n') }
    super({ problems }, text, options)
  }
}
