/** A budget as others see it: what it covers and where it is kept, how it stands, and why it holds a call, in words. */
import type { Hold } from '../../events/agent-facts.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollars } from '../../events/figures.ts'
import { checkId } from '../../events/ids.ts'
import type { Amount, Limit } from '../../events/options/budget.ts'
import { type KnownKeys, refuseUnknownKeys } from '../../events/options/decoding.ts'
import { budgetKinds, nameWithoutCopy } from './budget.ts'
import { UNLIMITED } from './budget-arithmetic.ts'

/** An agent's budget covers its copies in pools. With neither field: the orchestrator's, which covers everything. */
export interface BudgetScope {
  readonly agent?: string
  readonly run?: string
}

const SCOPE: KnownKeys<BudgetScope> = { agent: 'a text', run: 'a text' }

/** The actor that keeps a budget: its kind and its id. */
export interface BudgetPlace {
  readonly of: keyof typeof budgetKinds
  readonly id: string
}

/** Throws InvalidIdError, or InvalidInputError if both an agent and a run are named. */
export function placeOf(scope: BudgetScope): BudgetPlace {
  refuseUnknownKeys(scope, SCOPE, { what: 'The budget', noun: 'scope' })
  const { agent, run } = scope
  if (agent !== undefined && run !== undefined)
    throw new InvalidInputError({
      what: 'The budget',
      problem: 'it belongs to an agent or to a run, not to both',
    })
  if (agent !== undefined) return { of: 'agent', id: checkId('agent', nameWithoutCopy(agent)) }
  return run === undefined
    ? { of: 'orchestrator', id: 'orchestrator' }
    : { of: 'run', id: checkId('run', run) }
}

export const streamOf = ({ of, id }: BudgetPlace): string => `${budgetKinds[of].kind}/${id}`

export function scopeOf(stream: string): BudgetScope {
  const [kind, id = ''] = stream.split('/')
  if (kind === budgetKinds.agent.kind) return { agent: id }
  return kind === budgetKinds.run.kind ? { run: id } : {}
}

/** `the budget of agent "writer"` */
export function nameOfBudget({ agent, run }: BudgetScope): string {
  if (agent !== undefined) return `the budget of agent "${agent}"`
  return run === undefined ? 'the budget' : `the budget of run ${run}`
}

/** A budget as it stands. */
export interface BudgetInfo {
  /** What it limits; empty for the orchestrator's budget, which covers everything. */
  readonly scope: BudgetScope
  /** null: no limit. */
  readonly limit: Limit
  readonly spent: Amount
  /** Reserved for calls that have not ended. */
  readonly reserved: Amount
  /** What can still be spent; null without a limit. Below zero if a call cost more than estimated. */
  readonly remaining: Limit
}

/** Why a call may not begin: a budget has no room for what it is estimated to cost. */
export type BudgetHold = Hold & { readonly reason: 'budget' }

/**
 * Why a budget holds a call, and how to resume it.
 *
 * @param budget The one that has no room, as it stands; null if that is not known.
 */
export function budgetHoldInWords(hold: Amount, budget: BudgetInfo | null) {
  return {
    message: `its next call does not fit into ${budget ? shortageIn(budget, hold) : 'a budget'}.`,
    hint: `It resumes when the budget has room: ${commandToRaise(budget)}`,
  }
}

/** `the budget: about $2.50 is needed, and $0.50 of $3.00 is left` */
function shortageIn({ scope, limit, remaining }: BudgetInfo, { usd, tokens }: Amount): string {
  const isShort = (left: number | null, needed: number) => left !== null && (left <= 0 || needed > left)
  const parts = [
    ...(isShort(remaining.usd, usd)
      ? [
          `about ${dollars(usd)} is needed, and ${dollars(Math.max(0, remaining.usd ?? 0))} of ${dollars(limit.usd ?? 0)} is left`,
        ]
      : []),
    ...(isShort(remaining.tokens, tokens)
      ? [
          `about ${tokens} tokens are needed, and ${Math.max(0, remaining.tokens ?? 0)} of ${limit.tokens} are left`,
        ]
      : []),
  ]
  return parts.length === 0 ? nameOfBudget(scope) : `${nameOfBudget(scope)}: ${parts.join('; ')}`
}

/** `claude-agents budget set --agent writer --usd N` */
export function commandToRaise(budget: Pick<BudgetInfo, 'scope' | 'limit'> | null): string {
  const { agent, run } = budget?.scope ?? {}
  const { usd, tokens } = budget?.limit ?? UNLIMITED
  const whose = agent !== undefined ? ` --agent ${agent}` : run !== undefined ? ` --run ${run}` : ''
  const limits = `${usd === null ? '' : ' --usd N'}${tokens === null ? '' : ' --tokens N'}`
  return `claude-agents budget set${whose}${limits}`
}
