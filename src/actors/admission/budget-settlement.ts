/** What a call has come to, as far as its agent's log knows: for whoever has reserved something for it. */
import { type AgentFact, agentFacts } from '../../events/agent-facts.ts'
import type { BudgetFact, Reservation } from '../../events/budget-facts.ts'
import type { Amount } from '../../events/options/budget.ts'
import type { EventStore } from '../../store/event-store.ts'

export type Settlement = Omit<Extract<BudgetFact, { type: 'BudgetSettled' }>['data'], 'callId'>

/** Failures after which nothing was paid for: nothing was sent, or the account or the service refused it. */
const FREE = new Set([
  'BinaryNotFoundError',
  'CliIncompatibleError',
  'WorkspaceMissingError',
  'StartupRefusedError',
  'InvalidInvocationError',
  'SessionNotFoundError',
  'SessionInUseError',
  'InvalidSessionIdError',
  'AuthenticationError',
  'BillingError',
  'RateLimitedError',
  'OverloadedError',
  'ApiUnavailableError',
  'InvalidRequestError',
  'ModelNotFoundError',
  'PromptTooLargeError',
  'InvalidInputError',
  'InputNotFoundError',
  'InputKindError',
  'InputTooLargeError',
  'CloneError',
  'CloneTimeoutError',
])

/**
 * What is to be settled. undefined while the call goes on. A call that nobody has announced, or that was refused, has cost
 * nothing; one whose cost nobody knows counts with all that was reserved for it.
 */
export async function settlementOf(
  store: EventStore,
  { callId, taskId, agent, agentVersion, usd, tokens }: Reservation,
): Promise<Settlement | undefined> {
  const assumed: Settlement = { usd, tokens, outcome: 'assumed' }
  let found: Settlement | 'open' = released
  for await (const recorded of store.read(`agent/${agent}`, { after: agentVersion })) {
    const fact = agentFacts.read(recorded) as AgentFact
    if (found === 'open' && endsWithoutCall(fact, taskId)) found = assumed
    if (!('callId' in fact.data) || fact.data.callId !== callId) continue
    if (fact.type === 'CallStarted') found = 'open'
    if (fact.type === 'CallFailed') found = FREE.has(fact.data.error.tag) ? released : assumed
    if (fact.type === 'CallOutcomeUnknown') found = assumed
    const cost = settledCost(fact)
    // After a crash it is not always known what an answer has cost.
    if (cost) return isUncounted(fact, cost) ? assumed : { ...cost, outcome: 'spent' }
  }
  return found === 'open' ? undefined : found
}

const released: Settlement = { usd: 0, tokens: 0, outcome: 'released' }

/** The task was called off, or the agent removed, in the middle of the call. */
const endsWithoutCall = (fact: AgentFact, taskId: string) =>
  fact.type === 'AgentRemoved' || (fact.type === 'TaskCancelled' && fact.data.taskId === taskId)

const isUncounted = ({ data }: AgentFact, { usd }: Amount) =>
  usd === 0 && 'harvested' in data && data.harvested

/** What a fact says that was paid. */
export function settledCost(fact: AgentFact): Amount | undefined {
  if (fact.type !== 'CallSucceeded' && fact.type !== 'LateAnswerRecorded') return undefined
  const { costUsd, usage } = fact.data
  return { usd: Math.max(0, costUsd), tokens: usage.inputTokens + usage.outputTokens }
}
