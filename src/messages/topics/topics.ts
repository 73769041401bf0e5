/**
 * The topics: what is published on one is durable, and then delivered to the mailbox of each subscriber by its own rules. One that
 * cannot receive it keeps it from none of the others, and is named in the answer.
 */
import { setMaxListeners } from 'node:events'
import {
  type DeliveredMessage,
  LONGEST_CHAIN,
  type Publication,
  type Undelivered,
} from '../../actors/agent/mailbox/unread.ts'
import type { ActorEnvironment, EventSourcedActor } from '../../actors/engine/actor.ts'
import type { EffectContext } from '../../actors/engine/effects.ts'
import { Life } from '../../actors/engine/life.ts'
import { UnreadableStreams } from '../../actors/engine/unreadable.ts'
import { untilState } from '../../actors/engine/until-state.ts'
import { mayPass } from '../../actors/engine/wish.ts'
import { steadyTime } from '../../clock.ts'
import type { Recorded } from '../../events/envelope.ts'
import {
  MessageChainError,
  MessageConflictError,
  TooManyMessagesError,
  TopicFullError,
} from '../../events/errors/actor.ts'
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import { describeError } from '../../events/errors/base.ts'
import { CommitConflict } from '../../events/errors/store.ts'
import { ClosedError, InvalidInputError } from '../../events/errors/usage.ts'
import { checkAddress, commitIdOf } from '../../events/ids.ts'
import { defined } from '../../events/json.ts'
import { firstCommitted } from '../../store/first-committed.ts'
import { topicFacts } from './facts.ts'
import {
  type PendingMessage,
  type TopicContext,
  type TopicEffect,
  topicKind,
  type topicMachine,
} from './machine.ts'
import { checkTopic, type PublishedMessage, publishedIn, TOPIC_STREAMS, topicAddress } from './published.ts'

/** A topic in a list. */
export interface TopicInfo {
  readonly topic: string
  /** Agents by their ids, other actors as KIND/ID; in the order in which they subscribed. */
  readonly subscribers: readonly string[]
  /** How many messages were published on it. */
  readonly published: number
}

/** The same, with what became of it; absent as long as it is not delivered. */
export interface TopicMessage extends PublishedMessage {
  readonly delivery?: Publication
}

export interface TopicsEnvironment extends ActorEnvironment {
  /** How many messages may wait to be delivered. */
  readonly mailbox: number
  /** Puts a message into the mailbox of a subscriber. Throws why it could not. */
  readonly deliver: (to: string, message: DeliveredMessage) => Promise<unknown>
  /** Makes sure that there is something at an address that takes messages. Throws UndeliverableError, AgentNotFoundError. */
  readonly check: (address: string) => Promise<unknown>
}

type TopicLife = Life<typeof topicMachine, TopicEffect>
type TopicActor = EventSourcedActor<typeof topicMachine, TopicEffect>

const MOST_TOPICS = 1000
const MOST_SUBSCRIBERS = 200
/** In characters. */
const LONGEST_REASON = 300
/** A process that is lost is replaced as soon. */
const LEFT_AFTER_MS = 15_000

export class Topics {
  readonly #environment: TopicsEnvironment
  readonly #lives = new Map<string, Promise<TopicLife>>()
  readonly #closing = new AbortController()
  /** Since when the topics of a cluster have had what is not delivered, as of the last look. */
  #left: ReadonlyMap<string, { readonly version: number; readonly since: number }> = new Map()
  readonly #unreadable: UnreadableStreams

