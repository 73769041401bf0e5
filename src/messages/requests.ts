/**
 * Requests of agents to agents: a task of the other one, whose answer the first one waits for in the middle of its turn. An actor
 * of your own asks as well, and is asked: it replies at once.
 *
 * - None waits for one that waits for it: not in a row of requests, which the tasks record, nor across two of them.
 * - What the other one costs belongs to the run of the task that asks.
 * - A call that waits for an answer leaves a place for it: see `AskingPlaces`.
 * - A request ends with the task that asks.
 */

import { delivered } from '../actors/agent/mailbox/mailbox.ts'
import { LONGEST_CHAIN } from '../actors/agent/mailbox/unread.ts'
import type { AgentRef } from '../actors/agent/ref.ts'
import { type AskOptions, factOf, type Reply } from '../actors/agent/tasks/ask.ts'
import { recordedTask } from '../actors/agent/tasks/known-tasks.ts'
import type { AnyStateMachine } from '../actors/own/definition.ts'
import type { OwnActorRef } from '../actors/own/ref.ts'
import { type Clock, pause } from '../clock.ts'
import { AskCycleError, AskDepthError, MessageChainError } from '../events/errors/actor.ts'
import { AgentStoppedError } from '../events/errors/agent.ts'
import { abortedBecause } from '../events/errors/phrases.ts'
import { ClosedError } from '../events/errors/usage.ts'
import { jsonLine } from '../events/hidden-characters.ts'
import { isAgentAddress, streamName } from '../events/ids.ts'
import { defined } from '../events/json.ts'
import type { Amount } from '../events/options/budget.ts'
import type { EventStore } from '../store/event-store.ts'
import { AskingPlaces } from './asking-places.ts'
import { waitsInLog } from './waits-elsewhere.ts'

/** How many agents may wait for one another. */
const MOST_WAITING = 8
/** How often it is asked whether another process has closed a circle. */
const LOOK_MS = 2000

/** A request of an agent, or an actor of your own, to another one. */
export interface AgentRequest {
  /** Who asks, as `to` has it: the caller vouches for that. */
  readonly from: string
  /** An agent by its id, or an actor of your own as `KIND/ID`. */
  readonly to: string
  /** At most 64 KiB. */
  readonly text: string
  /** Makes it idempotent: the same id is one task, ever, and has one answer. Default: a new UUID. */
  readonly requestId?: string
  /** Aborting it cancels the task. */
  readonly signal?: AbortSignal
}

/** The answer to a request. */
export interface AgentAnswer {
  readonly requestId: string
  /** Who answers. */
  readonly from: string
  readonly text: string
  readonly costUsd: number
}

export interface RequestsEnvironment {
  /** Throws AgentNotFoundError. */
  readonly agent: (id: string) => Promise<AgentRef>
  /** An actor of your own, by its stream. Throws UndeliverableError. */
  readonly actor: (stream: string) => Promise<Pick<OwnActorRef<never, unknown, AnyStateMachine>, 'receive'>>
  readonly store: EventStore
  /** Whether agents live in several processes: what waits for what is then in the log alone. Default: in this one. */
  readonly isShared?: boolean
  readonly clock: Clock
  /** How many calls may be in flight at present. */
  readonly room: () => number
  /** Called with what a request has cost, if a run's task made it. */
  readonly spent: (
    request: { readonly taskId: string; readonly runId: string },
    cost: Amount,
  ) => Promise<void>
}

interface CheckedRequest extends Omit<AgentRequest, 'requestId'> {
  readonly requestId: string
  /** How many messages have led to it, where an actor of your own asks. */
  readonly chain?: number
  /** Whether an aborted signal leaves the task as it is. */
  readonly isLeft?: () => boolean
}

/** What of one that asks its request depends on. */
interface Asker {
  /** The fact that led to it. */
  readonly cause: string | null
  /** The task that asks. */
  readonly taskId?: string
  /** Its call, if that is in flight. */
  readonly callId?: string
  readonly runId?: string
  readonly woken?: number
  readonly askers?: readonly string[]
  /** Settles when that task has ended. */
  readonly ended?: () => Promise<unknown>
}

