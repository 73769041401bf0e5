/** What an agent has received and sent, or what was published on a topic, and what became of it, as the log has it. */
import { agentFacts } from '../events/agent-facts.ts'
import { isAgentAddress, streamName } from '../events/ids.ts'
import type { EventStore } from '../store/event-store.ts'
import { topicAddress } from './topics/published.ts'
import type { TopicMessage } from './topics/topics.ts'

/** A message in a list. */
export interface MessageInfo {
  readonly messageId: string
  /** An agent by its id, another actor as KIND/ID; null for a person, or a program outside. */
  readonly from: string | null
  readonly to: string
  readonly text: string
  /** When it was received, or refused: ISO 8601 in UTC. */
  readonly at: string
  /**
   * `queued`: it is in the mailbox. `read`: a turn reads it. `answered`: that turn was answered, or the actor of your own, or
   * the topic, has taken it. `undeliverable`: nothing received it, a person rejected it, or its receiver was removed before it
   * had read it.
   */
  readonly status: 'queued' | 'read' | 'answered' | 'undeliverable'
  /** Why it is undeliverable, or which subscribers of a topic do not have it and why; null if all is well. */
  readonly reason: string | null
}

interface Followed extends MessageInfo {
  readonly position: number
  /** The task that has read it. */
  readonly taskId?: string
}

/** What was published on a topic. A subscriber that has not received it is a reason of its own. */
export const publicationsOf = (published: readonly TopicMessage[]): readonly MessageInfo[] =>
  published.map(({ messageId, topic, from, text, at, delivery }) => ({
    ...{ messageId, from, to: topicAddress(topic), text, at },
    status: delivery ? 'answered' : 'queued',
    reason:
      delivery && delivery.undelivered.length > 0
        ? delivery.undelivered.map(({ to, reason }) => `${to}: ${reason}`).join(' ')
        : null,
  }))

/** Oldest first. */
export async function messagesOf(store: EventStore, agent: string): Promise<readonly MessageInfo[]> {
  const { received, sent } = await followed(store, agent)
  const receivers = [...new Set(sent.filter(({ status }) => status !== 'undeliverable').map(({ to }) => to))]
  const there = new Map<string, Followed>()
  for (const to of receivers)
    if (to !== agent && isAgentAddress(to))
      for (const message of (await followed(store, to)).received)
        there.set(`${to} ${message.messageId}`, message)
  const others = sent.filter(({ to }) => to !== agent)
  const all = [...received, ...others.map((one) => there.get(`${one.to} ${one.messageId}`) ?? one)]
  return all
    .sort((one, other) => one.position - other.position)
    .map(({ position: _, taskId: __, ...message }) => message)
}

async function followed(
  store: EventStore,
  agent: string,
): Promise<{ readonly received: readonly Followed[]; readonly sent: readonly Followed[] }> {
  const received = new Map<string, Followed>()
  const sent = new Map<string, Followed>()
  /** Those that are neither answered nor undeliverable. */
  const open = new Set<string>()
  const change = (
    of: (message: Followed) => boolean,
    changed: Pick<Followed, 'status'> & Partial<Followed>,
  ) => {
    for (const id of open) {
      const message = received.get(id)
      if (!message || !of(message)) continue
      received.set(id, { ...message, ...changed })
      if (changed.status === 'answered' || changed.status === 'undeliverable') open.delete(id)
    }
  }
  for await (const recorded of store.read(streamName('agent', agent))) {
    const { position, at } = recorded
    const { type, data } = agentFacts.read(recorded)
    switch (type) {
      case 'MessageReceived': {
        const { messageId, from, text } = data
        const found = { messageId, from, to: agent, text, at, position }
        received.set(messageId, { ...found, status: 'queued', reason: null })
        open.add(messageId)
        break
      }
      case 'CallStarted':
      case 'MessagesRead': {
        const { messages = [], taskId } = data
        change(({ messageId }) => messages.includes(messageId), { status: 'read', taskId })
        break
      }
      case 'CallSucceeded':
        change(({ status, taskId }) => status === 'read' && taskId === data.taskId, { status: 'answered' })
        break
      case 'TaskFailed':
      case 'TaskCancelled':
        change(({ status, taskId }) => status === 'read' && taskId === data.taskId, { status: 'queued' })
        break
      case 'MessageRejected': {
        const reason = `a person rejected it${data.reason === '' ? '' : `: ${data.reason}`}`
        change(({ messageId }) => messageId === data.messageId, { status: 'undeliverable', reason })
        break
      }
      case 'AgentRemoved':
        change(({ status }) => status === 'queued', {
          status: 'undeliverable',
          reason: 'the agent was removed before it had read it',
        })
        break
      case 'MessageSent':
      case 'MessageUndeliverable': {
        const { messageId, to, text } = data
        const reason = type === 'MessageUndeliverable' ? data.reason : null
        const taken = isAgentAddress(to) ? 'read' : 'answered'
        const status = reason === null ? taken : 'undeliverable'
        sent.set(`${to} ${messageId}`, { messageId, from: agent, to, text, at, status, reason, position })
        break
      }
    }
  }
  return { received: [...received.values()], sent: [...sent.values()] }
}
