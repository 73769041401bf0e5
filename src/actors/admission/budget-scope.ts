/** What a budget is for, where it is kept, and what had been spent there before it was set. */
import { type AgentFact, agentFacts } from '../../events/agent-facts.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { checkId } from '../../events/ids.ts'
import type { Amount } from '../../events/options/budget.ts'
import type { EventStore } from '../../store/event-store.ts'
import { budgetKinds, nameWithoutCopy, sum } from './budget-machine.ts'
import { settledCost } from './budget-settlement.ts'

/** Without a name it is that of the orchestrator: of everything. An agent's is that of its copies in pools as well. */
export interface BudgetScope {
  readonly agent?: string
  readonly run?: string
}

/** The kind of the actor that keeps it, and its id. */
export interface BudgetPlace {
  readonly of: keyof typeof budgetKinds
  readonly id: string
}

/** Throws InvalidIdError, or InvalidInputError where an agent and a run are named. */
export function placeOf({ agent, run }: BudgetScope): BudgetPlace {
  if (agent !== undefined && run !== undefined)
    throw new InvalidInputError({ what: 'The budget', problem: 'it is of an agent or of a run, not of both' })
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

/** What was paid for so far, but for the calls that are named. Reads what is concerned from its beginning. */
export async function spentBefore(
  store: EventStore,
  { agent, run }: BudgetScope,
  without: ReadonlySet<string>,
): Promise<Amount> {
  if (run !== undefined) return spentByRun(store, run)
  const spent: Amount[] = []
  const from = agent === undefined ? 0 : await createdAt(store, agent)
  for await (const { stream } of store.streams({
    prefix: agent === undefined ? 'agent/' : `agent/${agent}`,
  })) {
    if (agent !== undefined && nameWithoutCopy(stream) !== `agent/${agent}`) continue
    for await (const recorded of store.read(stream)) {
      const { callId } = recorded.data
      if (typeof callId !== 'string' || recorded.position < from || without.has(callId)) continue
      const cost = settledCost(agentFacts.read(recorded) as AgentFact)
      if (cost) spent.push(cost)
    }
  }
  return sum(spent)
}

/** An agent of this name may have been removed since: that was another one. */
async function createdAt(store: EventStore, agent: string): Promise<number> {
  for await (const { type, position } of store.read(`agent/${agent}`, { direction: 'backwards' }))
    if (type === 'AgentCreated') return position
  return 0
}

async function spentByRun(store: EventStore, run: string): Promise<Amount> {
  const spent: Amount[] = []
  for await (const { type, data } of store.read(`run/${run}`))
    if (type === 'StepSucceeded') spent.push({ usd: Number(data.costUsd), tokens: Number(data.tokens) })
  return sum(spent)
}
