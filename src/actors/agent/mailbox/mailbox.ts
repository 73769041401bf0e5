/** The mailbox of an agent, as others use it: sends, receives, reads in the middle of a call, releases and rejects. */
import type { AgentFact } from '../../../events/agent-facts.ts'
import type { Recorded } from '../../../events/envelope.ts'
import {
  MessageConflictError,
  MessageNotHeldError,
  UndeliverableError,
} from '../../../events/errors/actor.ts'
import { AgentNotFoundError, AgentStoppedError } from '../../../events/errors/agent.ts'
import { CommitConflict } from '../../../events/errors/store.ts'
import { InvalidInputError } from '../../../events/errors/usage.ts'
import { checkId, checkMessageId } from '../../../events/ids.ts'
import { defined } from '../../../events/json.ts'
import { checkArgument } from '../../../events/options/decoding.ts'
import { type KnownKeys, refuseUnknownKeys } from '../../../events/options/known-keys.ts'
import type { AgentEnvironment, AgentLife } from '../environment.ts'
import type { AgentSnapshot } from '../machine.ts'
import type { Rejection, Verdict } from '../tasks/held.ts'
import {
  type DeliveredMessage,
  LARGEST_MESSAGE,
  namesOf,
  nextInChain,
  readableMessages,
  receive,
  type Unread,
} from './unread.ts'

/** Options of `send`. */
export interface SendOptions {
  /** Makes it idempotent: a message with this id is received once, ever. Default: a new UUID. */
  readonly messageId?: string
  /** Who sends it, if a person does so by hand; it is recorded in the log. */
  readonly by?: string
}

/** A message that is in the mailbox of its receiver. */
export interface SentMessage {
  readonly messageId: string
}

/** A message that an agent reads in the middle of a turn. */
export type ReadMessage = Pick<Unread, 'messageId' | 'from' | 'text'>

const SEND_OPTIONS: KnownKeys<SendOptions> = { messageId: true, by: true }

/** Checks what is to be sent, and chooses its id. Throws InvalidIdError, InvalidInputError. */
export function checkMessage(
  to: string,
  text: string,
  options: SendOptions,
  newId: () => string,
): { readonly messageId: string; readonly text: string; readonly by?: string } {
  checkId('agent', to)
  checkArgument('The message', text, 'a text')
  refuseUnknownKeys(options, SEND_OPTIONS, { what: 'The options of send', noun: 'option' })
  const problem =
    text.trim() === ''
      ? 'it is empty'
      : Buffer.byteLength(text) > LARGEST_MESSAGE
        ? `it is longer than ${LARGEST_MESSAGE} bytes`
        : undefined
  const hint = 'Say what the receiver should know. What is long belongs in a file that the message names.'
  if (problem !== undefined) throw new InvalidInputError({ what: 'The message', problem, hint })
  const { messageId = newId(), by } = options
  return { messageId: checkMessageId(messageId), text, ...(by !== undefined && { by }) }
}

/** Does what delivers a message, and says of a receiver that is missing or stopped that it could not be delivered. */
export async function delivered<T>(to: string, deliver: () => Promise<T>): Promise<T> {
  try {
    return await deliver()
  } catch (error) {
    if (!(error instanceof AgentNotFoundError || error instanceof AgentStoppedError)) throw error
    const { summary: reason, hint } = error
    throw new UndeliverableError({ to, reason, hint }, { cause: error })
  }
}

export class AgentMailbox {
  readonly #agent: string
  readonly #life: AgentLife
  readonly #environment: AgentEnvironment
  readonly #start: () => void

  constructor(agent: string, life: AgentLife, environment: AgentEnvironment, start: () => void) {
    this.#agent = agent
    this.#life = life
    this.#environment = environment
    this.#start = start
  }

