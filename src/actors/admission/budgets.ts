/** All budgets: a call that is about to begin is reserved for in each that concerns it, or in none and does not begin. */

import type { BudgetFact, Reservation } from '../../events/budget-facts.ts'
import { type Amount, type Budget, checkBudget } from '../../events/options/budget.ts'
import type { ActorEnvironment } from '../engine/actor.ts'
import { Mailbox } from '../engine/mailbox.ts'
import { changed, declared, isLimited, UNLIMITED } from './budget-decisions.ts'
import { type BudgetInfo, BudgetLedger } from './budget-ledger.ts'
import { budgetKinds, nameWithoutCopy } from './budget-machine.ts'
import {
  type BudgetedCall,
  type BudgetHold,
  type CallRequest,
  refusedBy,
  requestCost,
  scopesOf,
} from './budget-requests.ts'
import { type BudgetScope, placeOf, scopeOf, spentBefore, streamOf } from './budget-scope.ts'

/** How a budget is set: by hand, as a program declares it, or for an agent that is about to be made. */
type Manner = 'by hand' | 'declared' | 'new'

export class Budgets {
  /** The least that a call is estimated to cost. */
  readonly minimum: Amount
  readonly #environment: ActorEnvironment
  readonly #listeners = new Set<() => void>()
  /** Those that have facts. */
  #streams: Promise<Set<string>> | undefined
  readonly #ledgers = new Map<string, Promise<BudgetLedger>>()
  /** Calls that this process has let begin, and that have not ended. */
  readonly #begun = new Map<string, CallRequest>()
  /** Who waits for the end of a call. */
  readonly #waiting = new Map<string, Set<() => void>>()
  /** No call begins while a budget is being set: it would be counted by nobody. */
  readonly #settings = new Mailbox()
  #beingSet = 0
  #timesSet = 0
  #loaded: ReadonlySet<string> | undefined

  constructor(environment: ActorEnvironment, minimum: Amount) {
    this.#environment = environment
    this.minimum = minimum
  }

  /** Whether any budget was ever set, or is being set: otherwise there is nothing to ask, and nothing to wait for. */
  get areSet(): boolean {
    return this.#loaded?.size !== 0 || this.#beingSet > 0
  }

  /** Calls back whenever there may be room that was not there before. Returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Reserves for a call in every budget that concerns it, or says which one it does not fit into. Whoever has reserved
   * says later, by `ended`, that the call has ended: then the log tells what it came to.
   */
  async reserve(request: CallRequest): Promise<BudgetHold | undefined> {
    if (!this.areSet) {
      this.#begun.set(request.callId, request)
      return undefined
    }
    const ledgers = await this.#limiting(request)
    // Nothing is waited for from here on until it is spoken for: two calls cannot both be the last that fits.
    const cost = requestCost(request, ledgers)
    const refused = refusedBy(ledgers, cost)
    if (refused) return refused
    const { callId, taskId, agent, agentVersion } = request
    this.#begun.set(callId, { ...request, estimate: cost })
    const reservation: Reservation = { callId, taskId, agent, agentVersion, ...cost }
    try {
      await Promise.all(ledgers.map((ledger) => ledger.reserve(reservation)))
    } catch (error) {
      this.ended(callId)
      throw error
    }
    return undefined
  }

  /** Which budget a call would not fit into now. */
  async refusal(request: CallRequest): Promise<BudgetHold | undefined> {
    const ledgers = await this.#limiting(request)
    return refusedBy(ledgers, requestCost(request, ledgers))
  }

  /** What a call has come to, before its end is written down: it is paid, whatever happens to the log. */
  async learn({ agent, callId, runId }: BudgetedCall, { usd, tokens }: Amount): Promise<void> {
    for (const ledger of await this.#existing(scopesOf({ agent, ...(runId !== undefined && { runId }) })))
      ledger.learn(callId, { usd: Math.max(0, usd), tokens })
  }

  /** The call has ended, or will not begin; all that is to be known of it is in the log. */
  ended(callId: string): void {
    this.#begun.delete(callId)
    for (const resolve of this.#waiting.get(callId) ?? []) resolve()
    this.#waiting.delete(callId)
  }

  /** Sets a budget: what is not named stays as it is, null takes a limit away. Counts at once. */
  set(scope: BudgetScope, budget: Budget, manner: Manner = 'by hand'): Promise<BudgetInfo> {
    checkBudget(budget)
    const place = placeOf(scope)
    this.#beingSet += 1
    this.#timesSet += 1
    return this.#settings.post(async () => {
      try {
        return await this.#set(scopeOf(streamOf(place)), budget, manner)
      } finally {
        this.#beingSet -= 1
      }
    })
  }

  /** What was set for an agent goes with it. */
  async forget(agent: string): Promise<void> {
    const [ledger] = await this.#existing([{ agent }])
    if (ledger?.isLimited && nameWithoutCopy(agent) === agent) await this.set({ agent }, UNLIMITED)
  }

