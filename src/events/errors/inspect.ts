/** What can be wrong with looking inside. */
import { ClaudeAgentError } from './base.ts'

/** The inspector cannot listen on the port that was asked for. */
export class PortUnavailableError extends ClaudeAgentError<{ port: number; code: string }> {
  readonly _tag = 'PortUnavailableError'
  constructor(details: { port: number; code: string }, options?: { cause?: unknown }) {
    const { port, code } = details
    const why = code === 'EADDRINUSE' ? 'another program listens there' : code
    super(
      details,
      {
        message: `The inspector cannot listen on port ${port} of 127.0.0.1: ${why}.`,
        hint: 'Choose another one with --port, or none: a free one is found.',
      },
      options,
    )
  }
}
