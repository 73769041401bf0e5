/**
 * A schedule's whole life as one pure state machine. Its events are the log's facts.
 *
 * S1. An instant is decided once: what it leads to is announced, or it is missed, in the append that moves the schedule on.
 * S2. What is announced is begun under an id that follows from the schedule and the instant, so it is begun once.
 * S3. While something is announced and not begun, no further instant is decided: those that come meanwhile are late ones.
 */
import { type SnapshotFrom, setup } from 'xstate'
import { defineKind, type Effect } from '../actors/engine/definition.ts'
import type { Identified } from '../events/envelope.ts'
import type { JsonObject } from '../events/json.ts'
import type { Body } from '../events/task-input.ts'
import type { StreamSummary } from '../store/event-store.ts'
import { type Missed, type ScheduleFact, scheduleFacts } from './facts.ts'

type DataOf<T extends ScheduleFact['type']> = Extract<ScheduleFact, { type: T }>['data']

/** What is announced and not begun. */
export interface Firing extends Omit<DataOf<'FiringAnnounced'>, 'nextAt'> {
  /** The id of the fact that announced it. */
  readonly announced: string
}

export interface ScheduleContext {
  readonly cron: string
  readonly timezone: string
  readonly missed: Missed
  readonly agent: string | null
  readonly workflow: JsonObject | null
  readonly text: Body
  /** When it fires next; null if it never fires again. */
  readonly nextAt: string | null
  /** The last of its instants that was decided. */
  readonly decidedAt: string | null
  /** The instant of its last firing that began something. */
  readonly lastAt: string | null
  /** First in, first out. */
  readonly pending: readonly Firing[]
  /** Why its last firing began nothing; null if it did. */
  readonly failure: (DataOf<'FiringFailed'>['error'] & { readonly id: string; readonly at: string }) | null
  /** How often it was asked for by hand. Never begins again: ids follow from it. */
  readonly byHand: number
}

const none: ScheduleContext = {
  ...{ cron: '', timezone: '', missed: 'once', agent: null, workflow: null, text: '' },
  ...{ nextAt: null, decidedAt: null, lastAt: null, pending: [], failure: null, byHand: 0 },
}

const begun = ({ pending }: ScheduleContext, id: string) => ({
  at: pending.find((firing) => firing.id === id)?.at ?? null,
  pending: pending.filter((firing) => firing.id !== id),
})

const changes: {
  readonly [T in ScheduleFact['type']]: (
    context: ScheduleContext,
    data: DataOf<T>,
    id: string,
  ) => Partial<ScheduleContext>
} = {
  ScheduleAdded: ({ byHand }, data) => ({ ...none, ...data, byHand }),
  FiringsMissed: (_, { to, nextAt }) => ({ decidedAt: to, nextAt }),
  FiringAnnounced: (context, { at, id, nextAt }, announced) => ({
    pending: [...context.pending, { at, id, announced }],
    ...(nextAt === undefined ? { byHand: context.byHand + 1 } : { decidedAt: at, nextAt }),
  }),
  FiringAccepted(context, { id }) {
    const { at, pending } = begun(context, id)
    return { pending, lastAt: at, failure: null }
  },
  FiringFailed(context, { id, error }) {
    const { at, pending } = begun(context, id)
    return { pending, failure: { ...error, id, at: at ?? '' } }
  },
  FiringMoved: (_, { nextAt }) => ({ nextAt }),
  SchedulePaused: () => ({ failure: null }),
  ScheduleResumed: (_, { nextAt }) => ({ nextAt, failure: null }),
  ScheduleRemoved: ({ byHand }) => ({ ...none, byHand }),
}

const schedule = setup({
  types: {} as { context: ScheduleContext; events: Identified<ScheduleFact> },
  guards: {
    isPending: ({ context, event }) =>
      'id' in event.data && context.pending.some(({ id }) => id === (event.data as { id: string }).id),
    isNew: ({ context, event }) =>
      event.type === 'FiringAnnounced' && context.pending.every(({ id }) => id !== event.data.id),
    isByHand: ({ context, event }) =>
      event.type === 'FiringAnnounced' &&
      event.data.nextAt === undefined &&
      context.pending.every(({ id }) => id !== event.data.id),
  },
})

const fold = schedule.assign(({ context, event }) => {
  const change = changes[event.type] as (
    context: ScheduleContext,
    data: ScheduleFact['data'],
    id: string,
  ) => Partial<ScheduleContext>
  return change(context, event.data, event.id)
})

const ends = { guard: 'isPending', actions: fold } as const
const always = {
  FiringAccepted: ends,
  FiringFailed: ends,
  ScheduleRemoved: { target: 'absent', actions: fold },
} as const

export const scheduleMachine = schedule.createMachine({
  id: 'schedule',
  context: none,
  initial: 'absent',
  states: {
    absent: { on: { ScheduleAdded: { target: 'active', actions: fold } } },
    active: {
      on: {
        ...always,
        FiringAnnounced: { guard: 'isNew', actions: fold },
        FiringsMissed: { actions: fold },
        FiringMoved: { actions: fold },
        SchedulePaused: { target: 'paused', actions: fold },
      },
    },
    paused: {
      on: {
        ...always,
        FiringAnnounced: { guard: 'isByHand', actions: fold },
        ScheduleResumed: { target: 'active', actions: fold },
      },
    },
  },
})

/** A state of a schedule. */
export type ScheduleSnapshot = SnapshotFrom<typeof scheduleMachine>

/** What a schedule does: it begins what is announced, or waits. */
export type ScheduleEffect = Effect &
  ({ readonly does: 'begin'; readonly firing: Firing } | { readonly does: 'wait'; readonly nextAt: string })

function effectsOf({ value, context }: ScheduleSnapshot): readonly ScheduleEffect[] {
  const { pending, nextAt } = context
  const [firing] = pending
  if (firing) return [{ key: `begin ${firing.id}`, does: 'begin', firing }]
  return value === 'active' && nextAt !== null ? [{ key: `wait ${nextAt}`, does: 'wait', nextAt }] : []
}

/** In characters: lists show no more. */
const LONGEST_NAME = 100
const LONGEST_REASON = 200

function summarize(snapshot: ScheduleSnapshot): StreamSummary {
  const { value, context } = snapshot
  const { cron, timezone, missed, agent, workflow, nextAt, lastAt, failure, pending } = context
  const name = workflow === null ? null : String(workflow.name ?? workflow.kind)
  return {
    status: value,
    open: effectsOf(snapshot).length > 0,
    info: {
      ...{ cron, timezone, missed, agent, lastAt },
      nextAt: value === 'active' ? nextAt : null,
      workflow: name?.slice(0, LONGEST_NAME) ?? null,
      failure: failure?.message.slice(0, LONGEST_REASON) ?? null,
      pending: pending.length,
    },
  }
}

export const scheduleKind = defineKind<typeof scheduleMachine, ScheduleEffect>(
  'schedule',
  scheduleMachine,
  { facts: scheduleFacts, effects: effectsOf, summarize },
  [changes, begun, none],
)
