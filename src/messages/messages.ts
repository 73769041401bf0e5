/** Messages between agents: delivered to their receivers, read in the middle of a turn, and listed. */

import {
  checkMessage,
  delivered,
  type ReadMessage,
  type SendOptions,
  type SentMessage,
} from '../actors/agent/mailbox/mailbox.ts'
import type { DeliveredMessage } from '../actors/agent/mailbox/unread.ts'
import { defined } from '../events/json.ts'
import { checkArgument } from '../events/options/decoding.ts'
import { type KnownKeys, refuseUnknownKeys } from '../events/options/known-keys.ts'
import type { EventStore } from '../store/event-store.ts'
import { type MessageInfo, messagesOf } from './list.ts'
import { type AgentAnswer, type AgentRequest, Requests, type RequestsEnvironment } from './requests.ts'

/** A message to an agent. */
export interface Message extends SendOptions {
  /** The id of the agent that receives it. */
  readonly to: string
  /** At most 64 KiB. */
  readonly text: string
  /** The agent that sends it: the caller vouches for that. Default: a person, or the program. */
  readonly from?: string
}

export interface MessagesEnvironment extends RequestsEnvironment {
  readonly store: EventStore
  readonly newId: () => string
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
  readonly #environment: MessagesEnvironment
  readonly #requests: Requests

  constructor(environment: MessagesEnvironment) {
    this.#environment = environment
    this.#requests = new Requests(environment)
  }

  /** Throws UndeliverableError, TooManyMessagesError, MessageChainError, MessageConflictError, AgentNotFoundError. */
  async send(given: Message): Promise<SentMessage> {
    checkArgument('The message', given, 'an object')
    refuseUnknownKeys(given, PARTS, { what: 'The message', noun: 'part' })
    const { to, text, from, ...options } = given
    const message = checkMessage(to, text, options, this.#environment.newId)
    const { messageId, by } = message
    if (from !== undefined)
      return (await this.#environment.agent(from)).send(to, text, {
        messageId,
        ...(by !== undefined && { by }),
      })
    await this.deliver(to, { ...message, from: null })
    return { messageId }
  }

  /** Throws AskCycleError, AskDepthError, UndeliverableError, AgentNotFoundError, and what ended the task of the other one. */
  async ask(given: AgentRequest): Promise<AgentAnswer> {
    checkArgument('The request', given, 'an object')
    refuseUnknownKeys(given, PARTS_OF_REQUEST, { what: 'The request', noun: 'part' })
    const { from, to, text, requestId, signal } = given
    const { messageId } = checkMessage(to, text, defined({ messageId: requestId }), this.#environment.newId)
    return this.#requests.ask({ from, to, text, requestId: messageId, ...defined({ signal }) })
  }

  /** Throws UndeliverableError, and why it is refused. */
  deliver(to: string, message: DeliveredMessage): Promise<void> {
    return delivered(to, async () => (await this.#environment.agent(to)).mailbox.receive(message))
  }

  /** Throws AgentNotFoundError, and InvalidInputError if it is in no turn. */
  async read(agent: string): Promise<readonly ReadMessage[]> {
    return (await this.#environment.agent(agent)).mailbox.read()
  }

  /** Throws AgentNotFoundError. */
  async list(agent: string): Promise<readonly MessageInfo[]> {
    const { store, agent: find } = this.#environment
    const messages = await messagesOf(store, agent)
    // One that was removed has its history still.
    if (messages.length === 0) await find(agent)
    return messages
  }
}
