/** The responses of the inspector's server: plain JSON, bounded whatever the log holds. */
import type { Json } from '../events/json.ts'

/** The colour of a fact or a state. */
export type Tone = 'good' | 'bad' | 'warn' | 'call' | 'plain'

/** The whole log, as far as the server has read it. */
export interface LogView {
  readonly storeId: string
  /** The last position of the log. */
  readonly head: number
  /** The last position in the index. */
  readonly indexed: number
  /** The number of streams and of types; `/api/names` lists them. */
  readonly streams: number
  readonly types: number
  /** The first of the records that cannot be read. */
  readonly broken: readonly BrokenRecord[]
  /** Why the server has stopped reading the log, such as a closed store; null while it follows it. */
  readonly ended: string | null
}

export interface BrokenRecord {
  readonly position: number
  readonly problem: string
}

/** The names to filter by. */
export interface NamesView {
  readonly types: readonly string[]
  readonly streams: readonly string[]
}

/** An actor in the list, as of the moment that is shown. */
export interface ActorRow {
  readonly stream: string
  readonly kind: string
  readonly id: string
  readonly status: string
  readonly tone: Tone
  /** An agent's unfinished tasks; a run's scheduled steps. */
  readonly load: number
  /** An agent's answers; a run's finished steps. */
  readonly done: number
  readonly tokens: number
  readonly costUsd: number
  readonly version: number
  /** The position of its last fact. */
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
  /** The states before and after it; null if they are equal or unknown. */
  readonly change: readonly [from: string, to: string] | null
  /** Why it cannot be read; null if it can. */
  readonly problem: string | null
}

/** A fact in full. */
export interface FactView extends FactLine {
  readonly v: number
  readonly epoch: number
  readonly correlationId: string | null
  readonly causationId: string | null
  /** The position of the fact that caused this one. */
  readonly causePosition: number | null
  /** Long texts are truncated; `bodies` locates them in full. */
  readonly data: Json
  readonly bodies: readonly BodyLocation[]
}

/** A text too long to be part of the response: `/api/body?position=P&path=data.text` returns it in pieces. */
export interface BodyLocation {
  readonly path: string
  readonly length: number
}

export interface BodyView {
  readonly text: string
  readonly offset: number
  /** The length of the full text, in characters. */
  readonly length: number
}

export interface FactPage {
  /** How many facts match up to `searchedTo`. */
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
  /** How many actors are not in `actors`. */
  readonly moreActors: number
  readonly totals: Totals
  readonly accounts: readonly AccountView[]
  readonly fact: FactView | null
  readonly actor: ActorView | null
  /** The fact's index among the matching facts; if it does not match, that of the last match before it. */
  readonly ordinal: number
}

/** What was known of an account's limits at a moment. */
export interface AccountView {
  readonly account: string
  readonly windows: readonly {
    readonly name: string
    readonly status: string
    /** 1 is all of it; null if unknown. */
    readonly utilization: number | null
    readonly resetsAt: string | null
  }[]
  /** Until when it waited; null if it did not. */
  readonly waitsUntil: string | null
  /** Why it could not pay; null if it could. */
  readonly said: string | null
}

/** An actor as of a moment. */
export interface ActorView {
  readonly stream: string
  readonly version: number
  readonly status: string
  readonly tone: Tone
  /** Why its state is unknown; null if it is known. */
  readonly problem: string | null
  readonly chart: ChartView | null
  readonly last: {
    readonly type: string
    readonly from: string
    readonly to: string
    readonly at: string
  } | null
  /** The state's data, with long texts truncated. */
  readonly context: Json
  /** An agent's calls, if they were requested. */
  readonly sessions: readonly SessionNode[]
  readonly moreSessions: boolean
  /** A run's steps, if they were requested. */
  readonly run: RunView | null
}

export interface ChartView {
  readonly initial: string
  readonly states: readonly { readonly name: string; readonly tone: Tone }[]
  readonly transitions: readonly { readonly from: string; readonly to: string; readonly fact: string }[]
}

/** A call and its session. */
export interface SessionNode {
  readonly sessionId: string
  readonly parentSessionId: string | null
  readonly taskId: string
  readonly attempt: number
  readonly outcome: 'open' | 'succeeded' | 'failed' | 'unknown'
  /** The positions of its start and, once it has ended, of its end. */
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
  /** Since the start of the run. */
  readonly startMs: number
  readonly durationMs: number | null
  readonly costUsd: number
  readonly tokens: number
  readonly problem: string | null
  /** The calls of its task, including retries. */
  readonly calls: readonly SessionNode[]
}

/** One lane per actor over a range of the log, with one column per pixel. */
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
  /** For the time axis: the last position of each column. */
  readonly positions: readonly number[]
}

/** A lane's size does not depend on the number of facts: neighbouring columns are merged when it is crowded. */
export interface Lane {
  readonly stream: string
  readonly kind: string
  /** `status` is an index into `statuses`. */
  readonly spans: readonly (readonly [fromColumn: number, toColumn: number, status: number])[]
  /** The columns that have a mark, by kind. */
  readonly marks: Readonly<Partial<Record<MarkKind, readonly number[]>>>
  readonly counts: Readonly<Partial<Record<MarkKind, number>>>
  /** More happened than can be drawn individually. */
  readonly crowded: boolean
}

export type MarkKind = 'call' | 'retry' | 'failure' | 'answer'

/** Write activity over the whole log, one number per column. */
export interface OverviewView {
  readonly head: number
  readonly facts: readonly number[]
  readonly problems: readonly number[]
  readonly broken: readonly number[]
}

/** The response of each `/api/...`. */
export interface Answers {
  readonly moment: MomentView
  readonly facts: FactPage
  readonly body: BodyView
  readonly timeline: TimelineView
  readonly overview: OverviewView
  readonly names: NamesView
}
