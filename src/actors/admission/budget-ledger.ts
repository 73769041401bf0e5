/** One budget: calls are checked against what is in memory, and every change is durable before it counts. */
import type { BudgetFact, Reservation } from '../../events/budget-facts.ts'
import { defined } from '../../events/json.ts'
import type { Amount } from '../../events/options/budget.ts'
import type { ActorEnvironment } from '../engine/actor.ts'
import { type Decides, Life } from '../engine/life.ts'
import { mayPass } from '../engine/wish.ts'
import {
  type BudgetContext,
  type BudgetEffect,
  type BudgetSnapshot,
  budgetKinds,
  type budgetMachine,
} from './budget.ts'
import { fits, isLimited, remaining, sum } from './budget-arithmetic.ts'
import { type BudgetInfo, type BudgetPlace, scopeOf } from './budget-scope.ts'
import { type Settlement, settlementOf } from './budget-settlement.ts'

/** What this process knows of calls. */
export interface CallsHere {
  /** Whether other processes begin calls as well. */
  readonly areShared: boolean
  /** Whether a call may begin, or has begun and not ended. */
  isOpen(callId: string): boolean
  /** Resolves when a call is known to have ended, or when the signal aborts. */
  ended(callId: string, signal: AbortSignal): Promise<void>
}

type BudgetLife = Life<typeof budgetMachine, BudgetEffect>

export class BudgetLedger {
  readonly #life: BudgetLife
  readonly #environment: ActorEnvironment
  readonly #calls: CallsHere
  /** Whether another process writes to the budget as well. */
  #isShared: boolean
  /** Reservations that are not durable yet. */
  readonly #promised = new Map<string, Amount>()
  /** The calls of this process that have a reservation. */
  readonly #own = new Set<string>()
  /** Known costs of calls that are not settled yet. */
  readonly #known = new Map<string, Amount>()
  readonly #settling = new Set<Promise<unknown>>()

  private constructor(life: BudgetLife, environment: ActorEnvironment, calls: CallsHere) {
    this.#life = life
    this.#environment = environment
    this.#calls = calls
    this.#isShared = calls.areShared
  }

