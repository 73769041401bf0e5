/** What became of an entry that the inbox no longer has, as a part of a sentence: the log knows who decided it. */
import { type AgentFact, agentFacts, type Hold } from '../events/agent-facts.ts'
import type { Recorded } from '../events/envelope.ts'
import { ID_PATTERN, streamName } from '../events/ids.ts'
import { ASK_HUMAN } from '../events/options/tools.ts'
import { foldedQueues } from '../landing/folded-queues.ts'
import type { QueuedEntry } from '../landing/machine.ts'
import type { EventStore } from '../store/event-store.ts'
import { placeOfEntry } from './entry.ts'
import type { InboxSources } from './waiting.ts'

type Outcome = Promise<string | null>

/** null if there has never been such an entry. */
export function outcomeOf(id: string, { store, runs }: Pick<InboxSources, 'store' | 'runs'>): Outcome {
  const { kind, of, taskId } = placeOfEntry(id)
  if (!Object.hasOwn(OUTCOMES, kind)) return Promise.resolve(null)
  return OUTCOMES[kind as keyof typeof OUTCOMES](of, taskId, store, runs)
}

const OUTCOMES = {
  task: (agent, taskId, store) => ofHold(agent, taskId, store, 'approval'),
  tool: (agent, callId, store) => ofToolCall(agent, callId, store),
  question: (agent, callId, store) => ofToolCall(agent, callId, store),
  budget: (agent, taskId, store) => ofHold(agent, taskId, store, 'budget'),
  account: (agent, taskId, store) => ofHold(agent, taskId, store, 'account'),
  landing: (entry, _, store) => ofLanding(entry, store),
  supervision: (supervisor, _, store) => ofSupervisor(supervisor, store),
  schedule: (schedule, _, store) => ofSchedule(schedule, store),
  message: (agent, messageId, store) => ofMessage(agent, messageId, store),
  run: async (run, _, __, runs) => {
    const found = (await runs.list({})).find(({ runId }) => runId === run)
    return found === undefined ? null : `the run is ${found.status}`
  },
} as const satisfies Record<
  string,
  (of: string, taskId: string, store: EventStore, runs: InboxSources['runs']) => Outcome
>

/** The facts of an actor, the newest first; none of an id that none can have. */
async function* factsOf(kind: string, id: string, store: EventStore): AsyncGenerator<Recorded> {
  if (ID_PATTERN.test(id)) yield* store.read(streamName(kind, id), { direction: 'backwards' })
}

async function ofSupervisor(supervisor: string, store: EventStore): Outcome {
  for await (const _ of factsOf('supervisor', supervisor, store)) return 'it was started again'
  return null
}

const AFTER_FAILURE: Readonly<Record<string, string>> = {
  FiringAccepted: 'it has fired since',
  SchedulePaused: 'it was paused',
  ScheduleResumed: 'it was resumed',
  ScheduleRemoved: 'it was removed',
}

async function ofSchedule(schedule: string, store: EventStore): Outcome {
  let became: string | null = null
  for await (const { type } of factsOf('schedule', schedule, store)) {
    if (type === 'FiringFailed') return became
    became = AFTER_FAILURE[type] ?? became
  }
  return null
}

/** What happened to a message that was held. */
async function ofMessage(agent: string, messageId: string, store: EventStore): Outcome {
  let next: string | null = null
  for await (const recorded of factsOf('agent', agent, store)) {
    const { type, data } = agentFacts.read(recorded)
    if (type === 'AgentRemoved') next = 'its agent was removed'
    if (!('messageId' in data) || data.messageId !== messageId) continue
    if (type === 'MessageReleased') next = `it was approved${by(data.by)} at ${recorded.at}`
    if (type === 'MessageRejected') {
      const reason = data.reason === '' ? '' : `: ${data.reason}`
      next = `it was denied${by(data.by)} at ${recorded.at}${reason}`
    }
    if (type === 'MessageReceived') return data.held ? next : null
  }
  return null
}

/** What happened next to a task that was held for this reason. */
async function ofHold(agent: string, taskId: string, store: EventStore, reason: Hold['reason']): Outcome {
  let next: string | null = null
  for await (const recorded of factsOf('agent', agent, store)) {
    if (recorded.data.taskId !== taskId) continue
    const { type, data } = agentFacts.read(recorded)
    if (type === 'TaskHeld' && data.hold.reason === reason) return next
    if (type === 'TaskAccepted') return null
    if (type === 'TaskHeld') next = `its task is held for another reason: ${data.hold.reason}`
    if (type === 'TaskApproved') next = `it was approved${by(data.by)} at ${recorded.at}`
    if (type === 'CallStarted') next = `its task continued at ${recorded.at}`
    if (type === 'TaskCancelled') next = `its task was cancelled: ${data.reason}`
    if (type === 'TaskFailed') next = ofFailure(data.error, recorded.at)
  }
  return null
}

/** What happened next to a tool call that was to be decided. */
async function ofToolCall(agent: string, callId: string, store: EventStore): Outcome {
  let next: string | null = null
  let taskId: unknown
  const later: Recorded[] = []
  for await (const recorded of factsOf('agent', agent, store)) {
    const { type, data } = agentFacts.read(recorded)
    if (type === 'ToolDecided' && data.callId === callId) next = ofDecision(data, recorded.at)
    if (type === 'TaskCancelled' || type === 'TaskFailed' || type === 'AgentRemoved') later.push(recorded)
    if (type !== 'CallDeferred' || data.callId !== callId) continue
    taskId = data.taskId
    break
  }
  if (taskId === undefined || next !== null) return next
  const end = later.findLast(({ data }) => data.taskId === taskId || data.taskId === undefined)
  if (end === undefined) return null
  const { type, data } = agentFacts.read(end)
  if (type === 'TaskCancelled') return `its task was cancelled: ${data.reason}`
  return type === 'TaskFailed' ? ofFailure(data.error, end.at) : 'its agent was removed'
}

type Decided = Extract<AgentFact, { type: 'ToolDecided' }>['data']

function ofDecision({ verdict, tool, reason, by: who }: Decided, at: string): string {
  const done = verdict === 'deny' ? 'denied' : tool === ASK_HUMAN ? 'answered' : 'approved'
  return `it was ${done}${by(who)} at ${at}${reason === undefined ? '' : `: ${reason}`}`
}

const by = (who: unknown) => (typeof who === 'string' && who !== '' ? ` by ${who}` : '')

function ofFailure(
  { tag, message, details }: { tag: string; message: string; details: Readonly<Record<string, unknown>> },
  at: string,
): string {
  if (tag !== 'TaskRejectedError') return `its task failed: ${message}`
  const reason = typeof details.reason === 'string' && details.reason !== '' ? `: ${details.reason}` : ''
  return `it was denied${by(details.by)} at ${at}${reason}`
}

async function ofLanding(name: string, store: EventStore): Outcome {
  for (const { snapshot } of await foldedQueues(store)) {
    const { entries } = snapshot.context
    const found = entries.find(({ entry }) => entry === name)
    if (found) return landed(found, entries)
  }
  return null
}

function landed(entry: QueuedEntry, entries: readonly QueuedEntry[]): string {
  const newest = entries.findLast(({ agent, target }) => agent === entry.agent && target === entry.target)
  if (newest && newest !== entry)
    return `its work was queued again as ${newest.entry}, which is ${newest.status}`
  if (entry.status === 'set-aside') return 'its agent was removed'
  return `it is ${entry.status}${entry.status === 'cancelled' && entry.reason !== null ? ` ${entry.reason}` : ''}`
}