export class Requests {
  readonly #environment: RequestsEnvironment
  /** Who waits for whom. */
  readonly #waits = new Set<{ readonly from: string; readonly to: string }>()
  readonly #places: AskingPlaces

  constructor(environment: RequestsEnvironment) {
    this.#environment = environment
    this.#places = new AskingPlaces(environment.room)
  }

  async ask({ from, to, text, requestId, chain, signal, isLeft }: CheckedRequest): Promise<AgentAnswer> {
    const asker = await this.#asker(from, chain)
    const { taskId, callId, runId, woken, cause } = asker
    if (!isAgentAddress(to)) return this.#askActor(to, { from, text, messageId: requestId }, asker)
    const askers = [...(asker.askers ?? []), from]
    if (this.#environment.isShared) await this.#checkElsewhere(from, to)
    // At once with the note below that it waits.
    this.#check(askers, to)
    const end = callId === undefined ? () => {} : this.#places.take(callId)
    const wait = { from, to }
    this.#waits.add(wait)
    const stop = new AbortController()
    const abort = () => stop.abort(signal?.reason ?? `${from} no longer waits for it`)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    const over = new AbortController()
    let cycle: unknown
    if (this.#environment.isShared)
      void this.#watch(from, to, over.signal).catch((error) => {
        cycle = error
        stop.abort('it waits for one that waits for it')
      })
    // However the task ends that asks.
    asker.ended?.().then(abort, abort)
    const origin = {
      correlationId: runId ?? taskId ?? requestId,
      causationId: cause,
      ...defined({ runId }),
      // It is a link of the chain that woke the one that asks.
      ...(woken !== undefined && { woken: woken + 1 }),
      askers,
    }
    try {
      const receiver = await this.#receiver(to)
      const options = { taskId: requestId, signal: stop.signal, origin }
      const task = isLeft
        ? leavable(receiver, requestAsText(from, text), options, isLeft)
        : receiver.ask(requestAsText(from, text), options)
      try {
        const reply = await task
        await this.#read(asker, { from, to, requestId }, factOf(reply) ?? (await this.#endOf(requestId, to)))
        return { requestId, from: to, text: reply.text, costUsd: reply.costUsd }
      } catch (error) {
        if (cycle !== undefined) throw cycle
        if (!stop.signal.aborted) await this.#read(asker, { from, to, requestId }, factOf(error))
        throw error
      } finally {
        if (runId !== undefined) {
          const { costUsd: usd, tokens } = await receiver.spentOn(requestId)
          if (usd > 0 || tokens > 0)
            await this.#environment.spent({ taskId: requestId, runId }, { usd, tokens })
        }
      }
    } finally {
      this.#waits.delete(wait)
      over.abort()
      end()
      signal?.removeEventListener('abort', abort)
    }
  }

