/** Messages between agents, actors of your own and topics: delivered to their receivers, read in the middle of a turn, and listed. */

import {
  checkMessage,
  delivered,
  type SendOptions,
  type SentMessage,
} from '../actors/agent/mailbox/mailbox.ts'
import {
  type DeliveredMessage,
  LONGEST_CHAIN,
  type Publication,
  type ReadMessage,
} from '../actors/agent/mailbox/unread.ts'
import type { ActorEnvironment } from '../actors/engine/actor.ts'
import type { Outbox } from '../actors/own/ref.ts'
import { MessageChainError } from '../events/errors/actor.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { checkAddress, isAgentAddress } from '../events/ids.ts'
import { defined } from '../events/json.ts'
import { checkArgument, type KnownKeys, refuseUnknownKeys } from '../events/options/decoding.ts'
import { type MessageInfo, messagesOf, publicationsOf } from './list.ts'
import {
  type AgentAnswer,
  type AgentRequest,
  lastFact,
  Requests,
  type RequestsEnvironment,
} from './requests.ts'
import { topicAddress, topicAt } from './topics/published.ts'
import { type TopicInfo, Topics } from './topics/topics.ts'

/** A message to an agent, to an actor of your own, or to a topic. */
export interface Message extends SendOptions {
  /** Who receives it: an agent by its id, an actor of your own as `KIND/ID`, or a topic as `topic/NAME`. */
  readonly to: string
  /** At most 64 KiB. */
  readonly text: string
  /** Who sends it, as `to` has it: the caller vouches for that. Default: a person, or the program. */
  readonly from?: string
}

/** Options of `messages.publish`. */
export type PublishOptions = Omit<Message, 'to' | 'text'>

export interface MessagesEnvironment extends RequestsEnvironment, ActorEnvironment {
  readonly newId: () => string
  /** The most messages that wait for one receiver. */
  readonly mailbox: number
}

const PARTS: KnownKeys<Message> = { to: true, text: true, from: true, messageId: true, by: true }

const PARTS_OF_REQUEST: KnownKeys<AgentRequest> = {
  from: true,
  to: true,
  text: true,
  requestId: true,
  signal: true,
}

export class Messages {
  readonly topics: Topics
  readonly #environment: MessagesEnvironment
  readonly #requests: Requests

  constructor(environment: MessagesEnvironment) {
    this.#environment = environment
    this.#requests = new Requests(environment)
    this.topics = new Topics({
      ...environment,
      deliver: (to, message) => this.deliver(to, message),
      check: (address) => this.#check(address),
    })
  }

