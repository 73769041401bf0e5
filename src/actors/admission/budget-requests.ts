/** Calls as the budgets see them: whose they are, what they may cost, and which budget has no room for them. */
import type { Hold } from '../../events/agent-facts.ts'
import type { Amount } from '../../events/options/budget.ts'
import { estimateWith } from './budget-decisions.ts'
import type { BudgetLedger } from './budget-ledger.ts'
import { nameWithoutCopy } from './budget-machine.ts'
import type { BudgetScope } from './budget-scope.ts'

/** Whose call it is. */
export interface BudgetedCall {
  readonly callId: string
  readonly agent: string
  readonly runId?: string
}

/** A call that is about to be announced. */
export interface CallRequest extends BudgetedCall {
  readonly taskId: string
  /** How long the agent's stream is. */
  readonly agentVersion: number
  /** What it may cost, by the agent's own history. */
  readonly estimate: Amount
}

/** Why a call may not begin. */
export type BudgetHold = Hold & { readonly reason: 'budget' }

export const requestCost = ({ estimate, agent }: CallRequest, ledgers: readonly BudgetLedger[]): Amount =>
  estimateWith(
    estimate,
    agent,
    ledgers.map(({ context }) => context),
  )

export function refusedBy(ledgers: readonly BudgetLedger[], cost: Amount): BudgetHold | undefined {
  const full = ledgers.find((ledger) => !ledger.fits(cost))
  return full && { reason: 'budget', budget: full.stream, ...cost }
}

/** Whose budgets concern a call: everybody's, the run's, the agent's. */
export const scopesOf = ({ agent, runId }: Omit<BudgetedCall, 'callId'>): readonly BudgetScope[] => [
  {},
  ...(runId === undefined ? [] : [{ run: runId }]),
  { agent: nameWithoutCopy(agent) },
]