  /** See `AgentRef.send`. */
  async send(to: string, text: string, options: SendOptions = {}): Promise<SentMessage> {
    const message = checkMessage(to, text, options, this.#environment.newId)
    const { messageId } = message
    await this.#life.use()
    const { context, value } = this.#life.snapshot
    if (value === 'absent') throw new AgentNotFoundError({ agent: this.#agent, nearest: null })
    const causationId = context.current?.cause
    const origin = { correlationId: messageId, ...defined({ causationId }) }
    const chain = nextInChain(context)
    try {
      await this.#environment.deliver(to, {
        ...message,
        from: this.#agent,
        ...defined({ chain, causationId }),
      })
    } catch (error) {
      if (error instanceof UndeliverableError) {
        const { reason } = error.details
        await this.#life.decide(
          () => [{ type: 'MessageUndeliverable', data: { messageId, to, text, reason } }],
          origin,
        )
      }
      throw error
    }
    const commitId = `sent/${this.#agent}/${to}/${messageId}`
    await this.#life.decide(() => [{ type: 'MessageSent', data: { messageId, to, text } }], {
      ...origin,
      commitId,
    })
    return { messageId }
  }

  /**
   * Puts a message into the mailbox, once: what delivers it at the receiver. Throws AgentNotFoundError, AgentStoppedError,
   * TooManyMessagesError, MessageChainError, MessageConflictError.
   */
  async receive(message: DeliveredMessage): Promise<void> {
    const { messageId, from, text, causationId = null } = message
    let refusal: unknown
    const decide = ({ value, context }: AgentSnapshot): readonly AgentFact[] => {
      try {
        if (value === 'absent') throw new AgentNotFoundError({ agent: this.#agent, nearest: null })
        if (value === 'stopped') throw new AgentStoppedError({ agent: this.#agent })
        return receive(context, this.#agent, message, this.#environment.mailbox)
      } catch (error) {
        refusal = error
        throw error
      }
    }
    const commitId = `message/${this.#agent}/${messageId}`
    const [received] = await this.#life
      .decide(decide, { correlationId: messageId, causationId, commitId })
      // One that is there takes no new place, and how it came does not matter.
      .catch(async (error: unknown) => {
        const known =
          error === refusal || error instanceof CommitConflict ? await this.#known(messageId) : undefined
        if (!known) throw error
        return [known]
      })
    if (received?.data.text !== text || received.data.from !== from)
      throw new MessageConflictError({ to: this.#agent, messageId })
    if (this.#life.snapshot.context.config?.onMessage === 'wake') this.#start()
  }

  /**
   * Takes what is unread into the call that runs now, and returns all that it has read in its middle: a tool may have lost an
   * answer. Throws InvalidInputError if no call runs.
   */
  async read(): Promise<readonly ReadMessage[]> {
    await this.#life.use()
    const { taskId = null, cause = null } = this.#life.snapshot.context.current ?? {}
    let read: readonly Unread[] = []
    await this.#life.decide(
      ({ context }) => {
        const { current } = context
        if (!current?.call)
          throw new InvalidInputError({
            ...{ what: `Agent "${this.#agent}"`, problem: 'it is in no turn that could read messages' },
            hint: 'It reads them with its next task.',
          })
        const messages = readableMessages(context)
        read = [...(current.news ?? []), ...messages]
        const data = { taskId: current.taskId, callId: current.call.callId, ...namesOf(messages) }
        return messages.length === 0 ? [] : [{ type: 'MessagesRead', data }]
      },
      { correlationId: taskId, causationId: cause },
    )
    return read.map(({ messageId, from, text }) => ({ messageId, from, text }))
  }

  /** Lets a held message be read. Throws MessageNotHeldError. */
  async release(messageId: string, { by }: Verdict = {}): Promise<void> {
    await this.#decideHeld(messageId, { type: 'MessageReleased', data: { messageId, by: by ?? null } })
    if (this.#life.snapshot.context.config?.onMessage === 'wake') this.#start()
  }

  /** Decides that a held message is never read. Throws MessageNotHeldError. */
  async reject(messageId: string, { by, reason = '' }: Rejection = {}): Promise<void> {
    await this.#decideHeld(messageId, {
      type: 'MessageRejected',
      data: { messageId, reason, by: by ?? null },
    })
  }

  async #decideHeld(messageId: string, fact: AgentFact): Promise<void> {
    await this.#life.use()
    const causeOf = ({ context: { unread = [] } }: AgentSnapshot) =>
      unread.find((message) => message.messageId === messageId && message.held)?.cause
    const causationId = causeOf(this.#life.snapshot) ?? null
    await this.#life.decide(
      (state) => {
        if (causeOf(state) === undefined) throw new MessageNotHeldError({ agent: this.#agent, messageId })
        return [fact]
      },
      { correlationId: messageId, causationId },
    )
  }

  async #known(messageId: string): Promise<Recorded | undefined> {
    const { store } = this.#environment
    for await (const recorded of store.read(this.#life.stream, { direction: 'backwards' }))
      if (recorded.type === 'MessageReceived' && recorded.data.messageId === messageId) return recorded
    return undefined
  }
}
