/**
 * All budgets: the cost of a call is reserved in every budget it counts against, or in none and the call is refused.
 *
 * - B1. A call is reserved under its id before it is announced, and settled once the log has its end.
 * - B2. Two calls never take the same room. In one process nothing is awaited between the check and the promise; between
 *   processes, a reservation is decided on what all have written, and one that is refused is given back everywhere.
 * - B3. What a call has cost counts as soon as it is known, before its end is recorded.
 * - B4. No call begins while a budget is being set: no budget would count it.
 * - B5. What a process has reserved that is gone is settled by the others.
 *
 * One budget is a `BudgetLedger`; `budget-settlement.ts` reads in the log what a call has cost.
 */
import type { Usage } from '../../claude/runner.ts'
import type { BudgetFact, Reservation } from '../../events/budget-facts.ts'
import { streamName } from '../../events/ids.ts'
import { defined } from '../../events/json.ts'
import { type Amount, type Budget, checkBudget } from '../../events/options/budget.ts'
import type { ActorEnvironment } from '../engine/actor.ts'
import { Mailbox } from '../engine/mailbox.ts'
import { type BudgetContext, budgetKinds, nameWithoutCopy } from './budget.ts'
import {
  type CallCosts,
  changed,
  declared,
  estimate,
  estimateWith,
  isLimited,
  UNLIMITED,
} from './budget-arithmetic.ts'
import { BudgetLedger } from './budget-ledger.ts'
import {
  type BudgetHold,
  type BudgetInfo,
  type BudgetScope,
  placeOf,
  scopeOf,
  streamOf,
} from './budget-scope.ts'
import { spentBefore } from './budget-settlement.ts'

/** A call, and what it counts against. */
export interface BudgetedCall {
  readonly callId: string
  readonly agent: string
  readonly runId?: string
}

/** A call that is about to be announced. */
export interface CallRequest extends BudgetedCall {
  readonly taskId: string
  /** The length of the agent's stream. */
  readonly agentVersion: number
  /** What the agent's calls have cost so far: the next one is estimated by it. */
  readonly costs: CallCosts
}

/** Who sets a budget: a user by hand, a program's declaration, or the creation of its agent. */
export type BudgetManner = 'by hand' | 'declared' | 'new'

/** Keeps the budgets, in this process or elsewhere. Other processes may spend from them as well. */
export interface BudgetKeeper {
  /** Whether any budget was ever set or is being set. Otherwise no call needs to wait for one. */
  readonly areSet: boolean
  /** Learns which budgets were ever set. Until then, all calls wait for that. */
  load(): Promise<void>
  /** The tokens of a call as budgets count them. */
  tokensOf(usage: Usage): number
  /** The budget that a call would not fit into now. */
  refusal(request: CallRequest): Promise<BudgetHold | undefined>
  /**
   * Reserves the cost of a call in every budget it counts against, or returns the one it does not fit into. The caller
   * reports the end of the call by `settle`; its cost is then read from the log.
   */
  reserve(request: CallRequest): Promise<BudgetHold | undefined>
  /** A call begins for which nothing is to be reserved, or continues that an earlier process began. */
  adopt(request: CallRequest): void
  /** Reserves this cost in every budget that it counts against, whether or not there is room: it is spent. */
  charge(request: CallRequest, cost: Amount): Promise<void>
  /** Counts the cost of a call before its end is recorded: it is paid for, whatever happens to the log. */
  learn(call: BudgetedCall, cost: Amount): Promise<void> | undefined
  /** The call has ended or will not begin. Whatever is known of it is in the log by now. */
  settle(callId: string): void
  /** Sets a budget, effective at once: a field left out keeps its limit, null removes it. */
  set(scope: BudgetScope, budget: Budget, manner?: BudgetManner, by?: string): Promise<BudgetInfo>
  /** A budget as it stands. Without a limit, what was spent is read from the log. */
  show(scope: BudgetScope): Promise<BudgetInfo>
  /** Removes the budget of a removed agent. */
  forget(agent: string): Promise<void>
  /** The budgets with a limit: the orchestrator's first, then those of agents and of runs. */
  list(): Promise<readonly BudgetInfo[]>
  /**
   * Calls back when a budget may have gained room, in whatever process. Returns the function that stops it.
   *
   * *Contract:* once a call was refused, it is called when anything that was reserved or spent is given back.
   */
  changes(listener: () => void): () => void
}

