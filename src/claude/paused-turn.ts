/** Continues a call whose turn the service has paused: the model is asked to continue, in the same session. */
import type { AgentRunner, Call, CallMessage, CallResult, CallSpending } from './runner.ts'
import { addUsage, NO_USAGE } from './usage.ts'

const PAUSED = 'pause_turn'

/** Long searches pause a few times. A turn that pauses for ever ends as a result that says so. */
const MOST_CONTINUATIONS = 5

const CONTINUE = 'Continue exactly where you stopped.'

/** Whether a call continues its own session in place, instead of a fork of its parent. */
export const continuesItself = ({
  sessionId,
  parentSessionId,
}: Pick<Call, 'sessionId' | 'parentSessionId'>) => sessionId === parentSessionId

/** Wraps `start` so that a paused turn is not taken for the whole answer. */
export function withContinuations(start: AgentRunner['start']): AgentRunner['start'] {
  return async function* continued(call, options) {
    let result: CallResult | null = null
    for (let left = MOST_CONTINUATIONS; ; left -= 1) {
      const next: Call = result === null ? call : continuationOf(call)
      let part: CallResult | null = null
      let spent: CallSpending | null = result
      try {
        for await (const message of start(next, options)) {
          if (message.type === 'result') part = message.result
          else if (message.type === 'spent') spent = together(result, message)
          else yield message
        }
      } catch (error) {
        if (result === null || options.signal.aborted) {
          if (spent !== null) yield { type: 'spent', ...onlySpending(spent) }
          throw error
        }
        // Half an answer was paid for: it is kept, and its stop reason says what it is.
        yield { type: 'warning', message: `the paused turn could not be continued: ${error}` }
        yield { type: 'result', result: { ...result, ...onlySpending(spent ?? result) } }
        return
      }
      if (part === null) {
        if (spent !== null) yield { type: 'spent', ...onlySpending(spent) }
        return
      }
      result = result === null ? part : joined(result, part, call)
      if (part.stopReason === PAUSED && left > 0) continue
      yield { type: 'result', result } satisfies CallMessage
      return
    }
  }
}

function continuationOf({ resumes: _, ...call }: Call): Call {
  return { ...call, parentSessionId: call.sessionId, prompt: CONTINUE }
}

const joined = (one: CallResult, other: CallResult, { settings }: Call): CallResult => ({
  ...other,
  // Structured output is complete in itself.
  text: settings.outputSchema === undefined ? one.text + other.text : other.text,
  ...together(one, other),
  durationMs: one.durationMs + other.durationMs,
  turns: one.turns === null || other.turns === null ? null : one.turns + other.turns,
  permissionDenials: [...one.permissionDenials, ...other.permissionDenials],
})

const onlySpending = ({ costUsd, usage, estimated }: CallSpending): CallSpending => ({
  costUsd,
  usage,
  ...(estimated && { estimated }),
})

const together = (one: CallSpending | null, other: CallSpending): CallSpending => ({
  costUsd: (one?.costUsd ?? 0) + other.costUsd,
  usage: addUsage(one?.usage ?? NO_USAGE, other.usage),
  ...((one?.estimated ?? other.estimated) && { estimated: true }),
})
