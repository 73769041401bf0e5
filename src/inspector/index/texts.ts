/** The prompts and answers in facts: what people search. */
import type { Recorded } from '../../events/envelope.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import type { EventStore } from '../../store/event-store.ts'
import { isReference } from '../text.ts'
import type { SearchHit } from '../view.ts'

/** Where each type of fact has them. Answers that a run quotes are those of its agents. */
const FIELDS: Readonly<Record<string, readonly (readonly [field: string, where: SearchHit['where']])[]>> = {
  RunStarted: [
    ['prompt', 'asked'],
    ['textInput', 'asked'],
  ],
  TaskAccepted: [
    ['prompt', 'asked'],
    ['textInput', 'asked'],
  ],
  CallSucceeded: [['text', 'answered']],
  LateAnswerRecorded: [['text', 'answered']],
  // In logs of older versions.
  StepSucceeded: [['text', 'answered']],
}

export const hasTexts = (type: string): boolean => Object.hasOwn(FIELDS, type)

/** A text beside the log is searched up to this size, in bytes. */
const LARGEST_BODY = 4_000_000

export async function textsOf(
  { blobs }: EventStore,
  { type, data }: Recorded,
): Promise<readonly (readonly [text: string, where: SearchHit['where']])[]> {
  const found: (readonly [string, SearchHit['where']])[] = []
  for (const [field, where] of Object.hasOwn(FIELDS, type) ? (FIELDS[type] ?? []) : []) {
    const body = data[field]
    if (typeof body === 'string') found.push([body, where])
    if (!isReference(body) || body.bytes > LARGEST_BODY) continue
    try {
      found.push([await blobs.get(body), where])
    } catch (error) {
      // A text that is gone cannot be found.
      if (!(error instanceof ClaudeAgentError)) throw error
    }
  }
  return found
}
