/** Reads from a session's transcript how an unobserved call ended: pure functions over its lines. */

import { recordable } from '../recordable.ts'
import type { CallResult, Usage } from '../runner.ts'
import { asksForTheRest } from '../stream/parser.ts'
import {
  labelAt,
  numberAt,
  parseRecord,
  recordAt,
  recordsAt,
  stringAt,
  type UntrustedRecord,
} from '../stream/untrusted-json.ts'
import { addUsage, estimatedCost, NO_USAGE, usageOf } from '../usage.ts'

/** These end an answer. Any other reason means that the model wanted a tool, or was cut off. */
const FINAL = new Set(['end_turn', 'stop_sequence'])

/** A reader that is given a transcript line by line: it holds what it needs of them, not the lines. */
export interface LineReader<Result> {
  add(line: string): void
  result(): Result
}

/** What the turn of a call comes after. */
export interface TurnStart {
  /** The ids of the lines before it: a fork's transcript begins with the history of its parent. */
  readonly before: ReadonlySet<string>
  /** What that history cost. */
  readonly costBefore: number
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
      if (asked === null || isCutOff(asked.prompt, prompt) || last === null || !isAnswer(last)) return null
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

/** How a transcript ends. */
export interface TranscriptEnd {
  /** The id of the line that holds the answer; null if it ends in none. */
  readonly line: string | null
  /** What the chain has cost up to and including this session, if known. */
  readonly chainCostUsd: number | null
}

export function endReader(): LineReader<TranscriptEnd> {
  const cost = costReader()
  let answer: string | null = null
  return {
    add(line) {
      cost.add(line)
      const record = parseRecord(line)
      if (record === null || record.isSidechain === true || !isMessage(record)) return
      answer = isAnswer(record) ? stringAt(record, 'uuid') : null
    },
    result: () => ({ line: answer, chainCostUsd: cost.result() }),
  }
}

/** What the chain has cost up to this session, which newer versions record; null in older ones. */
export function costReader(): LineReader<number | null> {
  let cost: number | null = null
  return {
    add(line) {
      if (!line.includes('"cost-state"')) return
      const record = parseRecord(line)
      cost = stringAt(record, 'type') === 'cost-state' ? numberAt(record, 'totalCostUSD') : null
    },
    result: () => cost,
  }
}

/** The ids of all lines, up to and including the line `end` if it is given. */
export function idReader(end?: string): LineReader<ReadonlySet<string>> {
  const ids = new Set<string>()
  let isOver = false
  return {
    add(line) {
      if (isOver) return
      const id = stringAt(parseRecord(line), 'uuid')
      if (id !== null) ids.add(id)
      isOver = end !== undefined && containsLine(line, end)
    },
    result: () => ids,
  }
}

/** Text inside a line cannot match: its quotes are escaped. */
export const containsLine = (transcript: string, line: string): boolean =>
  transcript.includes(`"uuid":"${line}"`)

/** Which of these lines the transcript contains. */
export function containedReader(lines: ReadonlySet<string>): LineReader<ReadonlySet<string>> {
  const found = new Set<string>()
  const before = '"uuid":"'
  const length = 36
  return {
    add(text) {
      for (let at = text.indexOf(before); at !== -1; at = text.indexOf(before, at + before.length)) {
        const id = text.slice(at + before.length, at + before.length + length)
        if (lines.has(id) && text[at + before.length + length] === '"') found.add(id)
      }
    },
    result: () => found,
  }
}

export const isMessage = (line: UntrustedRecord) =>
  line.isMeta !== true && (stringAt(line, 'type') === 'user' || stringAt(line, 'type') === 'assistant')

/** A line of the user that is not a tool result. */
export function isPrompt(line: UntrustedRecord): boolean {
  if (stringAt(line, 'type') !== 'user' || line.isMeta === true) return false
  return !recordsAt(recordAt(line, 'message'), 'content').some(
    (block) => stringAt(block, 'type') === 'tool_result',
  )
}

/** A line of the model, whole or a part of an answer; not what the CLI says itself. */
export const isSaid = (line: UntrustedRecord): boolean =>
  stringAt(line, 'type') === 'assistant' &&
  line.isApiErrorMessage !== true &&
  line.aborted !== true &&
  stringAt(recordAt(line, 'message'), 'model') !== '<synthetic>'

const isAnswer = (line: UntrustedRecord): boolean =>
  isSaid(line) && FINAL.has(stringAt(recordAt(line, 'message'), 'stop_reason') ?? '')

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

export const timeOf = (line: UntrustedRecord) => Date.parse(stringAt(line, 'timestamp') ?? '') || 0
