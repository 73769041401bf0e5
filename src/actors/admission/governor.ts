/** Admits calls: as many as this machine and their account can take, with agents taking turns. */
import type { AgentRunner } from '../../claude/runner.ts'
import { type Clock, steadyTime } from '../../clock.ts'
import type { Limits } from '../../events/options/limits.ts'
import type { Logger } from '../../logger.ts'

/** The limits of this machine; Infinity for no limit. */
export interface GovernorLimits {
  readonly callsInFlight: number
  readonly processStarts: number
}

/** The configured limits, else the runner's capacity, else no limit. */
export function governorLimits(limits: Limits, { capacity }: AgentRunner): GovernorLimits {
  return {
    callsInFlight: limits.callsInFlight ?? capacity?.calls ?? Number.POSITIVE_INFINITY,
    processStarts: limits.processStarts ?? capacity?.starts ?? Number.POSITIVE_INFINITY,
  }
}

/** The agent that wants to make a call, and the account that pays for it. */
export interface Caller {
  readonly agent: string
  /** Calls of one account share its adaptive limit. */
  readonly account: string
}

/** The slot of an admitted call. */
export interface CallSlot {
  /**
   * Its process has said something: another may start. Part of an answer proves that the account has let the call through, as
   * does a silence that is long enough.
   */
  heard(isAnswer: boolean): void
  answered(): void
  /** The account refused the call or asked it to wait. */
  refused(retryAfterMs: number): void
  /** The call has ended. Idempotent. */
  leave(): void
}

interface Waiting extends Caller {
  enter(): void
}

/** After this time a silent process no longer counts as starting, so that it cannot block others forever. */
const STARTS_WITHIN_MS = 30_000

/** An account that refuses a call does so at once. One that thinks for this long has let it through. */
const REFUSES_WITHIN_MS = 5_000

/** Copies in a pool share the turn of their agent. */
const turnOf = ({ agent }: Caller) => agent.split('.', 1)[0] ?? agent

export class Governor {
  readonly #limits: GovernorLimits
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #accounts = new Map<string, AdaptiveLimit>()
  readonly #queue = new FairQueue<Waiting>()
  #inFlight = 0
  #starting = 0
  #cancelWake: (() => void) | undefined

  constructor(limits: GovernorLimits, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#limits = limits
    this.#clock = clock
    this.#logger = logger
  }