type DataOfSet = Extract<BudgetFact, { type: 'BudgetSet' }>['data']

interface BegunCall extends CallRequest {
  /** What was reserved for it; undefined if no budget was set when it began. */
  readonly estimate: Amount | undefined
  /** What it cost, once that is known. */
  readonly cost: Amount | undefined
}

/** The keeper of the budgets in a log. */
export class Budgets implements BudgetKeeper {
  /** The least that a call is estimated to cost. */
  readonly #minimum: Amount
  readonly #cacheReadWeight: number
  readonly #environment: ActorEnvironment
  /** Whether other processes set budgets meanwhile: what they have written is then read before each call. */
  readonly #isShared: boolean
  readonly #listeners = new Set<() => void>()
  /** The budgets that have facts, by stream. */
  #streams: Promise<Set<string>> | undefined
  readonly #ledgers = new Map<string, Promise<BudgetLedger>>()
  /** Calls of this process that may begin and have not ended. */
  readonly #begun = new Map<string, BegunCall>()
  /** Settlements that wait for the end of a call. */
  readonly #waiting = new Map<string, Set<() => void>>()
  /** No call begins while a budget is being set: no budget would count it. */
  readonly #settings = new Mailbox()
  #beingSet = 0
  #timesSet = 0
  #loaded: ReadonlySet<string> | undefined
  /** Follows the log for what other processes give back. */
  #watching: AbortController | undefined

  constructor(environment: ActorEnvironment, minimum: Amount, cacheReadWeight: number) {
    this.#environment = environment
    this.#isShared = environment.isShared ?? false
    this.#minimum = minimum
    this.#cacheReadWeight = cacheReadWeight
  }

