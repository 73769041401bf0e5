/** What an agent's calls have cost, added up. */
import { spendingIn } from '../../events/spending.ts'

/** What not every log has is absent while it is 0, so that states keep the hashes that old logs recorded. */
export interface AgentTotals {
  /** Answered calls. */
  readonly interactions: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costUsd: number
  /** What budgets count beyond input and output: tokens written to the cache, and a share of those read from it. */
  readonly cacheTokens?: number
  /** Calls without an answer that cost something. */
  readonly unanswered?: number
  /** The part of the cost that is an estimate. */
  readonly estimatedUsd?: number
}

/** The cost of a call. */
export interface CallCost {
  readonly usd: number
  readonly tokens: number
}

/** The tokens of all calls, as budgets count them. */
export const totalTokens = ({ inputTokens, outputTokens, cacheTokens = 0 }: AgentTotals): number =>
  inputTokens + outputTokens + cacheTokens

/**
 * The totals with what the call that a fact ends has cost.
 *
 * @param unanswered How many calls without an answer that adds.
 */
export function withSpending(totals: AgentTotals, data: object, unanswered = 0): AgentTotals {
  const spending = spendingIn({ data })
  if (!spending) return totals
  const { costUsd, usage, tokens, estimated } = spending
  const { inputTokens, outputTokens } = usage
  const seldom = {
    cacheTokens: (totals.cacheTokens ?? 0) + tokens - inputTokens - outputTokens,
    unanswered: (totals.unanswered ?? 0) + unanswered,
    estimatedUsd: (totals.estimatedUsd ?? 0) + (estimated ? costUsd : 0),
  }
  return {
    interactions: totals.interactions,
    inputTokens: totals.inputTokens + inputTokens,
    outputTokens: totals.outputTokens + outputTokens,
    costUsd: totals.costUsd + costUsd,
    ...Object.fromEntries(Object.entries(seldom).filter(([, amount]) => amount !== 0)),
  }
}

/** What a call cost, unless it was cut off and says nothing about the next one. */
export function lastCostIn(data: object): CallCost | undefined {
  const spending = spendingIn({ data })
  return spending && !spending.estimated ? { usd: spending.costUsd, tokens: spending.tokens } : undefined
}

export function isFree(data: object): boolean {
  const spending = spendingIn({ data })
  return !spending || (spending.costUsd === 0 && spending.tokens === 0)
}

/** Decides the state, so it is part of the kind's fingerprint. */
export const TOTALS_FOLD = { spendingIn, withSpending, lastCostIn, isFree }
