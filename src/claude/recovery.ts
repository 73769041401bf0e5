/** What became of a call that an earlier process of ours started: answered, unanswered, or never sent. */
import { CALL_MARKER } from './environment.ts'
import { isRunning } from './process-table.ts'
import type { Call, ProcessIdentity, Recovered } from './runner.ts'
import { sweepCall } from './sweep.ts'
import { type TerminationContext, terminate, waitForEnd } from './termination.ts'
import { answerIn } from './transcript-reading.ts'
import { readTranscript } from './transcripts.ts'

/**
 * Waits for the call's process if it has outlived its owner, then reads the transcript.
 *
 * No transcript means that nothing was sent, but for the 50 to 80 ms after a request has left in which the CLI has not
 * written its first line yet (measured on 2.1.197 and 2.1.330). If both processes were killed just then, the same
 * call is sent again: no answer was lost by that, and no tool had run.
 */
export async function recoverCall(
  call: Call,
  options: { readonly process: ProcessIdentity | null; readonly signal: AbortSignal },
  context: TerminationContext,
): Promise<Recovered> {
  if (options.process !== null && (await isProcessOf(call, options.process, context))) {
    await waitForEnd(options.process, context, options.signal)
    if (await isRunning(context.table, options.process)) await terminate(options.process, context)
  }
  // Also one that was started and of which the log knows nothing: it was never given its prompt.
  await sweepCall(call.callId, context)
  return readOutcome(call)
}

/** The pid and the start time are those of the log, and the mark is the call's where it can be read. */
async function isProcessOf(
  call: Call,
  identity: ProcessIdentity,
  context: TerminationContext,
): Promise<boolean> {
  if (!(await isRunning(context.table, identity))) return false
  const environment = await context.table.environment(identity.pid)
  return environment === null || environment.get(CALL_MARKER) === call.callId
}

async function readOutcome(call: Call): Promise<Recovered> {
  const { home } = call.directories
  const own = await readTranscript(home, call.sessionId)
  if (own === null) return { outcome: 'unsent' }
  const parent = call.parentSessionId === null ? null : await readTranscript(home, call.parentSessionId)
  const result = answerIn({ own, parent }, call.prompt)
  return result === null ? { outcome: 'unanswered' } : { outcome: 'answered', result }
}
