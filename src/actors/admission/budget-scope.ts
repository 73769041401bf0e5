/** What a budget limits, and the stream that keeps it. */
import { InvalidInputError } from '../../events/errors/usage.ts'
import { checkId } from '../../events/ids.ts'
import { budgetKinds, nameWithoutCopy } from './budget-machine.ts'

/** An agent's budget covers its copies in pools. With neither field: the orchestrator's, which covers everything. */
export interface BudgetScope {
  readonly agent?: string
  readonly run?: string
}

/** The actor that keeps a budget: its kind and its id. */
export interface BudgetPlace {
  readonly of: keyof typeof budgetKinds
  readonly id: string
}

/** Throws InvalidIdError, or InvalidInputError if both an agent and a run are named. */
export function placeOf({ agent, run }: BudgetScope): BudgetPlace {
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
