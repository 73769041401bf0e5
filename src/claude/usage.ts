/**
 * The tokens of a call as the service counts them, and their price. A result has the cost of its call: prices are only for
 * estimates, such as that of a call that is cut off before its result, by what has streamed so far.
 */
import type { CallSpending, Usage } from './runner.ts'
import {
  jsonText,
  labelAt,
  numberAt,
  recordAt,
  recordsAt,
  stringAt,
  type UntrustedRecord,
} from './stream/untrusted-json.ts'

export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 }

export const addUsage = (one: Usage, other: Usage): Usage => ({
  inputTokens: one.inputTokens + other.inputTokens,
  outputTokens: one.outputTokens + other.outputTokens,
  cacheReadTokens: one.cacheReadTokens + other.cacheReadTokens,
  cacheCreationTokens: one.cacheCreationTokens + other.cacheCreationTokens,
})

/** The service's own token counts. */
export function usageOf(usage: UntrustedRecord | null): Usage {
  return {
    inputTokens: numberAt(usage, 'input_tokens') ?? 0,
    outputTokens: numberAt(usage, 'output_tokens') ?? 0,
    cacheReadTokens: numberAt(usage, 'cache_read_input_tokens') ?? 0,
    cacheCreationTokens: numberAt(usage, 'cache_creation_input_tokens') ?? 0,
  }
}

/** US dollars for a million tokens. */
interface Price {
  readonly input: number
  readonly output: number
}

/** The first that matches the name of a model decides. */
const PRICES: readonly (readonly [RegExp, Price])[] = [
  [/opus-4-[01]\b|opus-4-20|3-opus/, { input: 15, output: 75 }],
  [/opus/, { input: 5, output: 25 }],
  [/haiku/, { input: 1, output: 5 }],
]

/** Sonnet's, and that of a model that is not known here. */
const USUAL: Price = { input: 3, output: 15 }

/** To write a token to the cache costs a quarter more than to send it, to read it a tenth. */
const CACHE_WRITE = 1.25
const CACHE_READ = 0.1

/** What these tokens cost, in US dollars. */
export function estimatedCost(model: string | null, usage: Usage): number {
  const { input, output } = PRICES.find(([name]) => name.test(model ?? ''))?.[1] ?? USUAL
  const { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens } = usage
  const sent = inputTokens + CACHE_WRITE * cacheCreationTokens + CACHE_READ * cacheReadTokens
  return (input * sent + output * outputTokens) / 1e6
}

export interface StreamedUsage {
  /** A `stream_event` or `assistant` record, also one of a subagent. `model` is what answers, if the record does not tell. */
  add(type: 'stream_event' | 'assistant', record: UntrustedRecord, model: string | null): void
  /** The estimate; undefined if the model has said nothing. `prompt` is what was sent, if the service counts nothing. */
  spending(prompt: string): CallSpending | undefined
}

/** A message of the model that may still be streaming. */
interface OpenMessage {
  id: string | null
  readonly model: string | null
  usage: Usage
  /** The bytes of what was streamed, and of the blocks of a message that was not streamed. */
  streamed: number
  whole: number
  /** Whether the service has counted all of its output. */
  isComplete: boolean
}

/** About as many bytes are one token. */
const BYTES_PER_TOKEN = 4

/** How many subagents speak at once; of more, the oldest message counts as complete. */
const MOST_SPEAKERS = 100

/** The service counts the input of a message when it begins, and its output when it ends. In between, bytes are counted. */
export function streamedUsage(): StreamedUsage {
  /** The message of each speaker, which is the model itself or a subagent. */
  const open = new Map<string, OpenMessage>()
  let ended: Cost = { costUsd: 0, usage: NO_USAGE }
  let isCounted = false

  const end = (speaker: string) => {
    const message = open.get(speaker)
    if (message) ended = added(ended, message.model, usageWithStreamed(message))
    open.delete(speaker)
  }
  const messageOf = (speaker: string, id: string | null, model: string | null): OpenMessage => {
    const known = open.get(speaker)
    if (known && (id === null || known.id === null || known.id === id)) {
      known.id ??= id
      return known
    }
    const [oldest = speaker] = open.keys()
    end(known || open.size < MOST_SPEAKERS ? speaker : oldest)
    const message = { id, model, usage: NO_USAGE, streamed: 0, whole: 0, isComplete: false }
    open.set(speaker, message)
    return message
  }

  return {
    add(type, record, model) {
      const event = recordAt(record, 'event')
      const message = recordAt(type === 'assistant' ? record : event, 'message')
      const usage = recordAt(message, 'usage') ?? recordAt(event, 'usage')
      const delta = recordAt(event, 'delta')
      const streamed = delta === null ? 0 : deltaBytes(delta)
      if (message === null && usage === null && streamed === 0) return
      const speaker = labelAt(record, 'parent_tool_use_id') ?? ''
      const current = messageOf(speaker, labelAt(message, 'id'), labelAt(message, 'model') ?? model)
      current.streamed += streamed
      if (type === 'assistant')
        for (const block of recordsAt(message, 'content')) current.whole += blockBytes(block)
      if (usage === null) return
      isCounted = true
      if (stringAt(event, 'type') === 'message_delta') current.isComplete = true
      // Each count is that of the whole message so far.
      current.usage = largestUsage(current.usage, usageOf(usage))
    },
    spending(prompt) {
      if (open.size === 0) return undefined
      let all = ended
      for (const message of open.values()) all = added(all, message.model, usageWithStreamed(message))
      const [first] = open.values()
      const sent = { ...NO_USAGE, inputTokens: tokensIn(Buffer.byteLength(prompt)) }
      return { ...(isCounted ? all : added(all, first?.model ?? null, sent)), estimated: true }
    },
  }
}

type Cost = Pick<CallSpending, 'costUsd' | 'usage'>

const added = ({ costUsd, usage }: Cost, model: string | null, more: Usage): Cost => ({
  costUsd: costUsd + estimatedCost(model, more),
  usage: addUsage(usage, more),
})

const tokensIn = (bytes: number) => Math.ceil(bytes / BYTES_PER_TOKEN)

const usageWithStreamed = ({ usage, streamed, whole, isComplete }: OpenMessage): Usage => ({
  ...usage,
  outputTokens: isComplete
    ? usage.outputTokens
    : Math.max(usage.outputTokens, tokensIn(Math.max(streamed, whole))),
})

const largestUsage = (one: Usage, other: Usage): Usage => ({
  inputTokens: Math.max(one.inputTokens, other.inputTokens),
  outputTokens: Math.max(one.outputTokens, other.outputTokens),
  cacheReadTokens: Math.max(one.cacheReadTokens, other.cacheReadTokens),
  cacheCreationTokens: Math.max(one.cacheCreationTokens, other.cacheCreationTokens),
})

const bytesAt = (record: UntrustedRecord, key: string) => Buffer.byteLength(stringAt(record, key) ?? '')

const deltaBytes = (delta: UntrustedRecord) =>
  bytesAt(delta, 'text') + bytesAt(delta, 'thinking') + bytesAt(delta, 'partial_json')

const blockBytes = (block: UntrustedRecord) =>
  bytesAt(block, 'text') + bytesAt(block, 'thinking') + Buffer.byteLength(jsonText(block.input) ?? '')
