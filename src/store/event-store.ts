/** The log as a port. `eventStoreContract` in `./testing` states the contract in full and checks it. */
import type { NewFact, Recorded } from '../events/envelope.ts'
import type { JsonObject } from '../events/json.ts'
import type { Blobs } from './blobs.ts'
import type { Snapshots } from './snapshots.ts'

/**
 * An append-only log of facts in streams.
 *
 * *Contract:* positions (whole log) and versions (per stream) run from 1 without gaps, in the order of the `append`
 * calls. Facts are durable once `append` resolves. Damage is an error, never a wrong or missing value.
 */
export interface EventStore extends AsyncDisposable {
  readonly storeId: string
  /** The number of this writer, larger than that of every earlier one. */
  readonly epoch: number
  /** Nothing can be appended, because it was imported from a partial or redacted log. Default: false. */
  readonly forReading?: boolean
  readonly blobs: Blobs
  readonly snapshots: Snapshots
  /** Aborts, with the reason, when another process has taken the store: this one writes nothing more. */
  readonly lost?: AbortSignal
  /** Appends all of the facts or none. An empty list writes nothing. */
  append(stream: string, facts: readonly NewFact[], options?: AppendOptions): Promise<readonly Recorded[]>
  /** Appends to several streams all of the facts or none, each checked as if those before it were written. If any commit
   * id is known, it is a repetition: a {@link CommitConflict} unless the whole group was written as it is. */
  appendAll(appends: readonly StreamAppend[]): Promise<readonly (readonly Recorded[])[]>
  /** Fences other writers: to this stream, only appends with this token are written. Claim before reading. In a
   * cluster, a worker waits for the one that has it: `claimAfter` of `PostgresStore`. */
  claim?(stream: string): Promise<string>
  /** The facts of a stream. An unknown stream has none. */
  read(stream: string, options?: ReadOptions): AsyncIterable<Recorded>
  /** The facts of all streams in global order; `after` and `to` are positions. */
  readAll(options?: Omit<ReadOptions, 'direction'>): AsyncIterable<Recorded>
  /** All facts so far, then each new one: in order, without gaps or duplicates. Ends on abort, or when the store closes. */
  follow(options?: FollowOptions): AsyncIterable<Recorded>
  /** The version of a stream or, without one, the last position of the log; 0 if it is empty. */
  head(stream?: string): Promise<number>
  /** The streams, ordered by name. */
  streams(options?: StreamsOptions): AsyncIterable<StreamHead>
  /**
   * How many streams of a kind (`agent`) have a summary with another status than `absent`. The cost does not depend on their
   * number. Optional: without it, they are listed.
   */
  count?(kind: string): Promise<number>
}

/** How an append is checked and made idempotent. */
export interface AppendOptions {
  /** The version that the stream must have: 0 or `'none'` for an empty stream, `'any'` (the default) for no check.
   * Any other version is a {@link VersionConflict}. */
  readonly expectedVersion?: number | 'none' | 'any'
  /** Makes the append idempotent: appending the same facts again with the same id writes nothing and returns what the
   * first append wrote, whatever version is expected. Another stream or other facts are a {@link CommitConflict}. */
  readonly commitId?: string
  /** The commit id was made just now, from an id that nothing in the log has: it need not be looked up there. */
  readonly isNew?: boolean
  /** What `claim` returned. A stale one is {@link Fenced}, and so is an append without one to a stream that is claimed. */
  readonly token?: string
  /** A summary of the state after these facts. If omitted, the previous one stays. */
  readonly summary?: StreamSummary
}

/** What {@link EventStore.appendAll} appends to one stream. */
export interface StreamAppend extends AppendOptions {
  readonly stream: string
  readonly facts: readonly NewFact[]
}

/**
 * A summary of an actor's state, kept in the index so that ten thousand actors can be listed, and the few with open
 * work found, without folding them. A cache: the facts are the truth.
 */
export interface StreamSummary {
  /** The state of the actor, for lists. */
  readonly status: string
  /** Whether it has work to resume when the store is opened: a call in flight, a timer, a queue. */
  readonly open: boolean
  /** Anything else that a list shows. Keep it under 1 KB. */
  readonly info?: JsonObject
  /** The fingerprint of the fold and a hash of the whole state, if the actor records them: a replay is compared with them. */
  readonly fold?: string
  readonly state?: string
}

/** A stream, its version, and the summary of its state. */
export interface StreamHead {
  readonly stream: string
  readonly version: number
  readonly summary: StreamSummary | null
}

/** Which part of a stream, or of the log, to read. */
export interface ReadOptions {
  /** Only facts after this version (in `readAll`: position). Default 0. */
  readonly after?: number
  /** Only facts up to and including this one. */
  readonly to?: number
  /** At most this many. */
  readonly limit?: number
  /** `backwards` starts with the newest. Default `forwards`. */
  readonly direction?: 'forwards' | 'backwards'
}

/** From which position to follow the log, and until when. */
export interface FollowOptions {
  readonly after?: number
  readonly signal?: AbortSignal
  /** What the reader is interested in: a store may leave out the rest, and need not. */
  readonly only?: FactSelection
}

/** Some of the facts of a log. */
export interface FactSelection {
  /** Those of one stream. */
  readonly stream?: string
  /** Those with this correlation id, or with one that begins with it and a dot: of a run, with the tasks of its steps. */
  readonly correlationId?: string
}

/** Which streams to list. */
export interface StreamsOptions {
  /** Only streams whose name starts with this, e.g. `agent/`. */
  readonly prefix?: string
  /** Only streams whose summary is open. The cost is proportional to their number, not to that of all streams. */
  readonly open?: boolean
}
