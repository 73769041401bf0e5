/**
 * May this call begin? One door in front of the account that pays, the budgets, and the governor: what makes calls asks
 * here, and names none of the three.
 */
import { recordableWindows } from '../../claude/recordable.ts'
import type { AgentRunner, CallMessage, Usage } from '../../claude/runner.ts'
import { type Clock, steadyTime } from '../../clock.ts'
import type { Amount, Budget } from '../../events/options/budget.ts'
import type { Logger } from '../../logger.ts'
import { mayPass } from '../engine/wish.ts'
import type { AccountHold, Accounts } from './accounts.ts'
import { type BudgetHold, type BudgetInfo, budgetHoldInWords, scopeOf } from './budget-scope.ts'
import type { BudgetKeeper, BudgetManner, CallRequest } from './budgets.ts'
import type { CallSlot, Governor } from './governor.ts'

export type { BudgetInfo } from './budget-scope.ts'

/** Why a call may not begin yet: its account cannot pay for it, or a budget has no room. */
export interface Held {
  readonly hold: AccountHold | BudgetHold
}

/** A call that may begin, or has begun. */
export interface Admitted {
  readonly hold?: never
  /** The account that pays for it. */
  readonly account: string
  /** How long it has waited for its turn, in ms. */
  readonly waitedMs: number
  /** Learns from what the running call says. */
  hear(message: CallMessage): void
  /** Counts what it cost, before its end is recorded: it is paid for, whatever happens to the log. */
  learn(cost: Amount): Promise<void> | undefined
  /** Learns what its end says about the account. No further call of it begins before that is known. */
  told(news: AccountNews): Promise<void> | undefined
  /** It no longer runs: another call may. Idempotent. */
  leave(): void
}

/** What the end of a call says about the account that pays for it. */
export type AccountNews =
  | { readonly said: 'answered' }
  | { readonly said: 'cannot pay'; readonly why: string }
  /** A limit was reached that ends in so many ms. */
  | { readonly said: 'wait'; readonly window: string; readonly leftMs: number }
  /** Too many calls at once. `askedMs`: how long the service asks us to wait; 0 if it does not say. */
  | { readonly said: 'fewer'; readonly askedMs: number }

/** A budget that has no room for a call, and what to say of that. */
export interface ExplainedHold extends ReturnType<typeof budgetHoldInWords> {
  readonly budget: BudgetInfo
}

/** Admits calls, in this process or elsewhere. */
export interface Admission {
  /** The account that pays for the next call. */
  readonly account: string
  /** How many calls of that account may be in flight at present. */
  readonly room: number
  /** Learns what the log says of that account and of budgets, so that the first call may begin at once. */
  prepare(): Promise<void>
  /**
   * Resolves once the call may begin, or with why it may not; undefined if it is no longer wanted. The caller announces an
   * admitted call, and reports its end by `leave` and `settle`.
   *
   * *Contract:* a call that was held is asked for again when `changes` calls back, and some day may begin.
   *
   * @param wanted Its signal is read only if the call has to wait.
   */
  admit(request: CallRequest, wanted: { readonly signal: AbortSignal }): Promise<Admitted | Held | undefined>
  /** Admits a call that may begin at once, without asking anything; otherwise undefined, and `admit` says more. */
  admitNow?(request: CallRequest): Admitted | undefined
  /** A call that an earlier process announced already runs, whether or not there is room. */
  adopt(request: CallRequest): Admitted
  /** Counts what was spent without being asked for, whether or not there is room; it is settled like a call. */
  charge(request: CallRequest, cost: Amount): Promise<void>
  /** A call has ended or will not begin: whatever is known of it is in the log. */
  settle(callId: string): void
  /** Calls back when a held call may begin, with the accounts that a person has resumed. Returns what stops it. */
  changes(listener: (resumed: ReadonlySet<string>) => void): () => void
  /** The account refused a call of an earlier process, whose task still waits. */
  remember(): void
  /** The tokens of a call as budgets count them. */
  tokensOf(usage: Usage): number
  explain(hold: BudgetHold): Promise<ExplainedHold>
  /** Sets what an agent may spend: a field left out keeps its limit, null removes it. */
  setBudget(agent: string, budget: Budget, manner?: BudgetManner): Promise<BudgetInfo>
  /** What an agent may spend and has spent. */
  budgetOf(agent: string): Promise<BudgetInfo>
  /** Removes the budget of a removed agent. */
  forget(agent: string): Promise<void>
}

/** A wait of which the next process has to know as well. */
export const LONG_WAIT_MS = 60_000

/** The account of a runner that does not tell accounts apart. */
const UNNAMED = 'default'

/** HTTP statuses with which the service tells the account to wait. */
const ACCOUNT_STATUSES: readonly unknown[] = [429, 529]

/** What admission asks. */
export interface AdmissionParts {
  readonly runner: Pick<AgentRunner, 'account'>
  readonly accounts: Accounts
  readonly budgets: BudgetKeeper
  readonly governor: Governor
  readonly clock: Clock
  readonly logger: Logger
}

