/** The mailbox of an agent, as others use it: sends, receives, reads in the middle of a call, releases and rejects. */
import type { AgentFact } from '../../../events/agent-facts.ts'
import {
  MessageConflictError,
  MessageNotHeldError,
  UndeliverableError,
} from '../../../events/errors/actor.ts'
import { AgentNotFoundError, AgentStoppedError } from '../../../events/errors/agent.ts'
import { CommitConflict } from '../../../events/errors/store.ts'
import { InvalidInputError } from '../../../events/errors/usage.ts'
import { checkAddress, checkMessageId, commitIdOf } from '../../../events/ids.ts'
import { defined } from '../../../events/json.ts'
import { checkArgument, type KnownKeys, refuseUnknownKeys } from '../../../events/options/decoding.ts'
import { firstCommitted } from '../../../store/first-committed.ts'
import type { AgentEnvironment, AgentLife } from '../environment.ts'
import type { AgentSnapshot } from '../machine.ts'
import type { AgentContext, CurrentTask } from '../state.ts'
import type { Rejection, Verdict } from '../tasks/held.ts'
import {
  type DeliveredMessage,
  LARGEST_MESSAGE,
  namesOf,
  nextInChain,
  type Publication,
  type ReadMessage,
  readableMessages,
  receive,
  type Unread,
} from './unread.ts'

/** Which version of a shared note an agent has read. */
export interface NoteReading {
  readonly note: string
  readonly version: number
  /** The id of the fact that wrote it. */
  readonly cause: string
}

/** What became of a request that an agent has made in a call. */
export interface AnswerReading {
  readonly callId: string
  readonly requestId: string
  /** Who was asked. */
  readonly from: string
  /** What an actor has replied. */
  readonly text?: string
  /** The id of the fact that ended it; null if there is none. */
  readonly cause: string | null
}

/** Of one call: what else it reads counts for no answer. */
const MOST_NOTED = 100
/** In characters. */
const LONGEST_REPLY = 1000

/** Options of `send`. */
export interface SendOptions {
  /** Makes it idempotent: a message with this id is received once, ever. Default: a new UUID. */
  readonly messageId?: string
  /** Who sends it, if a person does so by hand; it is recorded in the log. */
  readonly by?: string
}

/** A message that is in the mailbox of its receiver; with what became of it at each subscriber, if that is a topic. */
export interface SentMessage extends Partial<Publication> {
  readonly messageId: string
}

const SEND_OPTIONS: KnownKeys<SendOptions> = { messageId: true, by: true }

/** Checks what is to be sent, and chooses its id. Throws InvalidIdError, InvalidInputError. */
export function checkMessage(
  to: string,
  text: string,
  options: SendOptions,
  newId: () => string,
): { readonly messageId: string; readonly text: string; readonly by?: string } {
  checkAddress(to)
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
    let delivery: Partial<Publication>
    try {
      delivery = await this.#environment.deliver(to, {
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
    const commitId = commitIdOf('sent', this.#agent, to, messageId)
    await this.#life.decide(() => [{ type: 'MessageSent', data: { messageId, to, text } }], {
      ...origin,
      commitId,
    })
    return { messageId, ...delivery }
  }

  /**
   * Puts a message into the mailbox, once: what delivers it at the receiver. Throws AgentNotFoundError, AgentStoppedError,
   * TooManyMessagesError, MessageChainError, MessageConflictError.
   */
  async receive(message: DeliveredMessage): Promise<void> {
    checkArgument('The message', message, 'an object')
    checkArgument('The text of the message', message.text, 'a text')
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
    const commitId = commitIdOf('message', this.#agent, messageId)
    const [received] = await this.#life
      .decide(decide, { correlationId: messageId, causationId, commitId })
      // One that is there takes no new place, and how it came does not matter.
      .catch(async (error: unknown) => {
        const isMeant = error === refusal || error instanceof CommitConflict
        const known = isMeant
          ? await firstCommitted(this.#environment.store, this.#life.stream, commitId)
          : undefined
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
    let read: readonly Unread[] = []
    await this.#inCall((current, callId, context) => {
      const messages = readableMessages(context)
      read = [...(current.news ?? []), ...messages]
      const data = { taskId: current.taskId, callId, ...namesOf(messages) }
      return messages.length === 0 ? [] : [{ type: 'MessagesRead', data }]
    }, 'read messages')
    return read.map(({ messageId, from, text, topic }) => ({ messageId, from, text, ...defined({ topic }) }))
  }

  /**
   * Records that the call which runs now has read a shared note: its answer uses that. Once for each version, and for so many
   * as a call may use. Throws InvalidInputError if no call runs.
   */
  async readNote(reading: NoteReading): Promise<void> {
    checkArgument('The note', reading, 'an object')
    const { note, version, cause } = reading
    await this.#inCall((current, callId) => {
      const { taskId, noted = [] } = current
      if (noted.includes(cause) || noted.length >= MOST_NOTED) return []
      return [{ type: 'NoteRead', data: { taskId, callId, note, version, uses: [cause] } }]
    }, 'read notes')
  }

  /** Records that a call has read an answer, as it does for notes, if that call still runs. */
  async readAnswer(reading: AnswerReading): Promise<void> {
    checkArgument('The answer', reading, 'an object')
    const { callId: asking, requestId, from, text, cause } = reading
    const uses = cause === null ? [] : [cause]
    await this.#life.use()
    const { taskId = null, cause: causationId = null } = this.#life.snapshot.context.current ?? {}
    await this.#life.decide(
      ({ context: { current } }) => {
        const { noted = [] } = current ?? {}
        if (!current?.call || current.call.callId !== asking || noted.length >= MOST_NOTED) return []
        if (cause !== null && noted.includes(cause)) return []
        const said = defined({ text: text?.slice(0, LONGEST_REPLY) })
        const data = { taskId: current.taskId, callId: asking, requestId, from, ...said, uses }
        return [{ type: 'AnswerRead', data }]
      },
      { correlationId: taskId, causationId },
    )
  }

  /** Lets a held message be read. Throws MessageNotHeldError. */
  async release(messageId: string, verdict: Verdict = {}): Promise<void> {
    checkArgument('The options of release', verdict, 'an object')
    const { by } = verdict
    await this.#decideHeld(messageId, { type: 'MessageReleased', data: { messageId, by: by ?? null } })
    if (this.#life.snapshot.context.config?.onMessage === 'wake') this.#start()
  }

  /** Decides that a held message is never read. Throws MessageNotHeldError. */
  async reject(messageId: string, rejection: Rejection = {}): Promise<void> {
    checkArgument('The options of reject', rejection, 'an object')
    const { by, reason = '' } = rejection
    await this.#decideHeld(messageId, {
      type: 'MessageRejected',
      data: { messageId, reason, by: by ?? null },
    })
  }

  async #inCall(
    decide: (current: CurrentTask, callId: string, context: AgentContext) => readonly AgentFact[],
    could: string,
  ): Promise<void> {
    await this.#life.use()
    const { taskId = null, cause = null } = this.#life.snapshot.context.current ?? {}
    await this.#life.decide(
      ({ context }) => {
        const { current } = context
        if (!current?.call)
          throw new InvalidInputError({
            ...{ what: `Agent "${this.#agent}"`, problem: `it is in no turn that could ${could}` },
            hint: could === 'read messages' ? 'It reads them with its next task.' : 'Ask it something first.',
          })
        return decide(current, current.call.callId, context)
      },
      { correlationId: taskId, causationId: cause },
    )
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
}
