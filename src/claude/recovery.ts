/** Finds out what became of a call that an earlier process started: answered, failed, unanswered, or never sent. */

import { OutputTooLargeError } from '../events/errors/call.ts'
import { defined } from '../events/json.ts'
import type { Concealment } from '../events/secrets/concealment.ts'
import { redactor } from '../events/secrets/redaction.ts'
import { eachChunk } from '../workspaces/agent-file.ts'
import { classify, hopeless } from './classification.ts'
import { CALL_MARKER } from './environment.ts'
import { resultOf, spendingOf } from './process/call-ending.ts'
import { lastOutputAt, outputFiles, readStderr } from './process/call-output.ts'
import { isRunning } from './process/table.ts'
import { sweepCall, type TerminationContext, terminate, waitForEnd } from './process/termination.ts'
import type { Call, ProcessIdentity, Recovered } from './runner.ts'
import { Sessions } from './session/origin.ts'
import { answerReader } from './session/transcript-reading.ts'
import { eachLine, isReadable } from './session/transcripts.ts'
import { lineSplitter, OUTPUT_LIMITS, type OutputLimits } from './stream/line-splitter.ts'
import { longRecord, type StreamParser, streamParser } from './stream/parser.ts'
import { deferredIn, endingOf } from './stream/result-record.ts'

export interface RecoveryContext extends TerminationContext {
  readonly limits: OutputLimits
  /** Values that an error must not repeat. */
  readonly secrets: readonly string[]
  /** What is in no answer either. */
  readonly concealed: Concealment
}

/**
 * Waits for the call's process if it outlived its owner, then reads its output and transcript.
 *
 * The transcript alone is not enough: its first lines are written 50 to 80 ms after the request is sent (measured on
 * 2.1.197 and 2.1.330), so a call killed in between would look as if it had never been sent.
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
  /** The process in the log; null if none was recorded. */
  readonly process: ProcessIdentity | null
  /** Until this aborts, the process may run to its end. */
  readonly signal: AbortSignal
}

/** Resolves when nothing that an earlier process of ours started for the call is running. */
export async function endLeftover(
  call: Call,
  options: LeftoverOptions,
  context: TerminationContext,
): Promise<void> {
  if (options.process !== null && (await isProcessOf(call, options.process, context))) {
    await waitForEnd(options.process, context, options.signal)
    if (await isRunning(context.table, options.process)) await terminate(options.process, context)
  }
  // Includes a process that the log does not know: it was started, but never given its prompt.
  await sweepCall(call.callId, context)
}

/** The pid and start time match the log, and so does the call's marker if it can be read. */
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
 * The output says most: the result with its cost, the final error, or that a request was started. If the process was
 * killed right after the answer, only the transcript has it. If there is neither, nothing was sent.
 */
async function readOutcome(call: Call, { limits, secrets, concealed }: RecoveryContext): Promise<Recovered> {
  const { home } = call.directories
  const output = outputFiles(home, call.callId)
  const redact = redactor({ secrets, prompts: [call.prompt, call.settings.systemPrompt] })
  const read = await readOutput(output.stdout, streamParser(redact, concealed), limits)
  const { facts } = read
  const sessions = new Sessions(home)
  const spending = async () => defined({ spent: await spendingOf(call, { ...read, sessions }) })
  if (facts.result !== null) {
    const deferred = deferredIn(facts.result)
    if (deferred) return { outcome: 'deferred', deferred, ...(await spending()) }
    const error = classify(
      {
        ...UNSEEN_END,
        stderr: await readStderr(output),
        ending: endingOf(facts.result),
        assistantError: facts.assistantError,
        endsOpen: facts.endsOpen,
        structuredOutputRequested: call.settings.outputSchema !== undefined,
        windows: facts.windows,
        saidAt: await lastOutputAt(output),
      },
      redact,
    )
    if (error !== null) return { outcome: 'failed', error, ...(await spending()) }
    const { result } = await resultOf(call, facts.result, { facts, redact, sessions })
    return { outcome: 'answered', result }
  }
  // The refusal for which we had killed the call ourselves.
  const refusal = hopeless(facts, false)
  if (refusal !== null) return { outcome: 'failed', error: refusal }
  const unanswered = async () => ({ outcome: 'unanswered' as const, ...(await spending()) })
  const own = await sessions.transcriptOf(call.sessionId)
  if (!own || !(await isReadable(own.path)))
    return isBegun(call, facts) || own ? unanswered() : { outcome: 'unsent' }
  const answer = answerReader(call.resumes ? null : call.prompt, await sessions.turnStart(call, own.path))
  await eachLine(own.path, answer.add)
  const result = answer.result()
  if (result === null) return unanswered()
  return { outcome: 'answered', result: { ...result, text: concealed.text(result.text) } }
}

/** Whether it may have done something. A tool that was approved runs before anything is requested, but not before it is told. */
const isBegun = ({ resumes }: Call, { requested, version, countedBytes }: StreamParser['facts']) =>
  requested || (resumes !== undefined && (version !== null || countedBytes > 0))

/** We did not see how the process exited: only its output is evidence. */
const UNSEEN_END = {
  spawnError: null,
  workspaceExists: true,
  stopped: null,
  exitCode: null,
  signal: null,
  endsUnreadable: false,
} as const

/** Parses whatever output the call left; possibly none. */
async function readOutput(path: string, parser: StreamParser, limits: OutputLimits): Promise<StreamParser> {
  const lines = lineSplitter(limits, longRecord)
  try {
    await eachChunk(path, limits.diskBytes ?? OUTPUT_LIMITS.diskBytes, (chunk) => {
      for (const line of lines.push(chunk)) parser.read(line)
    })
    for (const line of lines.end()) parser.read(line)
  } catch (error) {
    // Over its limit: the transcript decides.
    if (!(error instanceof OutputTooLargeError)) throw error
  }
  return parser
}
