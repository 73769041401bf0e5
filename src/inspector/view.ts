/** What the inspector's server tells its page: plain JSON, small, and bounded whatever the log holds. */
import type { Json } from '../events/json.ts'

/** How a fact or a state is coloured. */
export type Tone = 'good' | 'bad' | 'warn' | 'call' | 'plain'

/** The whole log, as far as it has been read. */
export interface LogView {
  readonly storeId: string
  /** The last position of the log, and the last one that the index has. */
  readonly head: number
  readonly indexed: number
  /** How many there are; `/api/names` says which. */
  readonly streams: number
  readonly types: number
  /** Places that cannot be read; the first of them. */
  readonly broken: readonly BrokenPlace[]
  /** Why reading has ended, where it has: a store that was closed, a socket that is gone. */
  readonly ended: string | null
}

export interface BrokenPlace {
  readonly position: number
  readonly problem: string
}

/** What can be filtered by. */
export interface NamesView {
  readonly types: readonly string[]
  readonly streams: readonly string[]
}

/** An actor in the list, as it was at the moment that is shown. */
export interface ActorRow {
  readonly stream: string
  readonly kind: string
  readonly id: string
  readonly status: string
  readonly tone: Tone
  /** Tasks that an agent has to do; steps that a run has begun. */
  readonly load: number
  /** Answers; steps that are done. */
  readonly done: number
  readonly tokens: number
  readonly costUsd: number
  readonly version: number
  /** Where its last fact stands. */
  readonly position: number
}

export interface Totals {
  readonly agents: number
  readonly busy: number
  readonly waiting: number
  readonly failing: number
  readonly runs: number
  readonly calls: number
  readonly retries: number
  readonly failures: number
  readonly tokens: number
  readonly costUsd: number
}

/** A fact in the list. */
export interface FactLine {
  readonly position: number
  readonly at: string
  readonly stream: string
  readonly version: number
  readonly type: string
  readonly tone: Tone
  readonly brief: string
  /** The states before and after it, where they differ. */
  readonly change: readonly [from: string, to: string] | null
  /** Why it cannot be read. */
  readonly problem: string | null
}

/** A fact with all that it holds. */
export interface FactView extends FactLine {
  readonly v: number
  readonly epoch: number
  readonly correlationId: string | null
  readonly causationId: string | null
  /** Where the fact stands that led to this one. */
  readonly causePosition: number | null
  /** Long texts are cut; `bodies` says which, and where the whole is. */
  readonly data: Json
  readonly bodies: readonly BodyPlace[]
}

/** A text that is too long to be sent along: `/api/body?position=P&path=data.text` gives it in pieces. */
export interface BodyPlace {
  readonly path: string
  readonly length: number
}

export interface BodyView {
  readonly text: string
  readonly offset: number
  /** Of the whole, in characters. */
  readonly length: number
}

export interface FactPage {
  /** How many facts match, as far as the log has been gone through. */
  readonly total: number
  readonly searchedTo: number
  readonly offset: number
  readonly lines: readonly FactLine[]
}

/** Everything that the page shows of one moment. */
export interface MomentView {
  readonly position: number
  readonly at: string
  readonly log: LogView
  readonly actors: readonly ActorRow[]
  /** How many there are beyond those in `actors`. */
  readonly moreActors: number
  readonly totals: Totals
  readonly fact: FactView | null
  readonly actor: ActorView | null
  /** Where the fact stands among those that match; the last one before it where it is not among them. */
  readonly ordinal: number
}

/** An actor as it was. */
export interface ActorView {
  readonly stream: string
  readonly version: number
  readonly status: string
  readonly tone: Tone
  /** Why its state cannot be told. */
  readonly problem: string | null
  readonly chart: ChartView | null
  readonly last: {
    readonly type: string
    readonly from: string
    readonly to: string
    readonly at: string
  } | null
  /** What the state holds, with long texts cut. */
  readonly context: Json
  /** Where they were asked for: an agent's calls, or a run's steps. */
  readonly sessions: readonly SessionNode[]
  readonly moreSessions: boolean
  readonly run: RunView | null
}

export interface ChartView {
  readonly initial: string
  readonly states: readonly { readonly name: string; readonly tone: Tone }[]
  readonly transitions: readonly { readonly from: string; readonly to: string; readonly fact: string }[]
}

/** A call and the session that it made. */
export interface SessionNode {
  readonly sessionId: string
  readonly parentSessionId: string | null
  readonly taskId: string
  readonly attempt: number
  readonly outcome: 'open' | 'succeeded' | 'failed' | 'unknown'
  /** Where it began and, once it has ended, where it ended. */
  readonly position: number
  readonly endPosition: number | null
  readonly durationMs: number | null
  readonly costUsd: number
  readonly problem: string | null
}

export interface RunView {
  readonly name: string
  readonly startedAt: string
  readonly durationMs: number
  readonly costUsd: number
  readonly steps: readonly StepNode[]
  readonly moreSteps: number
}

export interface StepNode {
  readonly agent: string
  readonly worker: string
  readonly taskId: string
  readonly state: 'scheduled' | 'succeeded' | 'failed' | 'cancelled'
  readonly position: number
  readonly endPosition: number | null
  /** Since the run began. */
  readonly startMs: number
  readonly durationMs: number | null
  readonly costUsd: number
  readonly tokens: number
  readonly problem: string | null
  /** The calls that its task took, the retries among them. */
  readonly calls: readonly SessionNode[]
}

/** One lane per actor over a range of the log, made for as many columns as there are pixels. */
export interface TimelineView {
  readonly from: number
  readonly to: number
  readonly axis: 'order' | 'time'
  readonly columns: number
  /** When the first and the last fact of the range were written, in milliseconds since the epoch. */
  readonly fromMs: number
  readonly toMs: number
  readonly lanes: readonly Lane[]
  readonly statuses: readonly { readonly name: string; readonly tone: Tone }[]
  readonly moreLanes: number
  /** For the time axis: the position that each column ends with. */
  readonly positions: readonly number[]
}

/** Columns that are near to each other share what they show, so that a lane stays small however much happened in it. */
export interface Lane {
  readonly stream: string
  readonly kind: string
  /** `status` is a place in `statuses`. */
  readonly spans: readonly (readonly [fromColumn: number, toColumn: number, status: number])[]
  /** In which columns there is one. */
  readonly marks: Readonly<Partial<Record<MarkKind, readonly number[]>>>
  readonly counts: Readonly<Partial<Record<MarkKind, number>>>
  /** More happened than can be drawn one by one. */
  readonly crowded: boolean
}

export type MarkKind = 'call' | 'retry' | 'failure' | 'answer'

/** How much was written when, over the whole log. */
export interface OverviewView {
  readonly head: number
  readonly facts: readonly number[]
  readonly problems: readonly number[]
  readonly broken: readonly number[]
}

/** What `/api/...` answers with. */
export interface Answers {
  readonly moment: MomentView
  readonly facts: FactPage
  readonly body: BodyView
  readonly timeline: TimelineView
  readonly overview: OverviewView
  readonly names: NamesView
}
