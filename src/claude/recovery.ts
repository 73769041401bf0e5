/** Finds out what became of a call that an earlier process started: answered, failed, unanswered, or never sent. */

import { OutputTooLargeError } from '../events/errors/call.ts'
import { defined } from '../events/json.ts'
import type { Concealment } from '../events/secrets/concealment.ts'
import { redactor } from '../events/secrets/redaction.ts'
import { eachChunk } from '../workspaces/agent-file.ts'
import { classify, endingOf, hopeless } from './classification.ts'
import { CALL_MARKER } from './environment.ts'
import { deferredIn, resultOf, spendingOf } from './process/call-ending.ts'
import { lastOutputAt, outputFiles, readStderr } from './process/call-output.ts'
import { isRunning } from './process/table.ts'
import { sweepCall, type TerminationContext, terminate, waitForEnd } from './process/termination.ts'
import { recordable } from './recordable.ts'
import type { Call, CallResult, ProcessIdentity, Recovered, Usage } from './runner.ts'
import { Sessions, type TurnStart } from './session/sessions.ts'
import {
  costReader,
  isLastOfAnswer,
  isMessage,
  isPrompt,
  isReadable,
  type LineReader,
  readTranscript,
  timeOf,
} from './session/transcripts.ts'
import { lineSplitter, OUTPUT_LIMITS, type OutputLimits } from './stream/line-splitter.ts'
import { asksForTheRest, longRecord, type StreamParser, streamParser } from './stream/parser.ts'
import {
  labelAt,
  parseRecord,
  recordAt,
  recordsAt,
  stringAt,
  type UntrustedRecord,
} from './stream/untrusted-json.ts'
import { addUsage, estimatedCost, NO_USAGE, usageOf } from './usage.ts'

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
  const result = await readTranscript(own.path, answer)
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

/**
 * The transcript's answer to this prompt, or of a turn that resumed without one (`null`); null if there is none.
 *
 * A killed call leaves a prompt without an answer, or ends in a tool use. The CLI's own lines (API errors, "No
 * response requested.") look like answers but are not. Neither is what a subagent said. A prompt that is a mere
 * prefix of ours was cut off when we died while sending it: its answer is to a different task. A line cut off by a
 * crash is skipped.
 *
 * The duration is from prompt to answer. The cost is what the transcript records; 2.1.197 records none, so it is
 * estimated by the tokens.
 */
export function answerReader(
  prompt: string | null,
  { before, costBefore }: TurnStart,
): LineReader<CallResult | null> {
  const cost = costReader()
  let asked: { readonly prompt: string; readonly at: number } | null = null
  let last: UntrustedRecord | null = null
  /** What was said before a cut, and whether the next message goes on from there. */
  let begun = ''
  let goesOn = false
  let latest: UntrustedRecord | null = null
  const texts = new Map<string | null, string>()
  const usage = new Map<string | number, Usage>()

  const addAssistant = (line: UntrustedRecord) => {
    const message = recordAt(line, 'message')
    const id = labelAt(message, 'id')
    const before = labelAt(recordAt(latest, 'message'), 'id')
    if (latest !== null && before !== id) {
      begun = goesOn ? begun + (texts.get(before) ?? '') : ''
      goesOn = false
    }
    latest = line
    // Newer versions also write what they tell the model.
    if (stringAt(message, 'stop_reason') === 'max_tokens') goesOn = true
    // Each block of a message has a line of its own; the answer is the last one with text.
    for (const block of recordsAt(message, 'content')) {
      const text = stringAt(block, 'type') === 'text' ? stringAt(block, 'text') : null
      if (text !== null) texts.set(id, text)
    }
    // Every line of a message repeats the usage of the whole message.
    usage.set(id ?? usage.size, usageOf(recordAt(message, 'usage')))
  }

  return {
    add(text) {
      cost.add(text)
      const line = parseRecord(text)
      const uuid = stringAt(line, 'uuid')
      if (line === null || uuid === null || before.has(uuid) || line.isSidechain === true) return
      if (asked === null && (prompt === null || isPrompt(line)))
        asked = { prompt: promptText(line), at: timeOf(line) }
      if (isMessage(line)) last = line
      if (stringAt(line, 'type') === 'assistant') addAssistant(line)
      // What a resumed turn is told first continues nothing that it has said.
      else if (line.isMeta === true && latest !== null) goesOn = asksForTheRest(promptText(line))
    },
    result() {
      if (asked === null || isCutOff(asked.prompt, prompt) || last === null || !isLastOfAnswer(last))
        return null
      const message = recordAt(last, 'message')
      const text = texts.get(labelAt(message, 'id'))
      if (text === undefined) return null
      const used = [...usage.values()].reduce(addUsage, NO_USAGE)
      const recorded = cost.result()
      const model = stringAt(message, 'model')
      return recordable({
        text: begun + text,
        costUsd: recorded === null ? estimatedCost(model, used) : recorded - costBefore,
        ...(recorded === null ? { estimated: true } : {}),
        usage: used,
        durationMs: timeOf(last) - asked.at,
        turns: null,
        model,
        stopReason: stringAt(message, 'stop_reason') ?? undefined,
        permissionDenials: [],
      })
    },
  }
}

function promptText(line: UntrustedRecord): string {
  const message = recordAt(line, 'message')
  return (
    stringAt(message, 'content') ??
    recordsAt(message, 'content')
      .map((block) => stringAt(block, 'text') ?? '')
      .join('')
  )
}

function isCutOff(written: string, prompt: string | null): boolean {
  if (prompt === null) return false
  const [kept, whole] = [written.trim(), prompt.trim()]
  return kept.length < whole.length && whole.startsWith(kept)
}