  /** A budget as it stands, also where there is none: then what was spent is read from the log. */
  async show(scope: BudgetScope): Promise<BudgetInfo> {
    const [ledger] = await this.#existing([scope])
    if (ledger?.isLimited) return ledger.info
    const own = scopeOf(streamOf(placeOf(scope)))
    const spent = await spentBefore(this.#environment.store, own, new Set())
    return { scope: own, limit: UNLIMITED, spent, reserved: { usd: 0, tokens: 0 }, remaining: UNLIMITED }
  }

  /** The budgets that are set: the orchestrator's first, then those of agents and of runs. */
  async list(): Promise<readonly BudgetInfo[]> {
    const ledgers = await Promise.all(
      [...(await this.#known())].map((stream) => this.#ledger(scopeOf(stream))),
    )
    return ledgers.filter(({ isLimited }) => isLimited).map(({ info }) => info)
  }

  /** The one that a task does not fit into, as it stands. */
  async of({ budget }: BudgetHold): Promise<BudgetInfo> {
    return (await this.#ledger(scopeOf(budget))).info
  }

  /** Lets a budget go from memory, unless calls are reserved in it. */
  async rest(scope: BudgetScope): Promise<void> {
    const stream = streamOf(placeOf(scope))
    const ledger = await this.#ledgers.get(stream)
    await ledger?.settled()
    if (!ledger || Object.keys(ledger.context.reserved).length > 0) return
    this.#ledgers.delete(stream)
    await ledger.close()
  }

  /** Resolves when all calls that are known to have ended are settled. */
  async settled(): Promise<void> {
    for (const ledger of await Promise.allSettled(this.#ledgers.values()))
      if (ledger.status === 'fulfilled') await ledger.value.settled()
  }

  async close(): Promise<void> {
    await this.#settings.idle()
    for (const ledger of await Promise.allSettled(this.#ledgers.values()))
      if (ledger.status === 'fulfilled') await ledger.value.close()
  }

  async #set(scope: BudgetScope, budget: Budget, manner: Manner): Promise<BudgetInfo> {
    const ledger = await this.#ledger(scope)
    const { stream, context } = ledger
    const limit =
      manner === 'declared'
        ? declared(context, budget)
        : changed(manner === 'new' ? UNLIMITED : context.limit, budget)
    if (limit === undefined) return ledger.info
    const begins = isLimited(limit) && (manner === 'new' || !ledger.isLimited)
    const open = begins ? this.#openCalls(stream, context.reserved) : []
    const spent = begins
      ? await this.#spent(scope, manner, [...open, ...Object.values(context.reserved)])
      : undefined
    const facts: BudgetFact[] = [
      {
        type: 'BudgetSet',
        data: { limit, ...(spent && { spent }), ...(manner !== 'by hand' && { declared: limit }) },
      },
      ...open.map(
        ({ callId, taskId, agent, agentVersion, estimate }): BudgetFact => ({
          type: 'BudgetReserved',
          data: { callId, taskId, agent, agentVersion, ...estimate },
        }),
      ),
    ]
    await ledger.decide(() => facts)
    ;(await this.#known()).add(stream)
    // They may have ended while this was written.
    for (const { callId } of open) if (!this.#begun.has(callId)) this.ended(callId)
    return ledger.info
  }

  /** Calls that go on and that nobody has reserved for, as there was no limit when they began. */
  #openCalls(stream: string, reserved: Readonly<Record<string, Reservation>>): readonly CallRequest[] {
    return [...this.#begun.values()].filter(
      (call) =>
        !(call.callId in reserved) && scopesOf(call).some((scope) => streamOf(placeOf(scope)) === stream),
    )
  }

  async #spent(
    scope: BudgetScope,
    manner: Manner,
    without: readonly { readonly callId: string }[],
  ): Promise<Amount> {
    if (manner === 'new') return { usd: 0, tokens: 0 }
    return spentBefore(this.#environment.store, scope, new Set(without.map(({ callId }) => callId)))
  }

  /** The budgets that concern a call and have a limit. */
  async #limiting(request: CallRequest): Promise<readonly BudgetLedger[]> {
    for (;;) {
      const before = this.#timesSet
      await this.#settings.idle()
      const ledgers = await this.#existing(scopesOf(request))
      if (before === this.#timesSet) return ledgers.filter(({ isLimited }) => isLimited)
    }
  }

  /** Of these, the budgets that were ever set. */
  async #existing(scopes: readonly BudgetScope[]): Promise<readonly BudgetLedger[]> {
    const known = await this.#known()
    if (known.size === 0) return []
    return Promise.all(
      scopes.filter((scope) => known.has(streamOf(placeOf(scope)))).map((scope) => this.#ledger(scope)),
    )
  }

  #known(): Promise<Set<string>> {
    if (this.#streams) return this.#streams
    this.#streams = this.#list()
    // What could not be read now may be readable after a repair.
    this.#streams.catch(() => {
      this.#streams = undefined
    })
    return this.#streams
  }

  async #list(): Promise<Set<string>> {
    const streams = new Set<string>()
    for (const { kind } of Object.values(budgetKinds))
      for await (const { stream } of this.#environment.store.streams({ prefix: `${kind}/` }))
        streams.add(stream)
    this.#loaded = streams
    return streams
  }

  #ledger(scope: BudgetScope): Promise<BudgetLedger> {
    const place = placeOf(scope)
    const stream = streamOf(place)
    const known = this.#ledgers.get(stream)
    if (known) return known
    const loading = BudgetLedger.load(
      place,
      this.#environment,
      (callId, signal) => this.#whenEnded(callId, signal),
      () => this.#tell(),
    )
    this.#ledgers.set(stream, loading)
    loading.catch(() => this.#ledgers.delete(stream))
    return loading
  }

  #whenEnded(callId: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(callId) ?? new Set()
      this.#waiting.set(callId, waiting.add(resolve))
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