  /** Throws UndeliverableError, TooManyMessagesError, MessageChainError, MessageConflictError, AgentNotFoundError. */
  async send(given: Message): Promise<SentMessage> {
    checkArgument('The message', given, 'an object')
    refuseUnknownKeys(given, PARTS, { what: 'The message', noun: 'part' })
    const { to, text, from, ...options } = given
    const message = checkMessage(to, text, options, this.#environment.newId)
    const { messageId, by } = message
    if (from !== undefined && isAgentAddress(checkAddress(from)))
      return (await this.#environment.agent(from)).send(to, text, {
        messageId,
        ...(by !== undefined && { by }),
      })
    const causationId = from === undefined ? undefined : await lastFact(this.#environment.store, from)
    return {
      messageId,
      ...(await this.deliver(to, { ...message, from: from ?? null, ...defined({ causationId }) })),
    }
  }

  /** Publishes a message on a topic. Throws what `send` does. */
  async publish(
    topic: string,
    text: string,
    options: PublishOptions = {},
  ): Promise<SentMessage & Publication> {
    checkArgument('The options of publish', options, 'an object')
    const {
      delivered: count = 0,
      undelivered = [],
      ...sent
    } = await this.send({
      ...options,
      to: topicAddress(topic),
      text,
    })
    return { ...sent, delivered: count, undelivered }
  }

  async subscribe(
    topic: string,
    subscriber: string,
    options: Pick<SendOptions, 'by'> = {},
  ): Promise<TopicInfo> {
    checkArgument('The options of subscribe', options, 'an object')
    return this.topics.subscribe(topic, subscriber, options.by)
  }

  async unsubscribe(
    topic: string,
    subscriber: string,
    options: Pick<SendOptions, 'by'> = {},
  ): Promise<TopicInfo> {
    checkArgument('The options of unsubscribe', options, 'an object')
    return this.topics.unsubscribe(topic, subscriber, options.by)
  }

  /** Throws AskCycleError, AskDepthError, UndeliverableError, AgentNotFoundError, and what ended the task of the other one. */
  async ask(given: AgentRequest): Promise<AgentAnswer> {
    checkArgument('The request', given, 'an object')
    refuseUnknownKeys(given, PARTS_OF_REQUEST, { what: 'The request', noun: 'part' })
    const { from, to, text, requestId, signal } = given
    checkAddress(from)
    const { messageId } = checkMessage(to, text, defined({ messageId: requestId }), this.#environment.newId)
    return this.#requests.ask({ from, to, text, requestId: messageId, ...defined({ signal }) })
  }

  /** What actors of your own send and ask. */
  readonly outbox: Outbox = {
    send: async (from, { to, text, chain, ...options }) => {
      const message = checkMessage(to, text, options, this.#environment.newId)
      const causationId = await lastFact(this.#environment.store, from)
      const delivery = await this.deliver(to, { ...message, from, ...defined({ chain, causationId }) })
      return { messageId: message.messageId, ...delivery }
    },
    ask: async ({ to, text, requestId, ...request }) => {
      const { messageId } = checkMessage(to, text, defined({ messageId: requestId }), this.#environment.newId)
      return this.#requests.ask({ ...request, to, text, requestId: messageId })
    },
  }

  /** Throws UndeliverableError, and why it is refused. */
  async deliver(to: string, message: DeliveredMessage): Promise<Partial<Publication>> {
    const topic = topicAt(to)
    if (topic !== undefined) return this.topics.publish(topic, message)
    if (isAgentAddress(to)) {
      await delivered(to, async () => (await this.#environment.agent(to)).mailbox.receive(message))
      return {}
    }
    const { by: _, ...received } = message
    if ((message.chain ?? 0) > LONGEST_CHAIN) throw new MessageChainError({ to, longest: LONGEST_CHAIN })
    await (await this.#environment.actor(to)).receive(received)
    return {}
  }

  /** Throws AgentNotFoundError, and InvalidInputError if it is in no turn. */
  async read(agent: string): Promise<readonly ReadMessage[]> {
    return (await this.#environment.agent(agent)).mailbox.read()
  }

  /** Throws AgentNotFoundError, and InvalidInputError for an actor of your own. */
  async list(agent: string): Promise<readonly MessageInfo[]> {
    const { store, agent: find } = this.#environment
    const topic = topicAt(checkAddress(agent))
    if (topic !== undefined) return publicationsOf(await this.topics.published(topic))
    if (!isAgentAddress(agent))
      throw new InvalidInputError({
        ...{
          what: `Actor "${agent}"`,
          problem: 'it has no list of messages: its own facts say what it has received',
        },
        hint: `Read them: claude-agents log --stream ${agent}`,
      })
    const messages = await messagesOf(store, agent)
    // One that was removed has its history still.
    if (messages.length === 0) await find(agent)
    return messages
  }

  async close(): Promise<void> {
    await this.topics.close()
  }

  async #check(address: string): Promise<unknown> {
    const { agent, actor } = this.#environment
    if (topicAt(address) === undefined) return isAgentAddress(address) ? agent(address) : actor(address)
    const problem = 'a topic cannot subscribe to a topic'
    throw new InvalidInputError({ what: 'The subscriber', problem })
  }
}
