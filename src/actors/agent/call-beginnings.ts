/** Where an agent's calls begin: there must be room in the budgets and a place among other agents, then it is announced. */
import type { EventEmitter } from 'node:events'
import { estimate } from '../admission/budget-decisions.ts'
import type { BudgetHold } from '../admission/budget-requests.ts'
import type { Caller, CallSlot } from '../admission/governor.ts'
import type { EffectContext } from '../engine/running-effects.ts'
import { holdForBudget, nextCall, ready } from './decisions.ts'
import type { AgentActor, AgentEnvironment } from './environment.ts'
import type { OpenCall, QueuedTask } from './state.ts'

export class CallBeginnings {
  readonly #agent: string
  readonly #actor: AgentActor
  readonly #environment: AgentEnvironment
  readonly #events: EventEmitter
  /** Places of calls that are announced, until their effect takes them. */
  readonly #places = new Map<string, CallSlot>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(agent: string, actor: AgentActor, environment: AgentEnvironment, events: EventEmitter) {
    this.#agent = agent
    this.#actor = actor
    this.#environment = environment
    this.#events = events
  }

  get caller(): Caller {
    return { agent: this.#agent, account: this.#environment.runner.account?.() ?? 'default' }
  }

  /** Resolves when the task has had its turn among other agents, and its call is announced: that is no time of its own. */
  get turn(): Promise<unknown> {
    return this.#turn
  }

  /** Begins the first of those that are ready for which there is money. The others are held. */
  async next(context: EffectContext): Promise<void> {
    for (const task of ready(this.#actor.snapshot.context))
      if (!context.isWanted || (await this.begin(task, context))) return
  }

  /** Whether the task had its turn. Otherwise it is held. */
  begin(task: QueuedTask, context: EffectContext): Promise<boolean> {
    const begun = this.#begin(task, context)
    this.#turn = begun.catch(() => {})
    return begun
  }

  async #begin(task: QueuedTask, context: EffectContext): Promise<boolean> {
    const { governor, newId, clock, budgets, swept } = this.#environment
    const request = this.#request(task, newId())
    // No place is taken for what nobody could pay for.
    const full = budgets.areSet ? await budgets.refusal(request) : undefined
    if (full) return this.#hold(task, full)
    await swept()
    const since = clock.now()
    const entering = () => governor.enter(this.caller, context.signal).catch(() => undefined)
    const place = governor.tryEnter(this.caller) ?? (await entering())
    // The task is no longer wanted.
    if (!place) return true
    this.#places.set(request.callId, place)
    try {
      const refused = await budgets.reserve(request)
      if (refused) return await this.#hold(task, refused)
      await this.#announce(task, request.callId, clock.now() - since)
      return true
    } finally {
      // Where no call has come of it.
      if (this.#places.delete(request.callId)) {
        place.leave()
        budgets.ended(request.callId)
      }
    }
  }

  /** The place of a call; one that an earlier process has announced is under way already. */
  placeOf({ callId }: OpenCall): CallSlot {
    const place = this.#places.get(callId)
    this.#places.delete(callId)
    return place ?? this.#environment.governor.adopt(this.caller)
  }

  #request({ taskId, runId }: QueuedTask, callId: string) {
    const { version, snapshot } = this.#actor
    return {
      ...{ callId, taskId, agent: this.#agent, agentVersion: version },
      ...(runId === undefined ? {} : { runId }),
      estimate: estimate(snapshot.context, this.#environment.budgets.minimum),
    }
  }

  async #announce(task: QueuedTask, callId: string, waitedMs: number): Promise<void> {
    const { clock, newId } = this.#environment
    const ids = { callId, sessionId: newId() }
    await this.#actor.decide(
      ({ context }) => nextCall(context, task.taskId, ids, { now: clock.now() }, waitedMs),
      { correlationId: task.taskId, causationId: task.cause },
    )
  }

  async #hold(task: QueuedTask, hold: BudgetHold): Promise<false> {
    const { taskId } = task
    await this.#actor.decide(({ context }) => holdForBudget(context, taskId, hold), {
      correlationId: taskId,
      causationId: task.cause,
    })
    this.#events.emit(`held ${taskId}`, hold)
    return false
  }
}