/** Admits the calls of this process. */
export function localAdmission({
  runner,
  accounts,
  budgets,
  governor,
  clock,
  logger,
}: AdmissionParts): Admission {
  const parts = { accounts, budgets, logger }
  const accountNow = () => runner.account?.() ?? UNNAMED
  const know = async (account: string) => {
    if (!accounts.isKnown(account)) await accounts.know(account, account !== UNNAMED)
  }

  return {
    get account() {
      return accountNow()
    },
    get room() {
      return governor.room(accountNow())
    },
    async prepare() {
      await know(accountNow())
      await budgets.load()
    },
    async admit(request, wanted) {
      const { agent, callId } = request
      const account = accountNow()
      await know(account)
      // Checked before waiting for a slot, which a call without a budget must not take.
      const hold = accounts.holdOf(account) ?? (budgets.areSet ? await budgets.refusal(request) : undefined)
      if (hold) return { hold }
      const since = steadyTime(clock)
      const caller = { agent, account }
      const slot =
        governor.tryEnter(caller) ?? (await governor.enter(caller, wanted.signal).catch(() => undefined))
      if (!slot) return undefined
      let refused: AccountHold | BudgetHold | undefined
      try {
        // Other calls may have learned meanwhile that it cannot pay.
        refused = accounts.holdOf(account) ?? (await budgets.reserve(request))
      } catch (error) {
        slot.leave()
        budgets.settle(callId)
        throw error
      }
      if (!refused)
        return new AdmittedCall(parts, request, account, slot, Math.round(steadyTime(clock) - since))
      slot.leave()
      return { hold: refused }
    },
    admitNow(request) {
      const account = accountNow()
      if (!accounts.isKnown(account) || accounts.holdOf(account) || budgets.areSet) return undefined
      const slot = governor.tryEnter({ agent: request.agent, account })
      if (!slot) return undefined
      // No budget is set, so there is nothing to reserve.
      budgets.adopt(request)
      return new AdmittedCall(parts, request, account, slot, 0)
    },
    adopt(request) {
      const account = accountNow()
      // Its facts may be anywhere in the stream.
      budgets.adopt({ ...request, agentVersion: 0 })
      const slot = governor.adopt({ agent: request.agent, account })
      return new AdmittedCall(parts, request, account, slot, 0)
    },
    charge: (request, cost) => budgets.charge(request, cost),
    settle: (callId) => budgets.settle(callId),
    changes(listener) {
      const forget = [budgets.changes(() => listener(NO_ACCOUNT)), accounts.onResume(listener)]
      return () => {
        for (const stop of forget) stop()
      }
    },
    remember: () => governor.remember(accountNow()),
    tokensOf: (usage) => budgets.tokensOf(usage),
    async explain(hold) {
      const budget = await budgets.show(scopeOf(hold.budget))
      return { ...budgetHoldInWords(hold, budget), budget }
    },
    setBudget: (agent, budget, manner) => budgets.set({ agent }, budget, manner),
    budgetOf: (agent) => budgets.show({ agent }),
    forget: (agent) => budgets.forget(agent),
  }
}

const NO_ACCOUNT: ReadonlySet<string> = new Set()

class AdmittedCall implements Admitted {
  readonly account: string
  readonly waitedMs: number
  readonly #parts: Pick<AdmissionParts, 'accounts' | 'budgets' | 'logger'>
  readonly #request: CallRequest
  readonly #slot: CallSlot

  constructor(
    parts: Pick<AdmissionParts, 'accounts' | 'budgets' | 'logger'>,
    request: CallRequest,
    account: string,
    slot: CallSlot,
    waitedMs: number,
  ) {
    this.account = account
    this.waitedMs = waitedMs
    this.#parts = parts
    this.#request = request
    this.#slot = slot
  }

  hear(message: CallMessage): void {
    if (message.type !== 'process') this.#slot.heard(message.type === 'text' || message.type === 'tool')
    if (message.type === 'account')
      this.#parts.accounts.report(this.account, recordableWindows(message.windows))
    if (message.type === 'retry' && ACCOUNT_STATUSES.includes(message.status))
      this.#slot.refused(message.retryAfterMs ?? 0)
  }

  learn(cost: Amount): Promise<void> | undefined {
    return this.#parts.budgets.learn(this.#request, cost)
  }

  told(news: AccountNews): Promise<void> | undefined {
    if (news.said !== 'answered') return this.#record(news)
    this.#slot.answered()
    return undefined
  }

  leave(): void {
    this.#slot.leave()
  }

  /** An account whose facts cannot be written ends no task: this process knows what it was told. */
  async #record(news: Exclude<AccountNews, { readonly said: 'answered' }>): Promise<void> {
    const { account } = this
    const { accounts, logger } = this.#parts
    try {
      if (news.said === 'cannot pay') await accounts.hold(account, news.why)
      else if (news.said === 'wait') await accounts.pause(account, news.window, news.leftMs)
      else {
        this.#slot.refused(news.askedMs)
        if (news.askedMs >= LONG_WAIT_MS) await accounts.pause(account, 'requests', news.askedMs)
      }
    } catch (error) {
      if (mayPass(error)) throw error
      logger.error({ account, error }, 'what a call says about its account was not recorded')
    }
  }
}
