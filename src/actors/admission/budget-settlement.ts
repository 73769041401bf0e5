/** What calls have cost, read from the log: the settlement of a reservation, and the total spent in a scope. */
import { type AgentFact, agentFacts } from '../../events/agent-facts.ts'
import type { BudgetFact, Reservation } from '../../events/budget-facts.ts'
import type { Amount } from '../../events/options/budget.ts'
import { amountOf, type Spending, spendingIn } from '../../events/spending.ts'
import type { EventStore } from '../../store/event-store.ts'
import { nameWithoutCopy } from './budget.ts'
import { sum } from './budget-arithmetic.ts'
import type { BudgetScope } from './budget-scope.ts'

export type Settlement = Omit<Extract<BudgetFact, { type: 'BudgetSettled' }>['data'], 'callId'>

/** Failures that cost nothing: nothing was sent, or the account or the service refused it. */
const FREE = new Set([
  'BinaryNotFoundError',
  'CliIncompatibleError',
  'WorkspaceMissingError',
  'StartupRefusedError',
  'DiskFullError',
  'InvalidInvocationError',
  'McpSecretError',
  'McpServerError',
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
  'InputChangedError',
  'CloneError',
  'CloneTimeoutError',
])

/**
 * The settlement of a reservation; undefined while the call is open. What a call reported counts, however it ended. A call
 * that was never announced, or was refused, has cost nothing; one of unknown cost counts with everything that was reserved
 * for it.
 *
 * @param mayBegin Whether a call that was not announced may still be. `isGivenUp`: the log says that no other process will, as
 * its task has ended, or its agent has begun another call, and makes one at a time.
 */
export async function settlementOf(
  store: EventStore,
  { callId, taskId, agent, agentVersion, usd, tokens }: Reservation,
  mayBegin: (isGivenUp: boolean) => boolean,
): Promise<Settlement | undefined> {
  const assumed: Settlement = { usd, tokens, outcome: 'assumed' }
  let found: Settlement | 'open' = released
  let isAnnounced = false
  let isGivenUp = false
  for await (const recorded of store.read(`agent/${agent}`, { after: agentVersion })) {
    const fact = agentFacts.read(recorded) as AgentFact
    if (found === 'open' && endsWithoutCall(fact, taskId)) found = assumed
    isGivenUp ||= givesUp(fact, taskId)
    if (!('callId' in fact.data) || fact.data.callId !== callId) continue
    isAnnounced = true
    const spending = spendingIn(fact)
    if (spending) return settled(fact, spending) ?? assumed
    if (fact.type === 'CallStarted') found = 'open'
    if (fact.type === 'CallFailed' && !fact.data.running)
      found = FREE.has(fact.data.error.tag) ? released : assumed
    if (fact.type === 'CallOutcomeUnknown' || fact.type === 'CallDeferred') found = assumed
  }
  return found === 'open' || (!isAnnounced && mayBegin(isGivenUp)) ? undefined : found
}

const released: Settlement = { usd: 0, tokens: 0, outcome: 'released' }

/** Given what was not announced before. */
const givesUp = ({ type, data }: AgentFact, taskId: string) =>
  type === 'CallStarted' ||
  type === 'AgentRemoved' ||
  (ENDS.has(type) && 'taskId' in data && data.taskId === taskId)

const ENDS = new Set(['TaskFailed', 'TaskCancelled'])

/** The agent was removed during the call, or the task was cancelled in an older log, where no end of the call follows. */
const endsWithoutCall = (fact: AgentFact, taskId: string) =>
  fact.type === 'AgentRemoved' ||
  (fact.type === 'TaskCancelled' && fact.data.taskId === taskId && !fact.data.running)

/** undefined if the cost of an answer found after a crash is not known. */
function settled({ type, data }: AgentFact, spending: Spending): Settlement | undefined {
  const { usd, tokens } = amountOf(spending)
  if (usd === 0 && 'harvested' in data && data.harvested) return undefined
  if (usd === 0 && tokens === 0 && type !== 'CallSucceeded') return released
  return { usd, tokens, outcome: spending.estimated ? 'estimated' : 'spent' }
}

/** What was spent in a scope so far, without the given calls. Reads its streams from the beginning. */
export async function spentBefore(
  store: EventStore,
  { agent, run }: BudgetScope,
  without: ReadonlySet<string>,
): Promise<Amount> {
  if (run !== undefined) return spentByRun(store, run, without)
  const spent: Amount[] = []
  const from = agent === undefined ? 0 : await createdAt(store, agent)
  for await (const { stream } of store.streams({
    prefix: agent === undefined ? 'agent/' : `agent/${agent}`,
  })) {
    if (agent !== undefined && nameWithoutCopy(stream) !== `agent/${agent}`) continue
    for await (const recorded of store.read(stream)) {
      const { callId } = recorded.data
      if (typeof callId !== 'string' || recorded.position < from || without.has(callId)) continue
      const spending = spendingIn(agentFacts.read(recorded))
      if (spending) spent.push(amountOf(spending))
    }
  }
  return sum(spent)
}

/** Facts before the last creation belong to a removed agent of the same name. */
async function createdAt(store: EventStore, agent: string): Promise<number> {
  for await (const { type, position } of store.read(`agent/${agent}`, { direction: 'backwards' }))
    if (type === 'AgentCreated') return position
  return 0
}

/** Read where the calls were made: the run hears of an answer only after its agent has recorded it. */
async function spentByRun(store: EventStore, run: string, without: ReadonlySet<string>): Promise<Amount> {
  const tasks = new Set<string>()
  const workers = new Set<string>()
  for await (const { type, data } of store.read(`run/${run}`)) {
    // An answer that was carried over from another run belongs to a task of that run.
    if (type !== 'StepScheduled' || !String(data.taskId).startsWith(`${run}.`)) continue
    tasks.add(String(data.taskId))
    workers.add(String(data.worker))
  }
  const spent: Amount[] = []
  for (const worker of workers)
    for await (const recorded of store.read(`agent/${worker}`)) {
      const { taskId, callId } = recorded.data
      if (!tasks.has(String(taskId)) || without.has(String(callId))) continue
      const spending = spendingIn(agentFacts.read(recorded))
      if (spending) spent.push(amountOf(spending))
    }
  return sum(spent)
}
