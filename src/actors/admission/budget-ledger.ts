/** One budget: calls are checked against what is in memory, and every change is durable before it counts. */
import type { BudgetFact, Reservation } from '../../events/budget-facts.ts'
import type { Amount, Limit } from '../../events/options/budget.ts'
import { isForReading } from '../../store/level/chained-store.ts'
import type { ActorEnvironment } from '../engine/actor.ts'
import { mayPass } from '../engine/insistence.ts'
import { type Decides, Life } from '../engine/life.ts'
import { fits, isLimited, remaining } from './budget-decisions.ts'
import {
  type BudgetContext,
  type BudgetEffect,
  type BudgetSnapshot,
  budgetKinds,
  type budgetMachine,
  sum,
} from './budget-machine.ts'
import { type BudgetPlace, type BudgetScope, scopeOf } from './budget-scope.ts'
import { type Settlement, settlementOf } from './budget-settlement.ts'

/** A budget as it stands. */
export interface BudgetInfo {
  /** What it limits; empty for the orchestrator's budget, which covers everything. */
  readonly scope: BudgetScope
  /** null: no limit. */
  readonly limit: Limit
  readonly spent: Amount
  /** Reserved for calls that have not ended. */
  readonly reserved: Amount
  /** What can still be spent; null without a limit. Below zero if a call cost more than estimated. */
  readonly remaining: Limit
}

/** Resolves when this process knows that a call has ended, or when the signal aborts. */
export type CallEnded = (callId: string, signal: AbortSignal) => Promise<void>

export class BudgetLedger {
  readonly #actor: Life<typeof budgetMachine, BudgetEffect>
  readonly #environment: ActorEnvironment
  /** Reservations that are not durable yet. */
  readonly #promised = new Map<string, Amount>()
  /** Known costs of calls that are not settled yet. */
  readonly #known = new Map<string, Amount>()
  readonly #settling = new Set<Promise<unknown>>()

  private constructor(actor: Life<typeof budgetMachine, BudgetEffect>, environment: ActorEnvironment) {
    this.#actor = actor
    this.#environment = environment
  }

  /** Folds the budget's facts and first settles the calls that ended in the meantime. */
  static async load(
    { of, id }: BudgetPlace,
    environment: ActorEnvironment,
    ended: CallEnded,
    changed: () => void,
  ): Promise<BudgetLedger> {
    const actor = await Life.load(budgetKinds[of], id, environment)
    const ledger = new BudgetLedger(actor, environment)
    actor.observe(({ type }) => {
      if (type !== 'BudgetReserved') changed()
    })
    if (isForReading(environment.store)) return ledger
    await Promise.all(Object.values(ledger.context.reserved).map((open) => ledger.#settle(open)))
    actor.start((by) => async ({ reservation }, { signal, resumed }) => {
      // A call that was cut off ends more than once: until its end is in the log, the next one is awaited.
      for (let isOver = resumed; !signal.aborted; isOver = true) {
        // Listens before it reads, so that no end is missed.
        const next = ended(reservation.callId, signal)
        if (isOver && (await ledger.#settle(reservation, by))) return
        await next
      }
    })
    return ledger
  }

  get stream(): string {
    return this.#actor.stream
  }

  get context(): BudgetContext {
    return this.#actor.snapshot.context
  }

  get isLimited(): boolean {
    return isLimited(this.context.limit)
  }

  get info(): BudgetInfo {
    const { limit, spent, reserved } = this.context
    const open = Object.values(reserved)
    const inFlight = sum([
      ...[...this.#promised].flatMap(([callId, cost]) => (callId in reserved ? [] : [cost])),
      ...open.filter(({ callId }) => !this.#known.has(callId)),
    ])
    const spentSoFar = sum([spent, ...open.flatMap(({ callId }) => this.#known.get(callId) ?? [])])
    return {
      scope: scopeOf(this.#actor.stream),
      limit,
      spent: spentSoFar,
      reserved: inFlight,
      remaining: remaining(limit, [spentSoFar, inFlight]),
    }
  }

  /** Counts a call's cost as soon as it is known: the next call may begin before this one is settled. */
  learn(callId: string, cost: Amount): void {
    if (callId in this.context.reserved) this.#known.set(callId, cost)
  }

  fits(cost: Amount): boolean {
    return fits(this.info.remaining, cost)
  }

  /** Counts the reservation at once; resolves when it is durable. */
  async reserve(reservation: Reservation): Promise<void> {
    this.#promised.set(reservation.callId, reservation)
    try {
      await this.decide(({ value }) =>
        value === 'limited' ? [{ type: 'BudgetReserved', data: reservation }] : [],
      )
    } finally {
      this.#promised.delete(reservation.callId)
    }
  }

  decide(decision: (snapshot: BudgetSnapshot) => readonly BudgetFact[], correlationId?: string) {
    return this.#actor.decide(decision, correlationId === undefined ? {} : { correlationId })
  }

  /** Settles calls that have ended, as far as the log has their ends. Waits for room if it cannot be written. */
  async settle(callIds: readonly string[]): Promise<void> {
    const { reserved } = this.context
    const ended = callIds.flatMap((callId) => reserved[callId] ?? [])
    await Promise.all(ended.map((reservation) => this.#actor.insist(() => this.#settle(reservation))))
  }

  /** Resolves when the calls known to have ended are settled. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#settling)
  }

  async close(): Promise<void> {
    await this.settled()
    await this.#actor.close()
  }

  /** A call whose cost cannot be read has cost what was reserved for it. */
  async #settlementOf(reservation: Reservation): Promise<Settlement | undefined> {
    const { store, logger } = this.#environment
    try {
      return await settlementOf(store, reservation)
    } catch (error) {
      if (mayPass(error)) throw error
      const { callId, usd, tokens } = reservation
      logger.error({ stream: this.stream, callId, error }, 'the cost of a call cannot be read')
      return { usd, tokens, outcome: 'assumed' }
    }
  }

  /** Returns false while the log has no end of the call. */
  async #settle(reservation: Reservation, by: Decides<typeof budgetMachine> = this.#actor): Promise<boolean> {
    const settling = this.#settled(reservation, by)
    this.#settling.add(settling)
    return settling.finally(() => this.#settling.delete(settling))
  }

  async #settled(reservation: Reservation, by: Decides<typeof budgetMachine>): Promise<boolean> {
    const { callId, taskId } = reservation
    const settlement = await this.#settlementOf(reservation)
    if (!settlement) return false
    const decide = ({ context }: BudgetSnapshot): readonly BudgetFact[] =>
      callId in context.reserved ? [{ type: 'BudgetSettled', data: { callId, ...settlement } }] : []
    await by.decide(decide, { correlationId: taskId })
    this.#known.delete(callId)
    return true
  }
}