  /** It decides at once, so that it never waits for one that waits for it. */
  async #askActor(
    to: string,
    message: { readonly from: string; readonly text: string; readonly messageId: string },
    { cause, callId, woken = 0 }: Asker,
  ): Promise<AgentAnswer> {
    const actor = await this.#environment.actor(to)
    const chain = woken + 1
    if (chain > LONGEST_CHAIN) throw new MessageChainError({ to, longest: LONGEST_CHAIN })
    const { from, messageId: requestId } = message
    const received = await actor.receive({ ...message, chain, ...(cause !== null && { causationId: cause }) })
    const text = asText(received.reply)
    if (callId !== undefined)
      await (await this.#environment.agent(from)).mailbox.readAnswer({
        ...{ callId, requestId, from: to, text, cause: received.cause },
      })
    return { requestId, from: to, text, costUsd: 0 }
  }

  /** What the call that asks says from now on uses how the task has ended. */
  async #read(
    { callId }: Asker,
    { from, to, requestId }: { readonly from: string; readonly to: string; readonly requestId: string },
    ending: string | undefined,
  ): Promise<void> {
    // A request that was refused is no task.
    if (callId === undefined || ending === undefined) return
    const { mailbox } = await this.#environment.agent(from)
    await mailbox.readAnswer({ callId, requestId, from: to, cause: ending })
  }

  /** The fact that ended a task of an agent that lives elsewhere. */
  async #endOf(taskId: string, agent: string): Promise<string | undefined> {
    const task = await recordedTask(taskId, this.#environment.store, streamName('agent', agent))
    return task?.outcome?.id
  }

  async #asker(from: string, chain: number | undefined): Promise<Asker> {
    const { agent, store } = this.#environment
    if (!isAgentAddress(from)) {
      const cause = (await lastFact(store, from)) ?? null
      return { cause, ...(chain !== undefined && { woken: chain - 1 }) }
    }
    const asker = await agent(from)
    const { current } = asker.snapshot.context
    if (!current) return { cause: null }
    const { taskId, call, runId, woken, askers, cause } = current
    const callId = call?.callId
    return { cause, taskId, ...defined({ callId, runId, woken, askers }), ended: () => asker.reply(taskId) }
  }

  /** Throws AskCycleError, AskDepthError. */
  #check(askers: readonly string[], to: string): void {
    const from = askers.at(-1) ?? ''
    const path = askers.includes(to) ? askers.slice(askers.indexOf(to)) : this.#pathBetween(to, from)
    if (path) throw new AskCycleError({ waiting: [from, ...path] })
    if (askers.length > MOST_WAITING) throw new AskDepthError({ waiting: askers, deepest: MOST_WAITING })
  }

  /** The same of those that wait in other processes. */
  async #checkElsewhere(from: string, to: string): Promise<void> {
    const path = await waitsInLog(this.#environment.agent, to, from)
    if (path) throw new AskCycleError({ waiting: [from, ...path] })
  }

  /** Two that ask each other at the same moment see each other's tasks only once these are accepted. */
  async #watch(from: string, to: string, over: AbortSignal): Promise<void> {
    for (;;) {
      await pause(this.#environment.clock, LOOK_MS, over)
      if (over.aborted) return
      await this.#checkElsewhere(from, to)
    }
  }

  /** From one that waits to one that it waits for, also by way of others. */
  #pathBetween(start: string, end: string): readonly string[] | undefined {
    const paths = new Map([[start, [start]]])
    // The map grows while it is read.
    for (const [at, path] of paths) {
      if (at === end) return path
      for (const { from, to } of this.#waits) if (from === at && !paths.has(to)) paths.set(to, [...path, to])
    }
    return undefined
  }

  /** Throws UndeliverableError. */
  #receiver(to: string): Promise<AgentRef> {
    return delivered(to, async () => {
      const receiver = await this.#environment.agent(to)
      if (receiver.status === 'stopped') throw new AgentStoppedError({ agent: to })
      return receiver
    })
  }
}

/** The fact that led to what an actor of your own does now: its last one. */
export async function lastFact(store: EventStore, stream: string): Promise<string | undefined> {
  for await (const { id } of store.read(stream, { direction: 'backwards', limit: 1 })) return id
  return undefined
}

/** Asks, and leaves the task to itself if the one that asks has ended. */
async function leavable(
  agent: AgentRef,
  text: string,
  { signal, ...options }: AskOptions & { readonly taskId: string; readonly signal: AbortSignal },
  isLeft: () => boolean,
): Promise<Reply> {
  await agent.accept(text, options)
  const reply = agent.reply(options.taskId)
  return new Promise((resolve, reject) => {
    const stop = () => {
      if (isLeft()) reject(new ClosedError({ what: 'the actor that asks' }))
      else agent.cancel(options.taskId, abortedBecause(signal.reason)).catch(reject)
    }
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    reply.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

/** What an actor has replied, for a model to read. */
function asText(reply: unknown): string {
  if (typeof reply === 'string') return reply
  try {
    return JSON.stringify(reply) ?? 'Done.'
  } catch {
    return String(reply)
  }
}

/** One line of JSON: no text can look like another sender. */
const requestAsText = (from: string, text: string) =>
  `${isAgentAddress(from) ? 'Agent' : 'Actor'} ${from} asks you the following, as JSON, and waits for your answer.\n${jsonLine({ from, text })}`
