/** What calls cost, as the facts that end them tell it: every figure about money and tokens adds up what is read here. */
import type { JsonObject } from './json.ts'
import type { Amount } from './options/budget.ts'

type Usage = Readonly<
  Record<'inputTokens' | 'outputTokens' | 'cacheReadTokens' | 'cacheCreationTokens', number>
>

/** What a call cost. */
export interface Spending {
  readonly costUsd: number
  readonly usage: Usage
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

/** What a call cost as a fact holds it. */
export interface RecordedSpending {
  readonly costUsd: number
  readonly usage: Usage
  /** As budgets count them; absent if that is input plus output. */
  readonly tokens?: number
  readonly estimated?: true
}

/** @param tokens Its tokens as budgets count them. */
export function recordedSpending(
  { costUsd, usage, estimated }: RecordedSpending,
  tokens: number,
): RecordedSpending {
  const isPlain = tokens === usage.inputTokens + usage.outputTokens
  return { costUsd, usage, ...(isPlain ? {} : { tokens }), ...(estimated && { estimated }) }
}

/** What a budget counts. */
export const amountOf = ({
  costUsd,
  usage,
  tokens = usage.inputTokens + usage.outputTokens,
}: Omit<RecordedSpending, 'estimated'>): Amount => ({ usd: Math.max(0, costUsd), tokens })
