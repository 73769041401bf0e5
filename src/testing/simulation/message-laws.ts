/** The laws of messages, topics and notes that hold at every fact. */
import type { AgentFact } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import type { TopicFact } from '../../messages/topics/facts.ts'
import { Violation } from './violation.ts'

/** What one agent has received. */
interface Received {
  /** All it ever has, with their place in its stream and their sender. */
  readonly all: Map<string, { readonly version: number; readonly from: string }>
  /** Those that no answered turn has read, and that nothing else has ended. */
  readonly left: Set<string>
  /** Those that a task reads, by task. */
  readonly reading: Map<string, Set<string>>
  /** Of each sender: the place of the last one that an answered turn has read. */
  readonly answered: Map<string, number>
}

export class MessageLaws {
  readonly #received = new Map<string, Received>()
  /** Of each topic: what is published and not delivered. */
  readonly #pending = new Map<string, string[]>()

  /** What an agent has received, and no answered turn has read. */
  left(agent: string): ReadonlySet<string> {
    return this.#received.get(`agent/${agent}`)?.left ?? new Set()
  }

  /** Throws the violation. */
  check(recorded: Recorded): void {
    const { stream } = recorded
    if (stream.startsWith('agent/'))
      this.#agentFact(stream, recorded.version, recorded as Recorded & AgentFact)
    if (stream.startsWith('topic/')) this.#topicFact(stream, recorded as Recorded & TopicFact)
  }

  #agentFact(stream: string, version: number, { type, data }: AgentFact): void {
    const own = this.#received.get(stream) ?? {
      ...{ all: new Map(), left: new Set<string>(), reading: new Map(), answered: new Map() },
    }
    this.#received.set(stream, own)
    switch (type) {
      case 'MessageReceived': {
        const { messageId, from, topic } = data
        holds(!own.all.has(messageId), 'a message is received once', `${messageId} of ${stream}`)
        own.all.set(messageId, { version, from: `${from} ${topic}` })
        own.left.add(messageId)
        break
      }
      case 'CallStarted':
      case 'MessagesRead': {
        const reads = own.reading.get(data.taskId) ?? new Set<string>()
        for (const id of data.messages ?? []) {
          holds(own.left.has(id), 'what a turn reads is in the mailbox', `${id} of ${stream}`)
          const others = [...own.reading.values()].filter((other) => other !== reads && other.has(id))
          holds(others.length === 0, 'one task reads a message', `${id} of ${stream}`)
          reads.add(id)
        }
        own.reading.set(data.taskId, reads)
        break
      }
      case 'CallSucceeded':
        for (const id of own.reading.get(data.taskId) ?? []) this.#answered(stream, own, id)
        own.reading.delete(data.taskId)
        break
      case 'TaskFailed':
      case 'TaskCancelled':
        own.reading.delete(data.taskId)
        break
      case 'MessageRejected':
        own.left.delete(data.messageId)
        break
      case 'AgentRemoved':
        own.left.clear()
        own.reading.clear()
        break
    }
  }

  #answered(stream: string, { all, left, answered }: Received, id: string): void {
    const { version = 0, from = '' } = all.get(id) ?? {}
    holds(left.delete(id), 'a message is in one answered turn', `${id} of ${stream}`)
    const isLater = version > (answered.get(from) ?? 0)
    holds(isLater, 'the messages of a sender are read in their order', `${id} of ${stream}`)
    answered.set(from, version)
  }

  #topicFact(stream: string, { type, data }: TopicFact): void {
    const pending = this.#pending.get(stream) ?? []
    this.#pending.set(stream, pending)
    if (type === 'MessagePublished') pending.push(data.messageId)
    if (type !== 'PublicationDelivered') return
    holds(
      pending.shift() === data.messageId,
      'a topic delivers in its order',
      `${data.messageId} of ${stream}`,
    )
  }
}

function holds(isSo: boolean, law: string, what: string): void {
  if (!isSo) throw new Violation(law, what)
}
