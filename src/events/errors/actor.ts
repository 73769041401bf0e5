/** What can be wrong with an actor of the user's own. */
import { ClaudeAgentError } from './base.ts'

/** The actor does not run: it has ended, and nobody has started it again. */
export class ActorStoppedError extends ClaudeAgentError<{ stream: string; reason: string }> {
  readonly _tag = 'ActorStoppedError'
  constructor(details: { stream: string; reason: string }) {
    super(details, {
      message: `${details.stream} does not run: it has ended (${details.reason}).`,
      hint: 'Spawn it again: its state is in the log. A supervisor does that by itself.',
    })
  }
}

/** The log has a stream of a kind that this program does not know. */
export class UnknownKindError extends ClaudeAgentError<{ stream: string }> {
  readonly _tag = 'UnknownKindError'
  constructor(details: { stream: string }) {
    super(details, {
      message: `${details.stream} is of a kind that this program does not know: its facts can be read, and its states not.`,
      hint: 'Give its definition: the option actors in a program, --module FILE on the command line.',
    })
  }
}
