/** What can be wrong with a fact: one that cannot be recorded, one that this version cannot read. */
import { ClaudeAgentError, type ErrorOptions } from './base.ts'

/** A fact that does not fit its schema, or that changes nothing in the state it would be folded into. */
export class InvalidFactError extends ClaudeAgentError<{ type: string }> {
  readonly _tag = 'InvalidFactError'
  constructor(details: { type: string; problem: string }, options?: ErrorOptions) {
    super(
      details,
      { message: `${details.type} cannot be recorded: ${details.problem}. Nothing was written.` },
      options,
    )
  }
}

export class UnknownFactError extends ClaudeAgentError<{
  type: string
  v: number
  known: number | null
  position: number
}> {
  readonly _tag = 'UnknownFactError'
  constructor(details: { type: string; v: number; known: number | null; position: number }) {
    super(details, {
      message: `The log holds a ${details.type} of version ${details.v} at position ${details.position}; this program knows ${
        details.known === null ? 'no such fact' : `it up to version ${details.known}`
      }.`,
      hint: 'A newer claude-multi-agent wrote it: upgrade this one (npm install claude-multi-agent@latest).',
    })
  }
}