  /**
   * Folds the budget's facts and first settles the calls that ended in the meantime.
   *
   * @param changed Called when the budget may have gained room.
   */
  static async load(
    { of, id }: BudgetPlace,
    environment: ActorEnvironment,
    calls: CallsHere,
    changed: () => void,
  ): Promise<BudgetLedger> {
    const life = await Life.load(budgetKinds[of], id, environment)
    const ledger = new BudgetLedger(life, environment, calls)
    life.observe(({ type }) => {
      if (type !== 'BudgetReserved') changed()
    })
    // Only another process makes it fold the facts afresh.
    life.woken = () => {
      ledger.#isShared = true
    }
    if (environment.store.forReading) return ledger
    // The cost of a call of this process may come after the log says that its task has ended.
    const isOpen = ({ callId }: Reservation) => calls.isOpen(callId)
    const left = Object.values(ledger.context.reserved).filter((reservation) => !isOpen(reservation))
    await Promise.all(left.map((reservation) => ledger.#settle(reservation)))
    life.start((by) => async ({ reservation }, { signal }) => {
      // A call that was cut off ends more than once: until its end is in the log, the next one is awaited.
      for (let isOver = !isOpen(reservation); !signal.aborted; isOver = true) {
        // Listens before it reads, so that no end is missed.
        const next = calls.ended(reservation.callId, signal)
        if (isOver && (await ledger.#settle(reservation, by))) return
        await next
      }
    })
    return ledger
  }

  get stream(): string {
    return this.#life.stream
  }

  /** The number of facts folded into the state. */
  get version(): number {
    return this.#life.version
  }

  get context(): BudgetContext {
    return this.#life.snapshot.context
  }

  get isLimited(): boolean {
    return isLimited(this.context.limit)
  }

  get info(): BudgetInfo {
    return this.#infoOf(this.context, this.#promised)
  }

  #infoOf({ limit, spent, reserved }: BudgetContext, promised: ReadonlyMap<string, Amount>): BudgetInfo {
    const open = Object.values(reserved)
    const inFlight = sum([
      ...[...promised].flatMap(([callId, cost]) => (callId in reserved ? [] : [cost])),
      ...open.filter(({ callId }) => !this.#known.has(callId)),
    ])
    const spentSoFar = sum([spent, ...open.flatMap(({ callId }) => this.#known.get(callId) ?? [])])
    return {
      scope: scopeOf(this.#life.stream),
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

  /**
   * Counts the reservation at once. Resolves with whether it is durable, or not needed: another process may have taken the
   * room meanwhile.
   */
  async reserve(reservation: Reservation): Promise<boolean> {
    const { callId } = reservation
    this.#promised.set(callId, reservation)
    this.#own.add(callId)
    let isRefused = false
    try {
      await this.decide(({ value, context }) => {
        isRefused = value === 'limited' && !fits(this.#infoOf(context, NONE).remaining, reservation)
        return value === 'limited' && !isRefused ? [{ type: 'BudgetReserved', data: reservation }] : []
      })
      return !isRefused
    } finally {
      this.#promised.delete(callId)
      if (!(callId in this.context.reserved)) this.#own.delete(callId)
    }
  }

  /** Reserves what is spent, whether or not there is room. */
  async charge(reservation: Reservation): Promise<void> {
    await this.decide(({ value }) =>
      value === 'limited' ? [{ type: 'BudgetReserved', data: reservation }] : [],
    )
    this.learn(reservation.callId, reservation)
  }

  /** Decides on the state that all processes have led to. */
  decide(decision: (snapshot: BudgetSnapshot) => readonly BudgetFact[], correlationId?: string) {
    return this.#life.decide(decision, defined({ correlationId }))
  }

  /** Folds the budget afresh if another process has written to it. Returns whether one had. */
  refresh(): Promise<boolean> {
    return this.#life.refresh()
  }

  /** Settles a call that has ended, as far as the log has its end. If that cannot be written now, it is settled later. */
  async settle(callId: string): Promise<void> {
    const reservation = this.context.reserved[callId]
    if (reservation) await this.#settle(reservation)
  }

  /** The same for several. Waits for room to write it, until the budget is closed. */
  async settleAll(callIds: readonly string[]): Promise<void> {
    await Promise.all(callIds.map((callId) => this.#life.insist(() => this.settle(callId))))
  }

  /** Settles the calls of other processes that have ended: theirs may be gone. */
  async settleOthers(): Promise<void> {
    await Promise.all(this.#others().map((reservation) => this.#settle(reservation)))
  }

  /**
   * Settles what an earlier owner of an agent has reserved for it: a call that this one has not announced will not be.
   *
   * @param check Throws if another process has the agent by now. What is reserved from then on is left alone.
   */
  async takeOver(agent: string, check: () => Promise<void>): Promise<void> {
    const left = this.#others().filter((reservation) => reservation.agent === agent)
    if (left.length === 0) return
    await check()
    await Promise.all(left.map((reservation) => this.#settle(reservation, this.#life, () => false)))
  }

  /** What is reserved for calls that this process has not begun. */
  #others(): readonly Reservation[] {
    return Object.values(this.context.reserved).filter(
      ({ callId }) => !this.#own.has(callId) && !this.#calls.isOpen(callId),
    )
  }

  /** Resolves when the calls known to have ended are settled. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#settling)
  }

  async close(): Promise<void> {
    await this.settled()
    await this.#life.close()
  }

  /** Whether a call that the log does not have may still be announced, by this process or by another one. */
  #mayBegin(callId: string, isGivenUp: boolean): boolean {
    return this.#calls.isOpen(callId) || (this.#isShared && !this.#own.has(callId) && !isGivenUp)
  }

  /** A call whose cost cannot be read has cost what was reserved for it. */
  async #settlementOf(
    reservation: Reservation,
    mayBegin: (isGivenUp: boolean) => boolean,
  ): Promise<Settlement | undefined> {
    const { store, logger } = this.#environment
    try {
      return await settlementOf(store, reservation, mayBegin)
    } catch (error) {
      if (mayPass(error)) throw error
      const { callId, usd, tokens } = reservation
      logger.error({ stream: this.stream, callId, error }, 'the cost of a call cannot be read')
      return { usd, tokens, outcome: 'assumed' }
    }
  }

  /** Returns false while the log has no end of the call. */
  async #settle(
    reservation: Reservation,
    by: Decides<typeof budgetMachine> = this.#life,
    mayBegin = (isGivenUp: boolean) => this.#mayBegin(reservation.callId, isGivenUp),
  ): Promise<boolean> {
    const settling = this.#settled(reservation, by, mayBegin)
    this.#settling.add(settling)
    return settling.finally(() => this.#settling.delete(settling))
  }

  async #settled(
    reservation: Reservation,
    by: Decides<typeof budgetMachine>,
    mayBegin: (isGivenUp: boolean) => boolean,
  ): Promise<boolean> {
    const { callId, taskId } = reservation
    const settlement = await this.#settlementOf(reservation, mayBegin)
    if (!settlement) return false
    const decide = ({ context }: BudgetSnapshot): readonly BudgetFact[] =>
      callId in context.reserved ? [{ type: 'BudgetSettled', data: { callId, ...settlement } }] : []
    await by.decide(decide, { correlationId: taskId })
    this.#known.delete(callId)
    this.#own.delete(callId)
    return true
  }
}

const NONE: ReadonlyMap<string, Amount> = new Map()
