/** Admits an agent's calls: room in the budgets and a slot from the governor come first, then the call is announced. */
import type { EventEmitter } from 'node:events'
import { estimate } from '../admission/budget-decisions.ts'
import type { BudgetHold, CallRequest } from '../admission/budgets.ts'
import type { Caller, CallSlot } from '../admission/governor.ts'
import type { EffectContext } from '../engine/running-effects.ts'
import { endBrokenTask } from './broken-task.ts'
import { holdForBudget, nextCall, ready } from './decisions.ts'
import type { AgentActor, AgentEnvironment } from './environment.ts'
import type { OpenCall, QueuedTask } from './state.ts'

export class CallAdmission {
  readonly #agent: string
  readonly #actor: AgentActor
  readonly #environment: AgentEnvironment
  readonly #events: EventEmitter
  readonly #cancelling: ReadonlyMap<string, Promise<unknown>>
  /** Slots of announced calls, until their effect takes them. */
  readonly #slots = new Map<string, CallSlot>()
  #admitting: Promise<unknown> = Promise.resolve()

  /** @param cancelling The cancellations of tasks that are not durable yet. They never reject. */
  constructor(
    agent: string,
    actor: AgentActor,
    environment: AgentEnvironment,
    events: EventEmitter,
    cancelling: ReadonlyMap<string, Promise<unknown>>,
  ) {
    this.#agent = agent
    this.#actor = actor
    this.#environment = environment
    this.#events = events
    this.#cancelling = cancelling
  }

  get caller(): Caller {
    return { agent: this.#agent, account: this.#environment.runner.account?.() ?? 'default' }
  }

  /** Resolves when no call waits for admission. The wait for other agents does not count against a task's deadline. */
  get idle(): Promise<unknown> {
    return this.#admitting
  }

  /**
   * Admits the first ready task that the budgets have room for, and holds those before it. A task that is cancelled
   * meanwhile makes no call: as long as none has begun, the effect is wanted and the next task has its turn.
   */
  async admitNext(context: EffectContext): Promise<void> {
    for (const task of ready(this.#actor.snapshot.context)) {
      if (!context.isWanted) return
      try {
        await this.admit(task, context)
      } catch (error) {
        if (!context.isWanted) throw error
        await endBrokenTask(this.#actor, this.#environment, task.taskId, error)
      }
    }
  }

  /** Admits the next call of a task, or holds the task if a budget has no room for it. */
  admit(task: QueuedTask, context: EffectContext): Promise<void> {
    const admitted = this.#admitUncancelled(task, context)
    this.#admitting = admitted.catch(() => {})
    return admitted
  }

  /** Takes the slot of an announced call. A call that an earlier process announced already runs, and gets a new slot. */
  takeSlot(task: QueuedTask, { callId }: OpenCall): CallSlot {
    const slot = this.#slots.get(callId)
    this.#slots.delete(callId)
    if (slot) return slot
    // Its facts may be anywhere in the stream.
    this.#environment.budgets.adopt({ ...this.#request(task, callId), agentVersion: 0 })
    return this.#environment.governor.adopt(this.caller)
  }

  /** No call begins while a cancellation of its task waits to be written, for example to a full disk. */
  async #admitUncancelled(task: QueuedTask, context: EffectContext): Promise<void> {
    do {
      await this.#cancelling.get(task.taskId)
      if (context.isWanted) await this.#admit(task, context)
    } while (context.isWanted && this.#cancelling.has(task.taskId))
  }

  async #admit(task: QueuedTask, context: EffectContext): Promise<void> {
    const { governor, newId, clock, budgets, swept } = this.#environment
    const request = this.#request(task, newId())
    // Checked before waiting for a slot, which a call without a budget must not take.
    const full = budgets.areSet ? await budgets.refusal(request) : undefined
    if (full) return this.#hold(task, full)
    await swept()
    const since = clock.now()
    const entering = () => governor.enter(this.caller, context.signal).catch(() => undefined)
    const slot = governor.tryEnter(this.caller) ?? (await entering())
    // The task is no longer wanted.
    if (!slot) return
    this.#slots.set(request.callId, slot)
    try {
      const refused = await budgets.reserve(request)
      if (refused) return await this.#hold(task, refused)
      await this.#announce(task, request.callId, clock.now() - since)
    } finally {
      // Still there: no call was announced.
      if (this.#slots.delete(request.callId)) {
        slot.leave()
        budgets.ended(request.callId)
      }
    }
  }

  #request({ taskId, runId }: QueuedTask, callId: string): CallRequest {
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
      ({ context }) =>
        this.#cancelling.has(task.taskId)
          ? []
          : nextCall(context, task.taskId, ids, { now: clock.now() }, waitedMs),
      { correlationId: task.taskId, causationId: task.cause },
    )
  }

  async #hold(task: QueuedTask, hold: BudgetHold): Promise<void> {
    const { taskId } = task
    await this.#actor.decide(({ context }) => holdForBudget(context, taskId, hold), {
      correlationId: taskId,
      causationId: task.cause,
    })
    this.#events.emit(`held ${taskId}`, hold)
  }
}