  /** How many calls of this account may be in flight at present. */
  room(account: string): number {
    return Math.min(this.#limits.callsInFlight, whole(this.#account(account).limit))
  }

  /** A slot if one is free and no call waits; undefined otherwise. */
  tryEnter(caller: Caller): CallSlot | undefined {
    if (!this.#queue.isEmpty || !this.#machineHasRoom()) return undefined
    return hasRoom(this.#account(caller.account), steadyTime(this.#clock)) ? this.adopt(caller) : undefined
  }

  /** Waits for a slot. Rejects with the signal's reason if that aborts first. */
  enter(caller: Caller, signal: AbortSignal): Promise<CallSlot> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const waiting: Waiting = {
        ...caller,
        enter: () => {
          signal.removeEventListener('abort', leave)
          resolve(this.adopt(caller))
        },
      }
      const leave = () => {
        this.#queue.remove(turnOf(caller), waiting)
        this.#admit()
        reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#queue.add(turnOf(caller), waiting)
      this.#admit()
    })
  }

  /** A slot for a call that already runs, whether or not there is room. */
  adopt({ account }: Caller): CallSlot {
    this.#change(account, entered)
    const { era } = this.#account(account)
    this.#inFlight += 1
    this.#starting += 1
    let isIn = true
    let isStarting = true
    let cancelStart: (() => void) | undefined
    let cancelProof: (() => void) | undefined
    const begun = () => {
      if (!isStarting) return
      isStarting = false
      cancelStart?.()
      this.#starting -= 1
      this.#admit()
    }
    const prove = () => {
      if (this.#account(account).isProven) return
      this.#change(account, proven)
      this.#admit()
    }
    if (this.#limits.processStarts < Number.POSITIVE_INFINITY)
      cancelStart = this.#clock.after(STARTS_WITHIN_MS, begun)
    return {
      heard: (isAnswer) => {
        begun()
        const { isProven } = this.#account(account)
        if (isAnswer || !isProven) cancelProof?.()
        if (isProven) return
        if (isAnswer) prove()
        else if (isIn) cancelProof = this.#clock.after(REFUSES_WITHIN_MS, prove)
      },
      answered: () => this.#change(account, answered),
      refused: (retryAfterMs) => this.#refuse(account, era, retryAfterMs),
      leave: () => {
        if (!isIn) return
        isIn = false
        cancelProof?.()
        this.#inFlight -= 1
        this.#change(account, left)
        begun()
        this.#admit()
      },
    }
  }

  /** This account refused an earlier process, whose task still waits for it. */
  remember(account: string): void {
    this.#change(account, cautious)
  }

  /** Nothing is known of this account yet: a few calls go first. */
  doubt(account: string): void {
    this.#change(account, doubted)
  }

  /** No call of this account begins within this time, and then a few go first. */
  close(account: string, waitMs: number): void {
    this.#change(account, (limit) => closed(limit, steadyTime(this.#clock) + waitMs))
    this.#admit()
  }

  /** What closed the account is over. */
  open(account: string): void {
    this.#change(account, opened)
    this.#admit()
  }

  #refuse(account: string, era: number, retryAfterMs: number): void {
    const before = this.#account(account)
    this.#change(account, (limit) => refused(limit, { now: steadyTime(this.#clock), era, retryAfterMs }))
    const { limit, openAt, era: now } = this.#account(account)
    if (now === before.era) return
    const pauseMs = Math.max(0, openAt - steadyTime(this.#clock))
    this.#logger.warn(
      { account, callsInFlight: limit, pauseMs },
      'the account is limited: fewer calls at once',
    )
  }

  #account(account: string): AdaptiveLimit {
    return this.#accounts.get(account) ?? adaptiveLimit(this.#limits.callsInFlight)
  }

  #change(account: string, change: (limit: AdaptiveLimit) => AdaptiveLimit): void {
    this.#accounts.set(account, change(this.#account(account)))
  }

  /** Whether this machine can take one more call. */
  #machineHasRoom(): boolean {
    const { callsInFlight, processStarts } = this.#limits
    return this.#inFlight < callsInFlight && this.#starting < processStarts
  }

  /** Admits every waiting call that fits, and again when an account's pause ends. */
  #admit(): void {
    if (this.#queue.isEmpty) {
      this.#cancelWake?.()
      return
    }
    const now = steadyTime(this.#clock)
    while (this.#machineHasRoom()) {
      const next = this.#queue.take(({ account }) => hasRoom(this.#account(account), now))
      if (!next) break
      next.enter()
    }
    this.#wakeLater(now)
  }

  #wakeLater(now: number): void {
    this.#cancelWake?.()
    this.#cancelWake = undefined
    let openAt = Number.POSITIVE_INFINITY
    for (const { account } of this.#queue) {
      const { openAt: opens } = this.#account(account)
      if (opens > now) openAt = Math.min(openAt, opens)
    }
    if (openAt === Number.POSITIVE_INFINITY) return
    this.#cancelWake = this.#clock.after(openAt - now, () => this.#admit())
  }
}

/** A round-robin queue: each owner has its turn, however many items it has queued. */
export class FairQueue<T> {
  /** In the order of turns. No line is empty. */
  readonly #lines = new Map<string, T[]>()

  get isEmpty(): boolean {
    return this.#lines.size === 0
  }

  add(owner: string, item: T): void {
    const line = this.#lines.get(owner)
    if (line) line.push(item)
    else this.#lines.set(owner, [item])
  }

  /** Takes the first item that fits of the first owner that has one. The owner's next turn comes after all others. */
  take(fits: (item: T) => boolean): T | undefined {
    for (const [owner, line] of this.#lines) {
      const index = line.findIndex(fits)
      if (index === -1) continue
      const [item] = line.splice(index, 1)
      this.#lines.delete(owner)
      if (line.length > 0) this.#lines.set(owner, line)
      return item
    }
    return undefined
  }

  remove(owner: string, item: T): void {
    const line = this.#lines.get(owner)?.filter((waiting) => waiting !== item) ?? []
    if (line.length === 0) this.#lines.delete(owner)
    // It keeps its place in the order of turns.
    else this.#lines.set(owner, line)
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const line of this.#lines.values()) yield* line
  }
}

