/** An account's whole life as one pure state machine: its windows, until when it waits, and whether it is held. */
import { type SnapshotFrom, setup } from 'xstate'
import { type DurableTimer, waitLeft } from '../../clock.ts'
import { type AccountFact, accountFacts, type ReportedWindow } from '../../events/account-facts.ts'
import type { Identified } from '../../events/envelope.ts'
import type { StreamSummary } from '../../store/event-store.ts'
import { defineKind, type Effect } from '../engine/definition.ts'

/** A wait for a limit to end. */
export interface AccountPause extends DurableTimer {
  readonly window: string
}

/** How long an account still waits, in ms. */
export const pauseLeftMs = (pauses: readonly AccountPause[], now: number): number =>
  Math.max(0, ...pauses.map(({ dueAt, delayMs }) => waitLeft(dueAt, delayMs, now)))

/** More names than the windows of any account have: they come from a service, and the state must not grow with them. */
const MOST_NAMES = 20

/** What is known of windows once more was said about some of them, the latest first. */
export const withReported = (
  before: readonly ReportedWindow[],
  said: readonly ReportedWindow[],
): readonly ReportedWindow[] =>
  [...said, ...before.filter(({ name }) => said.every((window) => window.name !== name))].slice(0, MOST_NAMES)

/** Of too many, the one that ends first is forgotten: the account waits for the others anyway. */
const bounded = (pauses: readonly AccountPause[]): readonly AccountPause[] =>
  pauses.length <= MOST_NAMES
    ? pauses
    : pauses.toSorted((one, other) => Date.parse(one.dueAt) - Date.parse(other.dueAt)).slice(-MOST_NAMES)

export interface AccountState {
  /** Its name, as the runner tells it. */
  readonly account: string
  readonly windows: readonly ReportedWindow[]
  /** The last one of each window; it may be over. */
  readonly pauses: readonly AccountPause[]
  /** Why it cannot pay; null unless it is held. */
  readonly said: string | null
}

const unknown: AccountState = { account: '', windows: [], pauses: [], said: null }

type DataOf<T extends AccountFact['type']> = Extract<AccountFact, { type: T }>['data']

const changes: {
  readonly [T in AccountFact['type']]: (context: AccountState, data: DataOf<T>) => Partial<AccountState>
} = {
  WindowsReported: ({ windows: before }, { account, windows }) => ({
    account,
    windows: withReported(before, windows),
  }),
  AccountPaused: ({ pauses }, { account, ...pause }) => ({
    account,
    pauses: bounded([...pauses.filter(({ window }) => window !== pause.window), pause]),
  }),
  AccountHeld: (_, { account, said }) => ({ account, said }),
  AccountResumed: () => ({ pauses: [], said: null }),
}

const account = setup({ types: {} as { context: AccountState; events: Identified<AccountFact> } })

const fold = account.assign(({ context, event }) => {
  const change = changes[event.type] as (
    context: AccountState,
    data: AccountFact['data'],
  ) => Partial<AccountState>
  return change(context, event.data)
})

const always = { WindowsReported: { actions: fold }, AccountPaused: { actions: fold } } as const

export const accountMachine = account.createMachine({
  id: 'account',
  context: unknown,
  initial: 'open',
  states: {
    open: {
      on: {
        ...always,
        AccountHeld: { target: 'held', actions: fold },
        AccountResumed: { actions: fold },
      },
    },
    held: { on: { ...always, AccountResumed: { target: 'open', actions: fold } } },
  },
})

export type AccountSnapshot = SnapshotFrom<typeof accountMachine>

/** It acts through the agents, which ask before each call. */
export const accountKind = defineKind<typeof accountMachine, Effect>(
  'account',
  accountMachine,
  {
    facts: accountFacts,
    effects: () => [],
    summarize: ({ value, context: { account, windows, pauses, said } }: AccountSnapshot): StreamSummary => ({
      status: value,
      open: false,
      info: { account, windows: [...windows], pauses: pauses.map((pause) => ({ ...pause })), said },
    }),
  },
  [changes],
)
