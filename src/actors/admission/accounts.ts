/** The accounts that pay for calls: what is known of their limits, and whether a call may begin. */
import type { AccountWindow } from '../../claude/runner.ts'
import { durableTimer, instant, waitLeft } from '../../clock.ts'
import { type AccountFact, accountFacts, type ReportedWindow } from '../../events/account-facts.ts'
import type { Hold } from '../../events/agent-facts.ts'
import { streamName } from '../../events/ids.ts'
import { checkOptionsOf } from '../../events/options/decoding.ts'
import { followOnly } from '../../store/follow.ts'
import type { ActorEnvironment } from '../engine/actor.ts'
import type { Effect } from '../engine/definition.ts'
import { Life } from '../engine/life.ts'
import { mayPass } from '../engine/wish.ts'
import {
  type AccountState,
  accountKind,
  type accountMachine,
  pauseLeftMs,
  withReported,
} from './account-machine.ts'
import type { Governor } from './governor.ts'

/** An account as it stands. */
export interface AccountInfo {
  /** The service's host and a fingerprint of the login. */
  readonly account: string
  /** `waiting`: a limit ends at a known time. `held`: it cannot pay, and waits for `orchestrator.accounts.resume()`. */
  readonly status: 'open' | 'waiting' | 'held'
  /** The limits that the service told of, as it last told them. */
  readonly windows: readonly ReportedWindow[]
  /** Until when it waits; null unless it does. */
  readonly waitsUntil: string | null
  /** Why it cannot pay; null unless it is held. */
  readonly said: string | null
}

/** Why a call may not begin: its account cannot pay for it. */
export type AccountHold = Hold & { readonly reason: 'account' }

type AccountActor = Life<typeof accountMachine, Effect>

const STREAMS = 'account/'

/** Written for less than this, the log would have one fact more with each call. */
const NEWS = { utilization: 0.05, resetMs: 60_000 }

/** There is at most one report of an account within this time, unless a limit is reached. */
const REPORT_EVERY_MS = 10_000

export class Accounts {
  readonly #environment: ActorEnvironment
  readonly #governor: Governor
  readonly #actors = new Map<string, Promise<AccountActor>>()
  /** Accounts that calls of this process count against. */
  readonly #known = new Set<string>()
  /** Those of which the log was read. */
  readonly #wasRead = new Set<string>()
  /** Accounts that cannot pay, from the moment that this is known. */
  readonly #held = new Map<string, AccountHold>()
  readonly #listeners = new Set<(accounts: ReadonlySet<string>) => void>()
  /** What services said that was not written yet, by account. */
  readonly #said = new Map<string, readonly ReportedWindow[]>()
  /** Accounts of which a report was written a moment ago, each with what stops its timer. */
  readonly #resting = new Map<string, () => void>()
  readonly #writing = new Set<Promise<unknown>>()
  /** Whether calls of other processes count against the same accounts: what these learn then applies here as well. */
  readonly #isShared: boolean
  readonly #closing = new AbortController()

  constructor(environment: ActorEnvironment, governor: Governor) {
    this.#environment = environment
    this.#governor = governor
    this.#isShared = environment.isShared ?? false
  }