/**
 * How many calls an account accepts at once, learned from its refusals. The functions below change it, and are pure.
 *
 * Additive increase, multiplicative decrease, as TCP does it (Jacobson, Congestion Avoidance and Control, 1988) and
 * Netflix's concurrency-limits: each answer adds a little, a refusal halves. Calls that were in flight when the limit
 * was lowered do not lower it again, because they met the same shortage.
 */
export interface AdaptiveLimit {
  /** What the settings allow; may be Infinity. */
  readonly most: number
  /** How many calls may be in flight; the fraction is progress towards one more. */
  readonly limit: number
  readonly inFlight: number
  /** How often the limit was lowered. */
  readonly era: number
  /** Refusals since the last answer that lowered the limit. */
  readonly refusals: number
  /** No call enters before this time, in ms of steady time. */
  readonly openAt: number
  /** Whether the account has let a call through since it was last in doubt. */
  readonly isProven: boolean
}

/** The first pause of an account that refuses even a single call; doubled with each refusal, up to the longest. */
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000

/** How many calls find out whether an account in doubt answers. If it does not, no other has been sent for nothing. */
const PROBES = 2

export const adaptiveLimit = (most: number): AdaptiveLimit => ({
  most,
  limit: most,
  inFlight: 0,
  era: 0,
  refusals: 0,
  openAt: Number.NEGATIVE_INFINITY,
  isProven: true,
})

/** Tolerates rounding: three thirds are one. */
const whole = (limit: number) => Math.floor(limit + 1e-6)

/** Whether one more call may begin. */
export const hasRoom = ({ inFlight, limit, openAt, isProven }: AdaptiveLimit, now: number): boolean =>
  now >= openAt && inFlight < (isProven ? whole(limit) : Math.min(PROBES, whole(limit)))

export const entered = (account: AdaptiveLimit): AdaptiveLimit => ({
  ...account,
  inFlight: account.inFlight + 1,
})

export const left = (account: AdaptiveLimit): AdaptiveLimit => ({
  ...account,
  inFlight: Math.max(0, account.inFlight - 1),
})

/** A call was answered. A limit that is not used is not raised: an idle account proves nothing. */
export function answered(account: AdaptiveLimit): AdaptiveLimit {
  const { limit, most, inFlight } = account
  const isUsed = inFlight * 2 >= limit
  return {
    ...account,
    isProven: true,
    refusals: 0,
    limit: isUsed ? Math.min(most, limit + 1 / whole(limit)) : limit,
  }
}

/** A refusal by the account. */
export interface AccountRefusal {
  readonly now: number
  /** The era in which the refused call began. */
  readonly era: number
  /** How long the service asks us to wait; 0 if it does not say. */
  readonly retryAfterMs: number
}

/** The account refused a call that still counts as in flight. */
export function refused(account: AdaptiveLimit, { now, era, retryAfterMs }: AccountRefusal): AdaptiveLimit {
  const paused = { ...account, openAt: Math.max(account.openAt, now + retryAfterMs) }
  if (era !== account.era) return paused
  const inUse = Math.min(account.limit, Math.max(1, account.inFlight))
  const refusals = account.refusals + 1
  // One call at a time cannot be halved, so the account pauses.
  const pauseMs = inUse < 2 ? Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (refusals - 1)) : 0
  return {
    ...paused,
    limit: Math.max(1, Math.floor(inUse / 2)),
    era: account.era + 1,
    refusals,
    openAt: Math.max(paused.openAt, now + pauseMs),
  }
}

/** An earlier process was refused recently: begins with one call. */
export const cautious = (account: AdaptiveLimit): AdaptiveLimit =>
  account.era > 0 ? account : { ...account, limit: Math.min(account.limit, 1), era: 1 }

/** The account has let a call through. */
export const proven = (account: AdaptiveLimit): AdaptiveLimit =>
  account.isProven ? account : { ...account, isProven: true }

/** Nothing is known of the account yet. */
export const doubted = (account: AdaptiveLimit): AdaptiveLimit => ({ ...account, isProven: false })

/** A limit ends at a known time. How many calls fit at once is another matter, and afterwards what it was. */
export const closed = (account: AdaptiveLimit, until: number): AdaptiveLimit => ({
  ...account,
  isProven: false,
  openAt: Math.max(account.openAt, until),
})

/** The limit has been lifted. */
export const opened = (account: AdaptiveLimit): AdaptiveLimit => ({
  ...doubted(account),
  openAt: Number.NEGATIVE_INFINITY,
})
