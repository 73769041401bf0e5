/** The library was called with something it cannot use: an invalid id, an invalid argument, a thing that is closed. */
import { ClaudeAgentError, type ErrorOptions } from './base.ts'

/** An id that is not a name we can use. */
export class InvalidIdError extends ClaudeAgentError<{ what: string; id: string; rule: string }> {
  readonly _tag = 'InvalidIdError'
  constructor(details: { what: string; id: string; rule: string }) {
    super(details, {
      message: `${JSON.stringify(shorten(details.id))} is not a valid ${details.what} id.`,
      hint: `Use ${details.rule}.`,
    })
  }
}

/** An argument or option that does not make sense. */
export class InvalidInputError extends ClaudeAgentError<{ what: string }> {
  readonly _tag = 'InvalidInputError'
  constructor(details: { what: string; problem: string; hint?: string }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `${details.what}: ${details.problem}.`,
        ...(details.hint === undefined ? {} : { hint: details.hint }),
      },
      options,
    )
  }
}

/** The orchestrator or the store is closed. */
export class ClosedError extends ClaudeAgentError<{ what: string }> {
  readonly _tag = 'ClosedError'
  constructor(details: { what: string }) {
    super(details, { message: `The ${details.what} is closed.`, hint: 'Open it again.' })
  }
}

const shorten = (text: string) => (text.length > 80 ? `${text.slice(0, 77)}...` : text)