  constructor(environment: TopicsEnvironment) {
    this.#environment = environment
    this.#unreadable = new UnreadableStreams(environment.logger)
    // Each that waits listens: Node would warn of a leak.
    setMaxListeners(0, this.#closing.signal)
  }

  /**
   * Publishes a message. It is durable, and delivered as far as it can be, when this resolves. Throws TopicFullError,
   * MessageConflictError, InvalidIdError.
   */
  async publish(topic: string, message: DeliveredMessage): Promise<Publication> {
    const { causationId = null, topic: _, ...data } = message
    const { messageId, chain = 0 } = message
    if (chain > LONGEST_CHAIN)
      throw new MessageChainError({ to: `${TOPIC_STREAMS}${topic}`, longest: LONGEST_CHAIN })
    await this.#checkRoom(topic)
    const life = await this.#life(topic)
    const commitId = commitIdOf('publication', topic, messageId)
    const decide = ({ context: { pending } }: { readonly context: TopicContext }) => {
      if (pending.length >= this.#environment.mailbox)
        throw new TopicFullError({ topic, messages: pending.length })
      return [{ type: 'MessagePublished' as const, data }]
    }
    const [published] = await life
      .decide(decide, { correlationId: messageId, causationId, commitId })
      // How it came does not matter if it is there, and it takes no new place.
      .catch(async (error: unknown) => {
        const isMeant = error instanceof CommitConflict || error instanceof TopicFullError
        const known = isMeant
          ? await firstCommitted(this.#environment.store, life.stream, commitId)
          : undefined
        if (!known) throw error
        return [known]
      })
    if (published?.data.text !== data.text || published.data.from !== data.from)
      throw new MessageConflictError({ to: life.stream, messageId })
    await untilState(life, this.#closing.signal, ({ pending }) =>
      pending.every((one) => one.messageId !== messageId),
    )
    const delivery = await this.#deliveryOf(published)
    const { delivered = 0, undelivered = [] } = (delivery?.data ?? {}) as Partial<Publication>
    return { delivered, undelivered: undelivered.map(({ to, reason }) => ({ to, reason })) }
  }

  /** Throws InvalidIdError, UndeliverableError, AgentNotFoundError, InvalidInputError if it has too many. */
  async subscribe(topic: string, subscriber: string, by?: string): Promise<TopicInfo> {
    checkTopic(topic)
    await this.#environment.check(checkAddress(subscriber))
    await this.#checkRoom(topic)
    const life = await this.#life(topic)
    await life.decide(({ context: { subscribers } }) => {
      if (subscribers.includes(subscriber)) return []
      if (subscribers.length >= MOST_SUBSCRIBERS)
        throw tooMany('The topic', `it has ${MOST_SUBSCRIBERS} subscribers, which is the most`)
      return [{ type: 'SubscriberAdded', data: { subscriber, ...defined({ by }) } }]
    })
    return infoOf(topic, life.snapshot.context)
  }

  /** One that is not subscribed stays so. Throws InvalidIdError. */
  async unsubscribe(topic: string, subscriber: string, by?: string): Promise<TopicInfo> {
    checkTopic(topic)
    checkAddress(subscriber)
    if (!(await this.#isThere(topic))) return infoOf(topic, topicKind.fold.initial.context)
    const life = await this.#life(topic)
    await life.decide(({ context: { subscribers } }) =>
      subscribers.includes(subscriber)
        ? [{ type: 'SubscriberRemoved', data: { subscriber, ...defined({ by }) } }]
        : [],
    )
    return infoOf(topic, life.snapshot.context)
  }

  /** By name. */
  async list(): Promise<readonly TopicInfo[]> {
    const listed: TopicInfo[] = []
    for await (const { stream } of this.#environment.store.streams({ prefix: TOPIC_STREAMS })) {
      const topic = stream.slice(TOPIC_STREAMS.length)
      const life = await Life.load(topicKind, topic, this.#environment)
      listed.push(infoOf(topic, life.snapshot.context))
      await life.close()
    }
    return listed.sort((one, other) => (one.topic < other.topic ? -1 : 1))
  }

  /** What was published on it, oldest first. */
  async published(topic: string): Promise<readonly TopicMessage[]> {
    const found = new Map<string, TopicMessage>()
    for await (const recorded of this.#environment.store.read(`${TOPIC_STREAMS}${checkTopic(topic)}`)) {
      const published = publishedIn(recorded)
      if (published) found.set(published.messageId, published)
      const { type, data } = topicFacts.read(recorded)
      const known = type === 'PublicationDelivered' ? found.get(data.messageId) : undefined
      if (known && type === 'PublicationDelivered') found.set(known.messageId, { ...known, delivery: data })
    }
    return [...found.values()]
  }

  /** Delivers what an earlier process has left. */
  async resume(): Promise<void> {
    for await (const { stream } of this.#environment.store.streams({ prefix: TOPIC_STREAMS, open: true }))
      await this.#life(stream.slice(TOPIC_STREAMS.length))
  }

  /** The same of topics that are ours in a cluster: what the process that publishes has left for so long, it does not deliver. */
  async tend(isOurs: (topic: string) => boolean): Promise<void> {
    const { store, clock } = this.#environment
    const left = new Map<string, { readonly version: number; readonly since: number }>()
    for await (const { stream, version } of store.streams({ prefix: TOPIC_STREAMS, open: true })) {
      const topic = stream.slice(TOPIC_STREAMS.length)
      const now = steadyTime(clock)
      const before = this.#left.get(topic)
      const since = before?.version === version ? before.since : now
      left.set(topic, { version, since })
      if (isOurs(topic) && now - since >= LEFT_AFTER_MS)
        await this.#unreadable.unless({ stream, version }, async () => (await this.#life(topic)).refresh())
    }
    this.#left = left
  }

  async close(): Promise<void> {
    this.#closing.abort()
    for (const life of await Promise.allSettled(this.#lives.values()))
      if (life.status === 'fulfilled') await life.value.close()
  }

  async #life(topic: string): Promise<TopicLife> {
    checkTopic(topic)
    if (this.#closing.signal.aborted) throw new ClosedError({ what: 'orchestrator' })
    const known = this.#lives.get(topic)
    if (known) return known
    const loading = Life.load(topicKind, topic, this.#environment).then((life) => {
      life.start((actor) => (effect, running) => this.#deliver(topic, actor, effect.message, running))
      return life
    })
    this.#lives.set(topic, loading)
    loading.catch(() => this.#lives.delete(topic))
    return loading
  }

  async #deliver(
    topic: string,
    actor: TopicActor,
    message: PendingMessage,
    running: EffectContext,
  ): Promise<void> {
    const { to: receivers, cause, messageId, from, text, chain } = message
    const copy: DeliveredMessage = {
      // Its own: no message that is sent to the subscriber alone has a # in its id.
      messageId: `${topic}#${messageId}`,
      ...{ topic, from, text, causationId: cause },
      ...defined({ chain }),
    }
    const outcomes = await Promise.all(
      receivers.map(async (to) => {
        try {
          await this.#environment.deliver(to, copy)
          return undefined
        } catch (error) {
          if (!running.isWanted || error instanceof ClosedError) throw error
          if (mayPass(error) && !(error instanceof TooManyMessagesError)) throw error
          return undeliveredTo(to, error)
        }
      }),
    ).catch((error) => {
      // The next process delivers it.
      if (!running.isWanted || error instanceof ClosedError) return undefined
      throw error
    })
    if (!outcomes) return
    const undelivered = outcomes.filter((one) => one !== undefined)
    const data = { messageId, delivered: outcomes.length - undelivered.length, undelivered }
    await actor.decide(
      ({ context: { pending } }) =>
        pending[0]?.messageId === messageId ? [{ type: 'PublicationDelivered', data }] : [],
      { correlationId: messageId, causationId: cause },
    )
  }

  /** It comes soon after. */
  async #deliveryOf({ stream, version, data }: Recorded): Promise<Recorded | undefined> {
    for await (const recorded of this.#environment.store.read(stream, { after: version }))
      if (recorded.type === 'PublicationDelivered' && recorded.data.messageId === data.messageId)
        return recorded
    return undefined
  }

  async #isThere(topic: string): Promise<boolean> {
    return (await this.#environment.store.head(topicAddress(topic))) > 0
  }

  /** Throws InvalidInputError if there are too many to make another one: that is none, and not kept in memory either. */
  async #checkRoom(topic: string): Promise<void> {
    if (this.#lives.has(topic) || (await this.#isThere(topic))) return
    let topics = 0
    for await (const _ of this.#environment.store.streams({ prefix: TOPIC_STREAMS })) topics += 1
    if (topics >= MOST_TOPICS)
      throw tooMany('The topic', `there are ${MOST_TOPICS} topics, which is the most`)
  }
}

const infoOf = (topic: string, { subscribers, published }: TopicContext): TopicInfo => ({
  ...{ topic, subscribers, published },
})

function undeliveredTo(to: string, error: unknown): Undelivered & { readonly gone?: true } {
  const { message: reason } = describeError(error)
  const isGone = error instanceof Error && error.cause instanceof AgentNotFoundError
  return { to, reason: reason.slice(0, LONGEST_REASON), ...(isGone && { gone: true as const }) }
}

const tooMany = (what: string, problem: string) =>
  new InvalidInputError({ what, problem, hint: 'Use one that is there, or fewer of them.' })
