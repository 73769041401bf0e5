/** What became of a call that an earlier process of ours started: answered, failed, unanswered, or never sent. */
import { systemClock } from '../clock.ts'
import { type Redact, redactor } from '../events/redaction.ts'
import { classify } from './classification.ts'
import { CALL_MARKER } from './environment.ts'
import { hopeless } from './hopeless-call.ts'
import { resultOf } from './process/call-ending.ts'
import { outputFiles, readStderr } from './process/call-output.ts'
import { sweepCall } from './process/sweep.ts'
import { isRunning } from './process/table.ts'
import { type TerminationContext, terminate, waitForEnd } from './process/termination.ts'
import type { Call, ProcessIdentity, Recovered } from './runner.ts'
import { historyOf } from './session/origin.ts'
import { answerIn } from './session/transcript-reading.ts'
import { readTranscript } from './session/transcripts.ts'
import { followFile } from './stream/file-follower.ts'
import { lineSplitter, type OutputLimits } from './stream/line-splitter.ts'
import { type StreamFacts, streamParser } from './stream/parser.ts'
import { endingOf } from './stream/result-record.ts'

export interface RecoveryContext extends TerminationContext {
  readonly limits: OutputLimits
  /** What an error must not repeat. */
  readonly secrets: readonly string[]
}

/**
 * Waits for the call's process if it has outlived its owner, then reads the transcript.
 *
 * The transcript alone would not do: its first lines are written 50 to 80 ms after the request has left (measured on
 * 2.1.197 and 2.1.330), so that a call which was killed in between would look as if it had never been sent.
 */
export async function recoverCall(
  call: Call,
  options: LeftoverOptions,
  context: RecoveryContext,
): Promise<Recovered> {
  await endLeftover(call, options, context)
  return readOutcome(call, context)
}

export interface LeftoverOptions {
  /** As the log knows it; null when it knows of none. */
  readonly process: ProcessIdentity | null
  /** Until it aborts the process has time to end by itself. */
  readonly signal: AbortSignal
}

/** Resolves when nothing of a call that an earlier process of ours started runs any more. */
export async function endLeftover(
  call: Call,
  options: LeftoverOptions,
  context: TerminationContext,
): Promise<void> {
  if (options.process !== null && (await isProcessOf(call, options.process, context))) {
    await waitForEnd(options.process, context, options.signal)
    if (await isRunning(context.table, options.process)) await terminate(options.process, context)
  }
  // Also one that was started and of which the log knows nothing: it was never given its prompt.
  await sweepCall(call.callId, context)
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

/**
 * What it printed tells most: the result with its cost, the error it ended in, or that a request was begun. The
 * transcript has the answer when the process was killed right after it. With neither, nothing has left.
 */
async function readOutcome(call: Call, { limits, secrets }: RecoveryContext): Promise<Recovered> {
  const { home } = call.directories
  const output = outputFiles(home, call.callId)
  const redact = redactor({ secrets, prompts: [call.prompt, call.settings.systemPrompt] })
  const facts = await readOutput(output.stdout, redact, limits)
  if (facts.result !== null) {
    const error = classify(
      {
        ...UNSEEN_END,
        stderr: await readStderr(output),
        ending: endingOf(facts.result),
        assistantError: facts.assistantError,
      },
      redact,
    )
    if (error !== null) return { outcome: 'failed', error }
    return { outcome: 'answered', result: (await resultOf(call, facts.result, { facts, redact })).result }
  }
  // One that we had ended for that.
  const refusal = hopeless(facts, false)
  if (refusal !== null) return { outcome: 'failed', error: refusal }
  const own = await readTranscript(home, call.sessionId)
  if (own === null) return { outcome: facts.requested ? 'unanswered' : 'unsent' }
  const before = await historyOf(call, own)
  const result = answerIn({ own, parent: before.text, costBefore: before.costUsd }, call.prompt)
  return result === null ? { outcome: 'unanswered' } : { outcome: 'answered', result }
}

/** How a process ended whose owner was gone by then: only its own words tell. */
const UNSEEN_END = {
  spawnError: null,
  workspaceExists: true,
  stopped: null,
  exitCode: null,
  signal: null,
  endsUnreadable: false,
  formRequested: false,
} as const

/** All that is left of what a call printed; there may be nothing. */
async function readOutput(path: string, redact: Redact, limits: OutputLimits): Promise<StreamFacts> {
  const parser = streamParser(redact)
  const lines = lineSplitter(limits)
  const complete = AbortSignal.abort()
  const hear = (chunk: Uint8Array) => {
    for (const line of lines.push(chunk)) parser.read(line)
  }
  try {
    await followFile(path, { clock: systemClock, hear, complete })
    for (const line of lines.end()) parser.read(line)
  } catch {
    // Missing, or more than it may be: then the transcript has to tell.
  }
  return parser.facts
}