  readonly tokensOf = ({ inputTokens, outputTokens, cacheCreationTokens, cacheReadTokens }: Usage): number =>
    inputTokens + outputTokens + cacheCreationTokens + Math.ceil(cacheReadTokens * this.#cacheReadWeight)

  get areSet(): boolean {
    return this.#isShared || this.#loaded?.size !== 0 || this.#beingSet > 0
  }

  async load(): Promise<void> {
    await this.#known()
  }

  changes(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async reserve(request: CallRequest): Promise<BudgetHold | undefined> {
    const { callId, taskId, agent, agentVersion } = request
    for (;;) {
      if (!this.areSet) {
        this.#begun.set(callId, { estimate: undefined, cost: undefined, ...request })
        return undefined
      }
      const ledgers = await this.#limiting(request)
      // No await from here until the cost is promised: two calls must not both be the last that fits.
      const cost = this.#costOf(request, ledgers)
      const refused = refusedBy(ledgers, cost)
      if (refused && (await this.#refreshed(ledgers))) continue
      if (refused) return refused
      this.#begun.set(callId, { estimate: cost, cost: undefined, ...request })
      const reservation: Reservation = { callId, taskId, agent, agentVersion, ...cost }
      try {
        const reserved = await Promise.all(ledgers.map((ledger) => ledger.reserve(reservation)))
        if (reserved.every(Boolean)) return undefined
      } catch (error) {
        this.settle(callId)
        throw error
      }
      // Another process took the room meanwhile: what was reserved in other budgets is given back.
      this.settle(callId)
      await Promise.all(ledgers.map((ledger) => ledger.settle(callId)))
    }
  }

  adopt(request: CallRequest): void {
    this.#begun.set(request.callId, { estimate: undefined, cost: undefined, ...request })
  }

  async charge(request: CallRequest, cost: Amount): Promise<void> {
    const { callId, taskId, agent, agentVersion } = request
    this.#begun.set(callId, { estimate: cost, cost, ...request })
    const reservation: Reservation = { callId, taskId, agent, agentVersion, ...cost }
    await Promise.all((await this.#limiting(request)).map((ledger) => ledger.charge(reservation)))
  }

  async refusal(request: CallRequest): Promise<BudgetHold | undefined> {
    for (;;) {
      const ledgers = await this.#limiting(request)
      if (ledgers.length === 0) return undefined
      const refused = refusedBy(ledgers, this.#costOf(request, ledgers))
      if (!refused || !(await this.#refreshed(ledgers))) return refused
    }
  }

  learn(call: BudgetedCall, { usd, tokens }: Amount): Promise<void> | undefined {
    const cost = { usd: Math.max(0, usd), tokens }
    const begun = this.#begun.get(call.callId)
    // A budget that is being set counts the call as well.
    if (begun) this.#begun.set(call.callId, { ...begun, cost })
    return this.areSet ? this.#learnIn(scopesOf(call), call.callId, cost) : undefined
  }

  async #learnIn(scopes: readonly BudgetScope[], callId: string, cost: Amount): Promise<void> {
    for (const ledger of await this.#existing(scopes)) ledger.learn(callId, cost)
  }

  settle(callId: string): void {
    this.#begun.delete(callId)
    for (const resolve of this.#waiting.get(callId) ?? []) resolve()
    this.#waiting.delete(callId)
  }

  set(
    scope: BudgetScope,
    budget: Budget,
    manner: BudgetManner = 'by hand',
    by?: string,
  ): Promise<BudgetInfo> {
    checkBudget(budget)
    const place = placeOf(scope)
    this.#beingSet += 1
    this.#timesSet += 1
    return this.#settings.post(async () => {
      try {
        return await this.#set(scopeOf(streamOf(place)), budget, manner, by)
      } finally {
        this.#beingSet -= 1
      }
    })
  }

  async forget(agent: string): Promise<void> {
    const [ledger] = await this.#existing([{ agent }])
    if (ledger?.isLimited && nameWithoutCopy(agent) === agent) await this.set({ agent }, UNLIMITED)
  }

  async show(scope: BudgetScope): Promise<BudgetInfo> {
    const [ledger] = await this.#existing([scope])
    if (ledger?.isLimited) return ledger.info
    const own = scopeOf(streamOf(placeOf(scope)))
    const spent = await spentBefore(this.#environment.store, own, new Set())
    return { scope: own, limit: UNLIMITED, spent, reserved: { usd: 0, tokens: 0 }, remaining: UNLIMITED }
  }

  async list(): Promise<readonly BudgetInfo[]> {
    if (this.#isShared) this.#streams = undefined
    const ledgers = await this.#existing([...(await this.#known())].map(scopeOf))
    return ledgers.filter(({ isLimited }) => isLimited).map(({ info }) => info)
  }

  /** Evicts a budget from memory, unless it has open reservations. Waits for its turn if it is being set. */
  rest(scope: BudgetScope): Promise<void> {
    const stream = streamOf(placeOf(scope))
    return this.#settings.post(async () => {
      const ledger = await this.#ledgers.get(stream)
      await ledger?.settled()
      if (!ledger || Object.keys(ledger.context.reserved).length > 0) return
      this.#ledgers.delete(stream)
      await ledger.close()
    })
  }

  /** Resolves when all calls known to have ended are settled. */
  async settled(): Promise<void> {
    for (const ledger of await Promise.allSettled(this.#ledgers.values()))
      if (ledger.status === 'fulfilled') await ledger.value.settled()
  }

  async close(): Promise<void> {
    this.#watching?.abort()
    // First, as a budget that is being set may wait for room; then those that were loaded meanwhile.
    await this.#closeLedgers()
    await this.#settings.idle()
    await this.#closeLedgers()
  }

  async #closeLedgers(): Promise<void> {
    for (const ledger of await Promise.allSettled(this.#ledgers.values()))
      if (ledger.status === 'fulfilled') await ledger.value.close()
  }

  async #set(
    scope: BudgetScope,
    budget: Budget,
    manner: BudgetManner,
    by: string | undefined,
  ): Promise<BudgetInfo> {
    await this.#existing([scope])
    const ledger = await this.#ledger(scope)
    const { stream, context } = ledger
    const limit =
      manner === 'declared'
        ? declared(context.declared, budget)
        : changed(manner === 'new' ? UNLIMITED : context.limit, budget)
    if (limit === undefined) return ledger.info
    const set = defined({ limit, declared: manner === 'by hand' ? undefined : limit, by })
    if (isLimited(limit) && (manner === 'new' || !ledger.isLimited))
      await this.#beginLimit(ledger, set, manner)
    else await ledger.decide(() => [{ type: 'BudgetSet', data: set }])
    ;(await this.#known()).add(stream)
    return ledger.info
  }

  /** Sets the first limit of a budget: it takes over what was spent so far, and the calls that are running. */
  async #beginLimit(ledger: BudgetLedger, set: DataOfSet, manner: BudgetManner): Promise<void> {
    const { stream } = ledger
    let open: readonly BegunCall[]
    let isSet: boolean
    do {
      const { reserved } = ledger.context
      open = this.#openCalls(stream, reserved)
      const without = [...open, ...Object.values(reserved)]
      const spent = await this.#spent(scopeOf(stream), manner, without)
      const facts: readonly BudgetFact[] = [
        { type: 'BudgetSet', data: { ...set, spent } },
        ...open.map(
          ({ callId, taskId, agent, agentVersion, costs, estimate: known }): BudgetFact => ({
            type: 'BudgetReserved',
            data: { callId, taskId, agent, agentVersion, ...(known ?? estimate(costs, this.#minimum)) },
          }),
        ),
      ]
      // A call that was settled meanwhile is not in what was spent: that is read again.
      const isCurrent = (now: BudgetContext) =>
        Object.keys(reserved).every((callId) => callId in now.reserved)
      const recorded = await ledger.decide(({ context }) => (isCurrent(context) ? facts : []))
      isSet = recorded.length > 0
    } while (!isSet)
    ;(await this.#known()).add(stream)
    // Some may have ended during the append, or their costs may be known.
    for (const { callId } of open) {
      const cost = this.#begun.get(callId)?.cost
      if (cost) ledger.learn(callId, cost)
    }
    await ledger.settleAll(open.map(({ callId }) => callId).filter((callId) => !this.#begun.has(callId)))
  }

  /** Running calls without a reservation, because there was no limit when they began. */
  #openCalls(stream: string, reserved: Readonly<Record<string, Reservation>>): readonly BegunCall[] {
    return [...this.#begun.values()].filter(
      (call) =>
        !(call.callId in reserved) && scopesOf(call).some((scope) => streamOf(placeOf(scope)) === stream),
    )
  }

  async #spent(
    scope: BudgetScope,
    manner: BudgetManner,
    without: readonly { readonly callId: string }[],
  ): Promise<Amount> {
    if (manner === 'new') return { usd: 0, tokens: 0 }
    return spentBefore(this.#environment.store, scope, new Set(without.map(({ callId }) => callId)))
  }

  /** The budgets with a limit that a call counts against. */
  async #limiting(request: CallRequest): Promise<readonly BudgetLedger[]> {
    for (;;) {
      const before = this.#timesSet
      await this.#settings.idle()
      const ledgers = await this.#existing(scopesOf(request))
      if (before !== this.#timesSet) continue
      const limiting = ledgers.filter(({ isLimited }) => isLimited)
      if (this.#isShared) await this.#takeOver(request.agent, limiting)
      return limiting
    }
  }

  /** The process that had this agent may have died between the reservation for a call and its announcement. */
  async #takeOver(agent: string, ledgers: readonly BudgetLedger[]): Promise<void> {
    // An append of nothing is refused where another process has claimed the stream.
    const check = async () => void (await this.#environment.store.append(streamName('agent', agent), []))
    await Promise.all(ledgers.map((ledger) => ledger.takeOver(agent, check)))
  }

  /** Those of the given budgets that were ever set. */
  async #existing(scopes: readonly BudgetScope[]): Promise<readonly BudgetLedger[]> {
    const known = await this.#known()
    if (this.#isShared) await Promise.all(scopes.map((scope) => this.#catchUp(scope, known)))
    if (known.size === 0) return []
    return Promise.all(
      scopes.filter((scope) => known.has(streamOf(placeOf(scope)))).map((scope) => this.#ledger(scope)),
    )
  }

  async #catchUp(scope: BudgetScope, known: Set<string>): Promise<void> {
    const stream = streamOf(placeOf(scope))
    const version = await this.#environment.store.head(stream)
    if (version === 0) return
    known.add(stream)
    const ledger = await this.#ledger(scope)
    if (ledger.version < version) await ledger.refresh()
  }

  #known(): Promise<Set<string>> {
    if (this.#streams) return this.#streams
    this.#streams = this.#list()
    // A store that cannot be read now may be readable after a repair.
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
      {
        areShared: this.#isShared,
        isOpen: (callId) => this.#begun.has(callId),
        ended: (callId, signal) => this.#whenEnded(callId, signal),
      },
      () => this.#notify(),
    )
    this.#ledgers.set(stream, loading)
    loading.catch(() => this.#ledgers.delete(stream))
    return loading
  }

  #whenEnded(callId: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const waiting = this.#waiting.get(callId) ?? new Set()
      this.#waiting.set(callId, waiting.add(resolve))
      const forget = () => {
        waiting.delete(resolve)
        if (waiting.size === 0 && this.#waiting.get(callId) === waiting) this.#waiting.delete(callId)
        resolve()
      }
      signal.addEventListener('abort', forget, { once: true })
    })
  }

  #costOf({ costs, agent }: CallRequest, ledgers: readonly BudgetLedger[]): Amount {
    const recorded = ledgers.flatMap(({ context }) => context.history[nameWithoutCopy(agent)] ?? [])
    return estimateWith(estimate(costs, this.#minimum), recorded)
  }

  /** Whether another process has written to one of these budgets since they were folded: then all say so again. */
  async #refreshed(ledgers: readonly BudgetLedger[]): Promise<boolean> {
    // What is given back from here on is noticed.
    await this.#watch()
    const refreshed = await Promise.all(
      ledgers.map(async (ledger) => {
        const { version } = ledger
        if (this.#isShared) await ledger.settleOthers()
        return (await ledger.refresh()) || ledger.version !== version
      }),
    )
    return refreshed.some(Boolean)
  }

  async #watch(): Promise<void> {
    if (this.#watching) return
    const watching = new AbortController()
    this.#watching = watching
    try {
      const after = await this.#environment.store.head()
      void this.#noticeOthers(after, watching)
    } catch (error) {
      this.#watching = undefined
      throw error
    }
  }

  /**
   * Calls the listeners once another process has given something back, or a call has ended of which no process may know what
   * it has reserved. The next refusal watches again.
   */
  async #noticeOthers(after: number, watching: AbortController): Promise<void> {
    const { store, logger } = this.#environment
    const { signal } = watching
    try {
      for await (const { stream, version, type } of store.follow({ after, signal })) {
        if (this.#isShared && LEAVES.has(type)) break
        if (type === 'BudgetReserved' || !STREAM.test(stream)) continue
        const ledger = await this.#ledgers.get(stream)?.catch(() => undefined)
        if (!ledger || ledger.version < version) break
      }
    } catch (error) {
      logger.warn({ error }, 'budgets that other processes use cannot be followed')
    }
    if (this.#watching === watching) this.#watching = undefined
    if (!signal.aborted) this.#notify()
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** The budgets that a call counts against: the orchestrator's, the run's, the agent's. */
const scopesOf = ({ agent, runId }: BudgetedCall): readonly BudgetScope[] => [
  {},
  ...(runId === undefined ? [] : [{ run: runId }]),
  { agent: nameWithoutCopy(agent) },
]

/** The streams of budgets. */
const STREAM = new RegExp(
  `^(${Object.values(budgetKinds)
    .map(({ kind }) => kind)
    .join('|')})/`,
)

/** After these, what a process has reserved that has died since may be settled by another one. */
const LEAVES = new Set(['CallOutcomeUnknown', 'TaskFailed', 'TaskCancelled', 'AgentRemoved'])

function refusedBy(ledgers: readonly BudgetLedger[], cost: Amount): BudgetHold | undefined {
  const full = ledgers.find((ledger) => !ledger.fits(cost))
  return full && { reason: 'budget', budget: full.stream, ...cost }
}
