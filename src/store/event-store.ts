/** The log as a port: small enough to read at once. `eventStoreContract` in `./testing` says the rest, and checks it. */
import type { NewFact, Recorded } from '../events/envelope.ts'
import type { JsonObject } from '../events/json.ts'
import type { Blobs } from './blobs.ts'
import type { Snapshots } from './snapshots.ts'

/**
 * An append-only log of facts in streams.
 *
 * *Contract:* positions (whole log) and versions (per stream) run from 1 without gaps. What `append` has resolved is
 * durable. Order is the order of `append` calls. Damage is an error, never a wrong or missing value.
 */
export interface EventStore extends AsyncDisposable {
  readonly storeId: string
  /** The number of this writer: larger than that of every writer before. */
  readonly epoch: number
  readonly blobs: Blobs
  readonly snapshots: Snapshots
  /** Appends all of the facts or none of them. An empty list writes nothing. */
  append(stream: string, facts: readonly NewFact[], options?: AppendOptions): Promise<readonly Recorded[]>
  /** A stream's facts. An unknown stream has none. */
  read(stream: string, options?: ReadOptions): AsyncIterable<Recorded>
  /** The facts of all streams in global order; `after` and `to` are positions. */
  readAll(options?: Omit<ReadOptions, 'direction'>): AsyncIterable<Recorded>
  /** What has been written and then, for ever, what is written: no gap, no duplicate, in order. Ends when aborted. */
  follow(options?: FollowOptions): AsyncIterable<Recorded>
  /** The version of a stream, or the last position of the log; 0 when there is none. */
  head(stream?: string): Promise<number>
  /** The streams, ordered by name. */
  streams(options?: StreamsOptions): AsyncIterable<StreamHead>
}

/** How an append is checked and made idempotent. */
export interface AppendOptions {
  /** The version that the stream must have now: 0 or `'none'` for no facts yet, `'any'` (the default) for no check.
   * Otherwise {@link VersionConflict}. */
  readonly expectedVersion?: number | 'none' | 'any'
  /** Makes the append idempotent: the same id again returns what the first one wrote, and writes nothing, whatever
   * is expected of the version. */
  readonly commitId?: string
  /** What the stream folds to after these facts. Without it the last one stays. */
  readonly summary?: StreamSummary
}

/**
 * A few words on an actor's state, kept beside the index so that ten thousand actors can be listed, and the few with
 * work left to do can be found, without folding them. A cache: the facts are the truth.
 */
export interface StreamSummary {
  /** The state of the actor, for lists. */
  readonly status: string
  /** Whether it has work to do as soon as the store is opened: a call in flight, a timer, a queue. */
  readonly open: boolean
  /** Whatever else a list wants to show. Keep it under 1 KB. */
  readonly info?: JsonObject
  /** Which fold made it, and a hash of the whole state, where its actor writes them down: what a replay is held against. */
  readonly fold?: string
  readonly state?: string
}

/** A stream, its version, and what it folds to. */
export interface StreamHead {
  readonly stream: string
  readonly version: number
  readonly summary: StreamSummary | null
}

/** Which part of a stream, or of the log, to read. */
export interface ReadOptions {
  /** Only what comes after this version (in `readAll`: position). Default 0. */
  readonly after?: number
  /** Only what comes up to and including this one. */
  readonly to?: number
  /** At most so many. */
  readonly limit?: number
  /** `backwards` begins with the newest. Default `forwards`. */
  readonly direction?: 'forwards' | 'backwards'
}

/** From which position to follow the log, and until when. */
export interface FollowOptions {
  readonly after?: number
  readonly signal?: AbortSignal
}

/** Which streams to list. */
export interface StreamsOptions {
  /** `agent/`: only streams whose name begins so. */
  readonly prefix?: string
  /** Only those whose summary says open. Costs as much as there are of those. */
  readonly open?: boolean
}
