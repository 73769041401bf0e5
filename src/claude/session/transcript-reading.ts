/** Reads from a session's transcript how an unobserved call ended: pure functions over the text. */

import { recordable } from '../recordable.ts'
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

/** The text of a transcript, and of the one it was forked from, whose history it contains. */
export interface TranscriptTexts {
  readonly own: string
  readonly parent: string | null
  /** What the history before it cost. Default: the cost that the parent records. */
  readonly costBefore?: number
}

/** These end an answer. Any other reason means that the model wanted a tool, or was cut off. */
const FINAL = new Set(['end_turn', 'stop_sequence'])

/**
 * The transcript's answer to this prompt; null if there is none.
 *
 * A killed call leaves a prompt without an answer, or ends in a tool use. The CLI's own lines (API errors, "No
 * response requested.") look like answers but are not. Neither is what a subagent said. A prompt that is a mere
 * prefix of ours was cut off when we died while sending it: its answer is to a different task.
 *
 * The duration is from prompt to answer. The cost is what the transcript records; 2.1.197 records none, so it is 0,
 * because no price is known here.
 */
export function answerIn(texts: TranscriptTexts, prompt: string): CallResult | null {
  const turn = ownTurn(texts)
  const asked = turn.find((line) => isPrompt(line))
  if (!asked || isCutOff(promptText(asked), prompt)) return null
  const last = turn.findLast((line) => isMessage(line))
  if (!last || !isAnswer(last)) return null
  const text = answerText(turn, last)
  if (text === null) return null
  return recordable({
    text,
    costUsd: costOf(texts),
    usage: usageIn(turn),
    durationMs: Math.max(0, timeOf(last) - timeOf(asked)),
    turns: null,
    model: stringAt(recordAt(last, 'message'), 'model'),
    permissionDenials: [],
  })
}

/** The id of a transcript's last line if that is an answer; null otherwise. */
export function lastAnswer(transcript: string): string | null {
  for (const line of transcript.split('\n').reverse()) {
    const record = parseRecord(line)
    if (record === null || record.isSidechain === true || !isMessage(record)) continue
    return isAnswer(record) ? stringAt(record, 'uuid') : null
  }
  return null
}

/** What the chain has cost up to this session, which newer versions record; null in older ones. */
export function costState(transcript: string): number | null {
  const line = transcript.split('\n').findLast((candidate) => candidate.includes('"cost-state"'))
  const record = line === undefined ? null : parseRecord(line)
  return stringAt(record, 'type') === 'cost-state' ? numberAt(record, 'totalCostUSD') : null
}

function costOf({ own, parent, costBefore = costState(parent ?? '') ?? 0 }: TranscriptTexts): number {
  return Math.max(0, (costState(own) ?? 0) - costBefore)
}

/** The lines that are not the parent's. A line cut off by a crash is skipped. */
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

const isMessage = (line: UntrustedRecord) =>
  line.isMeta !== true && (stringAt(line, 'type') === 'user' || stringAt(line, 'type') === 'assistant')

/** A line of the user that is not a tool result. */
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

function isCutOff(written: string, prompt: string): boolean {
  const [kept, whole] = [written.trim(), prompt.trim()]
  return kept.length < whole.length && whole.startsWith(kept)
}

/** Each block of a message has a line of its own; the answer is the last one with text. */
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

/** Every line of a message repeats the usage of the whole message. */
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
