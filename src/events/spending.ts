/** What calls cost, as the facts that end them tell it: every figure about money and tokens adds up what is read here. */
import type { JsonObject } from './json.ts'

/** What a call cost. */
export interface Spending {
  readonly costUsd: number
  readonly usage: Readonly<
    Record<'inputTokens' | 'outputTokens' | 'cacheReadTokens' | 'cacheCreationTokens', number>
  >
  /** As budgets count them. */
  readonly tokens: number
  /** Whether the call was cut off, or reported no price. */
  readonly estimated: boolean
}

/** What the call that a fact ends has cost; undefined if it ends none, or if nothing is known. */
export function spendingIn({ data }: { readonly data: object }): Spending | undefined {
  const { callId, costUsd, usage, tokens, estimated = false } = data as Partial<Spending> & JsonObject
  if (callId === undefined || costUsd === undefined || usage === undefined) return undefined
  return {
    costUsd,
    usage,
    tokens: tokens ?? usage.inputTokens + usage.outputTokens,
    estimated,
  }
}
