/** What the transcript of a session says of a call whose end nobody saw: pure, over the text of the files. */

import type { CallResult, Usage } from '../runner.ts'
import { addUsage, usageOf } from '../stream/result-record.ts'
import {
  numberAt,
  parseRecord,
  recordAt,
  recordsAt,
  stringAt,
  type UntrustedRecord,
} from '../stream/untrusted-json.ts'

/** The text of a transcript, and of the one it was forked from: that one's history stands copied in it. */
export interface TranscriptTexts {
  readonly own: string
  readonly parent: string | null
  /** What all before it has cost; unless told, what the parent counts. */
  readonly costBefore?: number
}

/** These end an answer. Everything else means that the model wanted a tool, or was cut short. */
const FINAL = new Set(['end_turn', 'stop_sequence'])

/**
 * The answer that a transcript holds to this prompt; null when there is none.
 *
 * A killed call leaves the prompt without an answer, or ends in the use of a tool. The CLI's own lines (API errors,
 * "No response requested.") look like answers and are none. What a subagent said is not the answer either. A prompt
 * that is only the beginning of ours is what is left when we died while sending it: its answer is to another task.
 *
 * The time is from the prompt to the answer; the cost is what the transcript counts, if it does (2.1.197 counts
 * none there: then it is 0, because no price is known here).
 */
export function answerIn(texts: TranscriptTexts, prompt: string): CallResult | null {
  const turn = ownTurn(texts)
  const asked = turn.find((line) => isPrompt(line))
  if (!asked || isCut(promptText(asked), prompt)) return null
  const last = turn.findLast((line) => isSpoken(line))
  if (!last || !isAnswer(last)) return null
  const text = answerText(turn, last)
  if (text === null) return null
  return {
    text,
    costUsd: costOf(texts),
    usage: usageIn(turn),
    durationMs: Math.max(0, timeOf(last) - timeOf(asked)),
    turns: null,
    model: stringAt(recordAt(last, 'message'), 'model'),
    permissionDenials: [],
  }
}

/** The id of the last line of a transcript that ends in an answer; null when it ends in anything else. */
export function lastAnswer(transcript: string): string | null {
  for (const line of transcript.split('\n').reverse()) {
    const record = parseRecord(line)
    if (record === null || record.isSidechain === true || !isSpoken(record)) continue
    return isAnswer(record) ? stringAt(record, 'uuid') : null
  }
  return null
}

/** What the session has cost with all before it, as newer versions write it down; null where they do not. */
export function costState(transcript: string): number | null {
  const line = transcript.split('\n').findLast((candidate) => candidate.includes('"cost-state"'))
  const record = line === undefined ? null : parseRecord(line)
  return stringAt(record, 'type') === 'cost-state' ? numberAt(record, 'totalCostUSD') : null
}

function costOf({ own, parent, costBefore = costState(parent ?? '') ?? 0 }: TranscriptTexts): number {
  return Math.max(0, (costState(own) ?? 0) - costBefore)
}

/** The lines that are not the parent's. A line that was cut by a crash is left out. */
function ownTurn({ own, parent }: TranscriptTexts): readonly UntrustedRecord[] {
  const before = new Set(recordsOf(parent ?? '').map((line) => stringAt(line, 'uuid')))
  return recordsOf(own).filter(
    (line) =>
      stringAt(line, 'uuid') !== null && !before.has(stringAt(line, 'uuid')) && line.isSidechain !== true,
  )
}

const recordsOf = (text: string): UntrustedRecord[] =>
  text
    .split('\n')
    .map(parseRecord)
    .filter((record) => record !== null)

const isSpoken = (line: UntrustedRecord) =>
  line.isMeta !== true && (stringAt(line, 'type') === 'user' || stringAt(line, 'type') === 'assistant')

/** A line of the user that is no tool's result. */
function isPrompt(line: UntrustedRecord): boolean {
  if (stringAt(line, 'type') !== 'user' || line.isMeta === true) return false
  return !recordsAt(recordAt(line, 'message'), 'content').some(
    (block) => stringAt(block, 'type') === 'tool_result',
  )
}

function isAnswer(line: UntrustedRecord): boolean {
  const message = recordAt(line, 'message')
  return (
    stringAt(line, 'type') === 'assistant' &&
    line.isApiErrorMessage !== true &&
    line.aborted !== true &&
    stringAt(message, 'model') !== '<synthetic>' &&
    FINAL.has(stringAt(message, 'stop_reason') ?? '')
  )
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

function isCut(written: string, prompt: string): boolean {
  const [kept, whole] = [written.trim(), prompt.trim()]
  return kept.length < whole.length && whole.startsWith(kept)
}

/** Each block of a message has its own line; the answer is the last that holds text. */
function answerText(turn: readonly UntrustedRecord[], last: UntrustedRecord): string | null {
  const id = stringAt(recordAt(last, 'message'), 'id')
  const texts = turn
    .filter(
      (line) => stringAt(line, 'type') === 'assistant' && stringAt(recordAt(line, 'message'), 'id') === id,
    )
    .flatMap((line) => recordsAt(recordAt(line, 'message'), 'content'))
    .flatMap((block) => (stringAt(block, 'type') === 'text' ? (stringAt(block, 'text') ?? []) : []))
  return texts.at(-1) ?? null
}

/** Every line of a message repeats the usage of the whole. */
function usageIn(turn: readonly UntrustedRecord[]): Usage {
  const messages = turn
    .filter((line) => stringAt(line, 'type') === 'assistant')
    .map((line) => recordAt(line, 'message'))
  const byId = new Map(messages.map((message, index) => [stringAt(message, 'id') ?? index, message]))
  return [...byId.values()]
    .map((message) => usageOf(recordAt(message, 'usage')))
    .reduce(addUsage, usageOf(null))
}

const timeOf = (line: UntrustedRecord) => Date.parse(stringAt(line, 'timestamp') ?? '') || 0
