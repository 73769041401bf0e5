/** What is wrong with the configuration, problem by problem. */
import { defineError } from './builder.ts'
import { shellWord } from './phrases.ts'

/** Something in the configuration that cannot be used. */
export interface ConfigProblem {
  /** `file:line:column`, the name of a variable, or the option. */
  readonly place: string
  readonly problem: string
  /** What to write instead; may be empty. */
  readonly hint: string
}

/** A configuration file that was found, not named, asks for what only a trusted one may have. */
export class ConfigNotTrustedError extends defineError(
  'ConfigNotTrustedError',
  ({
    file,
    hasChanged,
    problems,
  }: {
    file: string
    /** Whether it was trusted with another content. */
    hasChanged: boolean
    problems: readonly ConfigProblem[]
  }) => {
    const reasons = problems.map(({ place, problem }) => `${place}: ${problem}`).join('; ')
    const state = hasChanged ? 'has changed since you trusted it' : 'is not trusted'
    return {
      message: `${file} ${state}, but only a trusted file may do this: ${reasons}.`,
      hint: `Read it. If you want this, trust it as it is now: claude-agents config trust ${shellWord(file)} (or use it for one command: --config ${shellWord(file)})`,
    }
  },
) {}

/** The configuration cannot be used; everything that is wrong with it is reported at once. */
export class ConfigError extends defineError('ConfigError', (problems: readonly ConfigProblem[]) => {
  const details = { problems }
  const [first] = problems
  if (problems.length === 1 && first)
    return { details, message: `${first.place}: ${first.problem}.`, hint: first.hint }
  const lines = problems.map(({ place, problem, hint }) => `${place}: ${problem}.${hint && ` ${hint}`}`)
  return { details, message: lines.join('\n') }
}) {}
