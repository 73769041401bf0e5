/** What a call cost, as a fact holds it and as budgets count it. */
import type { CallSpending, Usage } from '../../claude/runner.ts'
import type { Amount } from '../../events/options/budget.ts'
import type { CallEnding } from './call.ts'

/** With the tokens as budgets count them, unless that is input plus output. */
export type CountedSpending = CallSpending & { readonly tokens?: number }

/** What the call cost; undefined if nothing is known. The weight of cached tokens is a setting, applied once, here. */
export function countedSpending(
  ending: CallEnding,
  tokensOf: (usage: Usage) => number,
): CountedSpending | undefined {
  const spent = ending.type === 'CallSucceeded' ? ending.result : ending.spent
  if (!spent) return undefined
  const { costUsd, usage, estimated } = spent
  const tokens = tokensOf(usage)
  const isPlain = tokens === usage.inputTokens + usage.outputTokens
  return { costUsd, usage, ...(isPlain ? {} : { tokens }), ...(estimated && { estimated }) }
}

export const amountSpent = ({ costUsd, usage, tokens }: CountedSpending): Amount => ({
  usd: costUsd,
  tokens: tokens ?? usage.inputTokens + usage.outputTokens,
})
