/** What is known of a task without asking for it: whether its agent would refuse it or had accepted it, how it ended, its cost. */
import { addUsage, NO_USAGE } from '../../../claude/usage.ts'
import { type AgentFact, agentFacts, type TaskOutcome } from '../../../events/agent-facts.ts'
import type { Identified, Recorded } from '../../../events/envelope.ts'
import { AgentNotFoundError, AgentStoppedError, MailboxFullError } from '../../../events/errors/agent.ts'
import type { ClaudeAgentError } from '../../../events/errors/base.ts'
import { ClosedError } from '../../../events/errors/usage.ts'
import { spendingIn } from '../../../events/spending.ts'
import type { EventStore } from '../../../store/event-store.ts'
import { followOnly } from '../../../store/follow.ts'
import type { AgentSnapshot } from '../machine.ts'
import type { Reply } from './ask.ts'

/** Why an agent accepts no new task; undefined if it does. */
export function refusalIn(
  { value, context: { queue, current } }: AgentSnapshot,
  agent: string,
  mailbox: number,
): ClaudeAgentError | undefined {
  if (value === 'absent') return new AgentNotFoundError({ agent, nearest: null })
  if (value === 'stopped') return new AgentStoppedError({ agent })
  if (queue.length + (current ? 1 : 0) >= mailbox) return new MailboxFullError({ agent, mailbox })
  return undefined
}

/** A task as its agent's log has it. */
export interface RecordedTask {
  readonly accepted: Recorded
  /** How it ended; absent while it is open. */
  readonly outcome?: Identified<TaskOutcome>
}

/** What the log has of a task; undefined if the agent does not know it. Reads back to its acceptance, and no further. */
export async function recordedTask(
  taskId: string,
  store: EventStore,
  stream: string,
): Promise<RecordedTask | undefined> {
  let outcome: Identified<TaskOutcome> | undefined
  for await (const recorded of store.read(stream, { direction: 'backwards' })) {
    if (recorded.data.taskId !== taskId) continue
    if (recorded.type === 'TaskAccepted') return { accepted: recorded, ...(outcome && { outcome }) }
    if (endsTask(recorded, taskId)) outcome = agentFacts.read(recorded) as Identified<TaskOutcome>
  }
  return undefined
}

/** How a task ended, after this version of the agent's stream; undefined if it is open. */
export async function outcomeInLog(
  taskId: string,
  store: EventStore,
  stream: string,
  after: number,
): Promise<Identified<TaskOutcome> | undefined> {
  for await (const recorded of store.read(stream, { after })) {
    const fact = agentFacts.read(recorded)
    if (endsTask(fact, taskId)) return fact as Identified<TaskOutcome>
  }
  return undefined
}

/** How an open task ends on which another process works. Throws ClosedError if the log is closed before. */
export async function outcomeElsewhere(
  { stream, position, data: { taskId } }: Recorded,
  store: EventStore,
): Promise<Identified<TaskOutcome>> {
  for await (const recorded of followOnly(store, { stream }, { after: position }))
    if (endsTask(recorded, String(taskId))) return agentFacts.read(recorded) as Identified<TaskOutcome>
  throw new ClosedError({ what: 'store' })
}

const TASK_ENDS = new Set<string>([
  'CallSucceeded',
  'TaskFailed',
  'TaskCancelled',
] satisfies AgentFact['type'][])

/** Whether a fact ends the task with this id. */
export const endsTask = ({ type, data }: { type: string; data: object }, taskId: string): boolean =>
  TASK_ENDS.has(type) && 'taskId' in data && data.taskId === taskId

const HOLDS = new Set<string>(['TaskHeld', 'CallDeferred'] satisfies AgentFact['type'][])
const RELEASES = new Set<string>(['CallStarted', 'TaskApproved', 'ToolDecided'] satisfies AgentFact['type'][])

/** Whether its task is held from this fact on. */
export const holdsTask = ({ type }: { readonly type: string }): boolean => HOLDS.has(type)

/** Whether its task continues with this fact, if it was held. */
export const releasesTask = ({ type }: { readonly type: string }): boolean => RELEASES.has(type)

export type TaskSpending = Pick<Reply, 'costUsd' | 'tokens' | 'usage'>

/** What the call that a fact ends has cost. */
export function taskSpending(data: object): TaskSpending {
  const { costUsd = 0, tokens = 0, usage = NO_USAGE } = spendingIn({ data }) ?? {}
  return { costUsd, tokens, usage }
}

/** What the calls of a task have cost, without what was known only after its task had ended. */
export async function spentOnTask(store: EventStore, stream: string, taskId: string): Promise<TaskSpending> {
  let spent = taskSpending({})
  for await (const recorded of store.read(stream, { direction: 'backwards' })) {
    if (recorded.data.taskId !== taskId) continue
    const { type, data } = agentFacts.read(recorded)
    if (type === 'TaskAccepted') break
    if (type === 'LateAnswerRecorded' || type === 'LateCostRecorded') continue
    const { costUsd, tokens, usage } = taskSpending(data)
    spent = {
      costUsd: spent.costUsd + costUsd,
      tokens: spent.tokens + tokens,
      usage: addUsage(spent.usage, usage),
    }
  }
  return spent
}
