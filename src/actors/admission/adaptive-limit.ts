/**
 * How many calls an account accepts at once, learned from its refusals: pure functions.
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