  /** Calls back with the accounts that a person resumes. Returns the function that stops it. */
  onResume(listener: (accounts: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resumes the waits of earlier processes. They count from now, however the clock was set since. */
  async open(): Promise<void> {
    for (const { account } of await this.list()) await this.#read(account)
  }

  /** Whether what the log says about an account applies. Otherwise, see `know`. */
  isKnown(account: string): boolean {
    return this.#known.has(account) && this.#wasRead.has(account)
  }

  /**
   * Learns what the log says about an account: waits that are left close it here as well.
   *
   * @param isNamed The runner tells accounts apart, so a few calls find out whether this one answers.
   */
  async know(account: string, isNamed: boolean): Promise<void> {
    const isNew = !this.#known.has(account)
    if (isNamed && isNew) this.#governor.doubt(account)
    this.#known.add(account)
    // What is written from here on is heard.
    const after = isNew && this.#isShared ? await this.#environment.store.head() : undefined
    await this.#read(account)
    if (after !== undefined) void this.#hear(account, after)
  }

  /** Why no call of a known account may begin; undefined if it may. */
  holdOf(account: string): AccountHold | undefined {
    return this.#held.get(account)
  }

  /** Records what the service says about windows, if it is news, now or soon. Resolves at once: no call waits for it. */
  report(account: string, windows: readonly AccountWindow[]): void {
    const said = windows.map(({ resetsAt, ...window }) => ({
      ...window,
      resetsAt: resetsAt === null ? null : instant(resetsAt),
    }))
    this.#said.set(account, withReported(this.#said.get(account) ?? [], said))
    if (!this.#resting.has(account)) this.#writeReport(account)
  }

  /** Writes what was said since the last report, then rests: a service that says much must not fill the log. */
  #writeReport(account: string): void {
    const said = this.#said.get(account)
    if (!said) return
    this.#said.delete(account)
    this.#resting.get(account)?.()
    const rested = () => {
      this.#resting.delete(account)
      this.#writeReport(account)
    }
    this.#resting.set(account, this.#environment.clock.after(REPORT_EVERY_MS, rested))
    this.#write(account, ({ windows: known }) => {
      const news = said.filter((window) => isNews(window, known))
      return news.length === 0 ? [] : [{ type: 'WindowsReported', data: { account, windows: news } }]
    }).catch((error: unknown) =>
      this.#environment.logger.warn({ account, error }, 'a limit was not recorded'),
    )
  }

