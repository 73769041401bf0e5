/** The long texts of a fact, apart from what else it says: prompts and answers, in full. */
import { recordedTask } from '../../actors/agent/tasks/known-tasks.ts'
import { bodiesIn } from '../../actors/engine/bodies.ts'
import type { Recorded } from '../../events/envelope.ts'
import { describeError } from '../../events/errors/base.ts'
import { streamName } from '../../events/ids.ts'
import type { Json } from '../../events/json.ts'
import type { Body } from '../../events/task-input.ts'
import type { EventStore } from '../../store/event-store.ts'
import { widthOf } from '../terminal/text.ts'

export interface LongText {
  /** Where it is in the fact: `prompt`, `config.systemPrompt`. */
  readonly name: string
  readonly body: Body
}

export interface FactParts {
  /** What is short. */
  readonly rest: Json
  readonly texts: readonly LongText[]
}

/** @param longest How many columns a text may take that has no lines of its own. */
export function factParts(data: Json, longest: number, path = ''): FactParts {
  const isBody = (value: Json): value is string | Exclude<Body, string> => isLong(value, longest)
  if (isBody(data)) return { rest: null, texts: [{ name: path, body: data }] }
  if (typeof data !== 'object' || data === null) return { rest: data, texts: [] }
  const parts = Object.entries(data as Readonly<Record<string, Json>>).map(([name, value]) => {
    const place = Array.isArray(data) ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`
    return [name, factParts(value, longest, place), value] as const
  })
  const kept = parts.filter(([, , value]) => !isBody(value)).map(([name, { rest }]) => [name, rest] as const)
  return {
    rest: Array.isArray(data) ? kept.map(([, rest]) => rest) : Object.fromEntries(kept),
    texts: parts.flatMap(([, { texts }]) => texts),
  }
}

const isLong = (value: Json, longest: number): boolean =>
  typeof value === 'string'
    ? value.length > longest || value.includes('\n') || widthOf(value) > longest
    : typeof value === 'object' && value !== null && 'sha256' in value && 'bytes' in value

/** Whether a text is elsewhere than in its fact. */
export const isBlob = ({ body }: LongText): boolean => typeof body !== 'string'

/** The prompt of a step, or its answer: the facts of its run only name its task. */
export async function stepTexts(
  store: EventStore,
  { type }: Recorded,
  { data }: Recorded,
): Promise<readonly LongText[]> {
  const task = await recordedTask(String(data.taskId), store, streamName('agent', String(data.worker)))
  if (type === 'StepScheduled') {
    const { prompt, textInput } = (task?.accepted.data ?? {}) as { prompt?: Body; textInput?: Body | null }
    return [...named('prompt', prompt), ...named('textInput', textInput)]
  }
  return task?.outcome?.type === 'CallSucceeded' ? named('text', task.outcome.data.text) : []
}

const named = (name: string, body: Body | null | undefined): readonly LongText[] =>
  body === null || body === undefined ? [] : [{ name, body }]

/** A text that is no longer in the store says so. */
export async function textRead(store: EventStore, { body }: LongText): Promise<string> {
  return bodiesIn(store)
    .read(body)
    .catch((error) => `(${describeError(error).message})`)
}
