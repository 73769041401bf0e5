/** Makes a class of errors out of its tag and one function, from its details to its words. */
import { ClaudeAgentError, type ErrorOptions, type ErrorText, TAG } from './base.ts'

/** An error whose tag is known to the compiler, so that a union of errors is told apart by `_tag`. */
export interface TaggedError<Tag extends string, Details extends object> extends ClaudeAgentError<Details> {
  readonly _tag: Tag
}

/** A class of errors: `Given` is what it is made of, `Details` what it keeps. */
export interface ErrorClass<Tag extends string, Given extends object, Details extends object> {
  new (details: Given, options?: ErrorOptions): TaggedError<Tag, Details>
}

/**
 * The class to extend for an error with this tag. It keeps all that it is given as its details, unless `describe` says
 * which `details` to keep.
 *
 * @example
 * export class AgentBusyError extends defineError('AgentBusyError', ({ agent }: { agent: string }) => ({
 *   message: `Agent ${quoted(agent)} is working on a task.`,
 *   hint: 'Wait until it finishes, or cancel the task first.',
 * })) {}
 */
// Without the note below, a bundler keeps each class that a program does not use.
/* @__NO_SIDE_EFFECTS__ */
export function defineError<const Tag extends string, Given extends object, Details extends object = Given>(
  tag: Tag,
  describe: (given: Given) => ErrorText & { readonly details?: Details },
): ErrorClass<Tag, Given, Details> {
  return class extends ClaudeAgentError<Details> {
    static readonly [TAG]: string = tag
    readonly _tag = tag
    // A minifier renames classes.
    override readonly name: string = tag
    constructor(given: Given, options?: ErrorOptions) {
      const { details, ...text } = describe(given)
      super(details ?? (given as object as Details), text, options)
    }
  }
}