  /** A limit was reached: no call of the account begins before it ends, in this process or the next. */
  async pause(account: string, window: string, waitMs: number): Promise<void> {
    const delayMs = Math.ceil(waitMs)
    this.#writeReport(account)
    this.#governor.close(account, delayMs)
    this.#environment.logger.warn(
      { account, window, waitMs: delayMs },
      'the account waits for its limit to end',
    )
    const now = this.#environment.clock.now()
    await this.#write(account, ({ pauses }) => {
      const known = pauses.find((pause) => pause.window === window)
      // Calls that were in flight together meet the same limit.
      if (known && waitLeft(known.dueAt, known.delayMs, now) >= delayMs) return []
      return [{ type: 'AccountPaused', data: { account, window, ...durableTimer(now, delayMs) } }]
    })
  }

  /** The account cannot pay: no call of it begins until it is resumed. */
  async hold(account: string, said: string): Promise<void> {
    this.#writeReport(account)
    this.#held.set(account, { reason: 'account', said })
    await this.#write(account, (context) =>
      context.said === null ? [{ type: 'AccountHeld', data: { account, said } }] : [],
    )
  }

  /** Lets calls of an account begin again: all that wait or are held, by default. Returns those that did. */
  async resume(options: { account?: string; by?: string } = {}): Promise<readonly AccountInfo[]> {
    checkOptionsOf('resume', options, { account: 'a text', by: 'a text' })
    const { account, by = null } = options
    const resumed: AccountInfo[] = []
    for (const info of await this.list()) {
      if (info.status === 'open' || (account !== undefined && info.account !== account)) continue
      await this.#write(info.account, () => [{ type: 'AccountResumed', data: { by } }])
      this.#open(info.account)
      resumed.push({ ...info, status: 'open', waitsUntil: null, said: null })
    }
    const accounts = new Set(resumed.map((info) => info.account))
    // A limit of one model keeps tasks waiting, and leaves the account open.
    if (account !== undefined) {
      if (this.#isShared && !accounts.has(account)) await this.#tellOthers(account, by)
      accounts.add(account)
    }
    this.#tellResumed(accounts)
    return resumed
  }

  /** The tasks of an account that is open may wait in other processes. */
  async #tellOthers(account: string, by: string | null): Promise<void> {
    const isKnown = (await this.list()).some((info) => info.account === account)
    if (isKnown) await this.#write(account, () => [{ type: 'AccountResumed', data: { by } }])
  }

  #open(account: string): void {
    this.#held.delete(account)
    this.#governor.open(account)
  }

  #tellResumed(accounts: ReadonlySet<string>): void {
    if (accounts.size > 0) for (const listener of this.#listeners) listener(accounts)
  }

  /** Applies what any process writes about an account, this one too: the log has it in order. */
  async #hear(account: string, after: number): Promise<void> {
    const { store, clock, logger } = this.#environment
    const { signal } = this.#closing
    const stream = streamName(accountKind.kind, accountId(account))
    try {
      for await (const recorded of followOnly(store, { stream }, { after, signal })) {
        const { type, data } = accountFacts.read(recorded) as AccountFact
        if (type === 'AccountHeld') this.#held.set(account, { reason: 'account', said: data.said })
        if (type === 'AccountPaused') {
          const leftMs = waitLeft(data.dueAt, data.delayMs, clock.now())
          if (leftMs > 0) this.#governor.close(account, leftMs)
        }
        if (type === 'AccountResumed') {
          this.#open(account)
          this.#tellResumed(new Set([account]))
        }
      }
    } catch (error) {
      this.#known.delete(account)
      logger.warn(
        { account, error },
        'what other processes learn of an account is not heard until its next call',
      )
    }
  }

  /** The accounts of which anything is known, by name. */
  async list(): Promise<readonly AccountInfo[]> {
    const infos: AccountInfo[] = []
    for await (const { summary } of this.#environment.store.streams({ prefix: STREAMS }))
      if (summary?.info)
        infos.push(accountInfo(summary.info as unknown as AccountState, this.#environment.clock.now()))
    return infos
  }

  async close(): Promise<void> {
    this.#closing.abort()
    for (const account of this.#said.keys()) this.#writeReport(account)
    for (const stop of this.#resting.values()) stop()
    this.#resting.clear()
    await Promise.allSettled(this.#writing)
    for (const actor of await Promise.allSettled(this.#actors.values()))
      if (actor.status === 'fulfilled') await actor.value.close()
  }

  #write(account: string, decision: (context: AccountState) => readonly AccountFact[]): Promise<unknown> {
    const writing = this.#actor(account).then((actor) => actor.decide(({ context }) => decision(context)))
    this.#writing.add(writing)
    const written = () => this.#writing.delete(writing)
    writing.then(written, written)
    return writing
  }

  /** An account whose facts cannot be read stops no work: a call finds out whether it answers. */
  async #read(account: string): Promise<void> {
    const { store } = this.#environment
    try {
      // Without facts, there is nothing to fold.
      if ((await store.head(streamName(accountKind.kind, accountId(account)))) > 0) await this.#actor(account)
      this.#wasRead.add(account)
    } catch (error) {
      if (mayPass(error)) throw error
      this.#environment.logger.error({ account, error }, 'what is known of an account cannot be read')
    }
  }

  #actor(account: string): Promise<AccountActor> {
    const known = this.#actors.get(account)
    if (known) return known
    const loading = Life.load(accountKind, accountId(account), this.#environment).then((actor) => {
      if (!this.#environment.store.forReading) this.#apply(account, actor.snapshot.context)
      return actor
    })
    this.#actors.set(account, loading)
    // A store that cannot be read now may be readable after a repair.
    loading.catch(() => this.#actors.delete(account))
    return loading
  }

  #apply(account: string, { said, pauses }: AccountState): void {
    if (said !== null) this.#held.set(account, { reason: 'account', said })
    const leftMs = pauseLeftMs(pauses, this.#environment.clock.now())
    if (leftMs > 0) this.#governor.close(account, leftMs)
  }
}

function accountInfo({ account, windows, pauses, said }: AccountState, now: number): AccountInfo {
  const leftMs = pauseLeftMs(pauses, now)
  return {
    account,
    status: said !== null ? 'held' : leftMs > 0 ? 'waiting' : 'open',
    windows,
    waitsUntil: leftMs > 0 ? instant(now + leftMs) : null,
    said,
  }
}

function isNews(window: ReportedWindow, known: readonly ReportedWindow[]): boolean {
  const before = known.find(({ name }) => name === window.name)
  if (!before || before.status !== window.status) return true
  const moved = (one: number | null, other: number | null, least: number) =>
    (one === null) !== (other === null) || Math.abs((one ?? 0) - (other ?? 0)) >= least
  const at = (instantText: string | null) => (instantText === null ? null : Date.parse(instantText))
  return (
    moved(window.utilization, before.utilization, NEWS.utilization) ||
    moved(at(window.resetsAt), at(before.resetsAt), NEWS.resetMs)
  )
}

/** The name as an id: `api.anthropic.com#3f9a` is `api-anthropic-com-3f9a`. The fingerprint stays, as it tells accounts apart. */
function accountId(account: string): string {
  const id = account.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return id.slice(-LONGEST_ID).replace(/^-+|-+$/g, '') || 'unnamed'
}

const LONGEST_ID = 64
