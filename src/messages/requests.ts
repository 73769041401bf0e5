/**
 * Requests of agents to agents: a task of the other one, whose answer the first one waits for in the middle of its turn.
 *
 * - None waits for one that waits for it: not in a row of requests, which the tasks record, nor across two of them.
 * - What the other one costs belongs to the run of the task that asks.
 * - A request ends with the task that asks.
 */

import { delivered } from '../actors/agent/mailbox/mailbox.ts'
import type { AgentRef } from '../actors/agent/ref.ts'
import { AskCycleError, AskDepthError } from '../events/errors/actor.ts'
import { AgentStoppedError } from '../events/errors/agent.ts'
import { jsonLine } from '../events/hidden-characters.ts'
import { defined } from '../events/json.ts'
import type { Amount } from '../events/options/budget.ts'

/** How many agents may wait for one another. */
const MOST_WAITING = 8

/** A request of an agent to another one. */
export interface AgentRequest {
  /** The agent that asks: the caller vouches for that. */
  readonly from: string
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
  /** The agent that answers. */
  readonly from: string
  readonly text: string
  readonly costUsd: number
}

export interface RequestsEnvironment {
  /** Throws AgentNotFoundError. */
  readonly agent: (id: string) => Promise<AgentRef>
  /** Called with what a request has cost, if a run's task made it. */
  readonly spent: (
    request: { readonly taskId: string; readonly runId: string },
    cost: Amount,
  ) => Promise<void>
}

interface CheckedRequest extends Omit<AgentRequest, 'requestId'> {
  readonly requestId: string
}

export class Requests {
  readonly #environment: RequestsEnvironment
  /** Who waits for whom. */
  readonly #waits = new Set<{ readonly from: string; readonly to: string }>()

  constructor(environment: RequestsEnvironment) {
    this.#environment = environment
  }

  async ask({ from, to, text, requestId, signal }: CheckedRequest): Promise<AgentAnswer> {
    const asker = await this.#environment.agent(from)
    const { current } = asker.snapshot.context
    const askers = [...(current?.askers ?? []), from]
    this.#check(askers, to)
    const wait = { from, to }
    this.#waits.add(wait)
    const stop = new AbortController()
    const abort = () => stop.abort(signal?.reason ?? `agent ${from} no longer waits for it`)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    // However the task ends that asks.
    if (current) asker.reply(current.taskId).then(abort, abort)
    const { runId } = current ?? {}
    const origin = {
      correlationId: runId ?? current?.taskId ?? requestId,
      causationId: current?.cause ?? null,
      ...defined({ runId }),
      // It is a link of the chain that woke the one that asks.
      ...(current?.woken !== undefined && { woken: current.woken + 1 }),
      askers,
    }
    try {
      const receiver = await this.#receiver(to)
      const task = receiver.ask(requestAsText(from, text), { taskId: requestId, signal: stop.signal, origin })
      try {
        const { text: answer, costUsd } = await task
        return { requestId, from: to, text: answer, costUsd }
      } finally {
        if (runId !== undefined) {
          const { costUsd: usd, tokens } = await receiver.spentOn(requestId)
          if (usd > 0 || tokens > 0)
            await this.#environment.spent({ taskId: requestId, runId }, { usd, tokens })
        }
      }
    } finally {
      this.#waits.delete(wait)
      signal?.removeEventListener('abort', abort)
    }
  }

  /** Throws AskCycleError, AskDepthError. */
  #check(askers: readonly string[], to: string): void {
    const from = askers.at(-1) ?? ''
    const path = askers.includes(to) ? askers.slice(askers.indexOf(to)) : this.#pathBetween(to, from)
    if (path) throw new AskCycleError({ waiting: [from, ...path] })
    if (askers.length > MOST_WAITING) throw new AskDepthError({ waiting: askers, deepest: MOST_WAITING })
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

/** One line of JSON: no text can look like another sender. */
const requestAsText = (from: string, text: string) =>
  `Agent ${from} asks you the following, as JSON, and waits for your answer.\n${jsonLine({ from, text })}`
