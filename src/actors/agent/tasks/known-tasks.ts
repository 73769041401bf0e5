/** What is known of a task without asking for it: whether its agent would refuse it, had accepted it, and how it ended. */
import { type AgentFact, agentFacts, type TaskOutcome } from '../../../events/agent-facts.ts'
import type { Identified, Recorded } from '../../../events/envelope.ts'
import { AgentNotFoundError, AgentStoppedError, MailboxFullError } from '../../../events/errors/agent.ts'
import type { ClaudeAgentError } from '../../../events/errors/base.ts'
import type { EventStore } from '../../../store/event-store.ts'
import type { AgentSnapshot } from '../machine.ts'

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

/** The fact that accepted a task; undefined if the agent does not know it. Looked up only before it is refused. */
export async function acceptanceOf(
  taskId: string,
  store: EventStore,
  stream: string,
): Promise<Recorded | undefined> {
  for await (const fact of store.read(stream, { direction: 'backwards' }))
    if (fact.type === 'TaskAccepted' && fact.data.taskId === taskId) return fact
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

const TASK_ENDS = new Set<string>([
  'CallSucceeded',
  'TaskFailed',
  'TaskCancelled',
] satisfies AgentFact['type'][])

/** Whether a fact ends the task with this id. */
export const endsTask = ({ type, data }: { type: string; data: object }, taskId: string): boolean =>
  TASK_ENDS.has(type) && 'taskId' in data && data.taskId === taskId
