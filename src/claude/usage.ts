/** The tokens of a call as the service counts them, and their price: only for estimates, as a result has the cost of its call. */
import type { Usage } from './runner.ts'
import { numberAt, type UntrustedRecord } from './stream/untrusted-json.ts'

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
