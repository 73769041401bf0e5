/**
 * The single writer of a log: commits appends in groups, one synced write each, and recovers from failed writes.
 *
 * - `CommitQueue` collects the appends that arrive during a write; the next write commits them together.
 * - `BatchPlan`, below, checks these appends in order, and turns them into the records of one write.
 * - `Watermark` is the last position that can be read; followers of the log wait for it to advance.
 * - `HeadFile` keeps the last position in a file beside the log, so that a lost tail is detected.
 * - A checkpoint is the position up to which the index on disk is complete. What follows it is indexed again on opening.
 */
import { type Clock, instant } from '../../clock.ts'
import type { Recorded } from '../../events/envelope.ts'
import { type Fenced, StoreLockLost, StoreReadOnly, type VersionConflict } from '../../events/errors/store.ts'
import type { Logger } from '../../logger.ts'
import {
  type AppendGroup,
  type AppendRequest,
  Claims,
  type CommitPlace,
  type CommittedFact,
  commitConflict,
  positionsOf,
  type Repetition,
  repetitionIn,
  versionConflict,
} from '../append-request.ts'
import { CommitQueue, type QueuedRequest } from '../commit-queue.ts'
import { recordedFact, storedText } from '../fact-text.ts'
import type { Watermark } from '../follow.ts'
import { type LogDatabase, rootCause } from './database.ts'
import {
  EPOCH_KEY,
  type EpochEntry,
  encodeIndexValue,
  encodeRecord,
  type HeadEntry,
  type LogEnd,
  noteLine,
  noteOf,
  recordKey,
} from './entries.ts'
import type { HeadFile } from './head-file.ts'
import { records } from './reader.ts'
import type { RecoveredLog } from './recovery.ts'
import type { IndexedFact, StreamIndex } from './stream-index.ts'

type Append = QueuedRequest<AppendGroup, readonly Recorded[]>

export interface LogWriterParts {
  readonly database: LogDatabase
  readonly recovered: RecoveredLog
  readonly storeId: string
  readonly baseDir: string
  readonly headFile: HeadFile
  readonly watermark: Watermark
  readonly clock: Clock
  readonly logger: Logger
  /** Throws {@link StoreLockLost} if this process is no longer the owner of the store, or the store is gone. */
  checkOwner(): void
  /** Called once, when the writer has stopped because this process is no longer the owner. */
  lost(error: StoreLockLost): void
  /** Reopens and recovers the log after a failed write. Rejects while the log cannot be written. */
  reopen(): Promise<RecoveredLog>
}

export class LogWriter {
  readonly epoch: number
  readonly #parts: LogWriterParts
  readonly #queue = new CommitQueue<AppendGroup, readonly Recorded[]>((appends) => this.#commit(appends))
  readonly #claims: Claims
  readonly #retry: RetrySchedule
  #index: StreamIndex
  #end: LogEnd
  #epochIsWritten = false
  /** Whether the owner was checked in this turn of the event loop. */
  #ownerIsChecked = false
  /** Why nothing can be written at present; null if all is well. */
  #failure: Error | null = null
  /** Why nothing can ever be written again; null while this process is the owner. */
  #lost: StoreLockLost | null = null

  constructor(parts: LogWriterParts) {
    this.#parts = parts
    this.#index = parts.recovered.index
    this.#end = parts.recovered.end
    this.#retry = new RetrySchedule(parts.clock)
    this.epoch = parts.recovered.epoch + 1
    this.#claims = new Claims(this.epoch)
    parts.watermark.advance(this.#end.position)
  }

  /** The current index. A recovery replaces it. */
  get index(): StreamIndex {
    return this.#index
  }

  /** Resolves with the facts of the whole group. */
  append(group: AppendGroup): Promise<readonly Recorded[]> {
    return this.#queue.push(group)
  }

  /** Appends that wait are fenced from now on. Resolves when those that are being written can be read. */
  async claim(stream: string): Promise<string> {
    const token = this.#claims.claim(stream)
    await this.#queue.push([])
    return token
  }

  /** Stops the store if this process is no longer its owner. */
  checkOwner(): void {
    try {
      this.#parts.checkOwner()
    } catch (error) {
      if (error instanceof StoreLockLost) this.#fail(error)
    }
  }

  /** Resolves when no append is waiting. */
  idle(): Promise<void> {
    return this.#queue.idle()
  }

  /** Drains the queue and flushes the index, so that the next opening need not rebuild it. */
  async close(): Promise<void> {
    await this.#queue.idle()
    if (this.#lost) return
    const behind = this.#index.checkpoint < this.#end.position
    if (behind && this.#epochIsWritten && this.#failure === null) await this.#flushIndex()
  }

  async #commit(appends: readonly Append[]): Promise<void> {
    const refusal = this.#lost ?? (this.#failure === null ? null : await this.#recover())
    if (refusal) return rejectAll(appends, refusal)
    const { intact, heads, commits } = await this.#load(appends)
    const { storeId, clock } = this.#parts
    const plan = new BatchPlan({ heads, commits }, this.#end, {
      storeId,
      epoch: this.epoch,
      at: instant(clock.now()),
    })
    const outcomes: Outcome[] = []
    for (const { request } of intact) {
      const fenced = this.#claims.refusal(request)
      outcomes.push(fenced ? { kind: 'conflict', error: fenced } : plan.add(request))
    }
    try {
      if (plan.records.length > 0) await this.#writeRecords(plan)
      // After the write: every later owner reads it. A repetition is an acknowledgement as well.
      this.#checkOwner()
      for (const record of plan.records) this.#index.apply(record, heads.get(record.recorded.stream))
    } catch (cause) {
      return rejectAll(intact, this.#fail(cause))
    }
    if (plan.records.length > 0) this.#publish(plan.end)
    for (const [member, outcome] of outcomes.entries()) {
      const append = intact[member]
      if (outcome.kind === 'written') append?.resolve(outcome.recorded)
      else if (outcome.kind === 'conflict') append?.reject(outcome.error)
      // A repeated commit id writes nothing: the caller gets the facts of the first append, or a conflict if its own differ.
      else append?.resolve(this.#repeated(append.request, outcome.repetition))
    }
    if (this.#index.needsFlush) await this.#flushIndex()
  }

  /** The heads and commits that appends need. Those whose index entries are damaged are rejected here. */
  async #load(appends: readonly Append[]): Promise<KnownLog & { readonly intact: readonly Append[] }> {
    const requests = appends.flatMap(({ request }) => request)
    try {
      const [heads, commits] = await Promise.all([this.#index.heads(requests), this.#index.commits(requests)])
      return { heads, commits, intact: appends }
    } catch (error) {
      if (appends.length === 1) appends[0]?.reject(error)
      if (appends.length <= 1) return { heads: new Map(), commits: new Map(), intact: [] }
    }
    const each = await Promise.all(appends.map((append) => this.#load([append])))
    return {
      heads: new Map(each.flatMap(({ heads }) => [...heads])),
      commits: new Map(each.flatMap(({ commits }) => [...commits])),
      intact: each.flatMap(({ intact }) => intact),
    }
  }

  async #writeRecords(plan: BatchPlan): Promise<void> {
    const batch = this.#parts.database.batch()
    for (const { key, value } of plan.records) batch.put(key, value)
    if (!this.#epochIsWritten) {
      const entry: EpochEntry = { epoch: this.epoch, position: this.#end.position }
      batch.put(EPOCH_KEY, encodeIndexValue(EPOCH_KEY, entry))
    }
    // An owner that lost the store while it was idle writes nothing. Right after an acknowledgement that check counts.
    if (!this.#ownerIsChecked) this.#checkOwner()
    await batch.write({ sync: true })
    this.#epochIsWritten = true
    this.#retry.succeeded()
  }

  #checkOwner(): void {
    this.#parts.checkOwner()
    if (this.#ownerIsChecked) return
    this.#ownerIsChecked = true
    setImmediate(() => {
      this.#ownerIsChecked = false
    })
  }

  #publish(end: LogEnd): void {
    this.#end = end
    this.#parts.headFile.note(end)
    this.#parts.watermark.advance(end.position)
  }

  /** Synced although it can be rebuilt: LevelDB may lose an unsynced write and keep a later, synced one. */
  async #flushIndex(): Promise<void> {
    const { position } = this.#end
    try {
      const batch = this.#parts.database.batch()
      this.#index.flush(batch, position)
      await batch.write({ sync: true })
      this.#index.flushed(position)
    } catch (cause) {
      this.#fail(cause)
    }
  }

  /** The facts that a group wrote before. Throws {@link CommitConflict} if it was not the same group. */
  async #repeated(group: AppendGroup, repetition: Repetition): Promise<Recorded[]> {
    const found: CommittedFact[] = []
    const [first, last] = positionsOf(repetition, group)
    for await (const { recorded, seal } of records(this.#parts.database, first, last))
      found.push({ recorded, isReduced: seal !== null })
    const conflict = commitConflict(group, repetition, found)
    if (conflict) throw conflict
    return found.map(({ recorded }) => recorded)
  }

  #fail(cause: unknown): StoreReadOnly | StoreLockLost {
    const { baseDir, logger } = this.#parts
    if (cause instanceof StoreLockLost) {
      if (this.#lost === null) this.#parts.lost(cause)
      this.#lost ??= cause
      return cause
    }
    // Its database was closed in the middle of a write.
    if (this.#lost) return this.#lost
    this.#failure = rootCause(cause)
    this.#retry.failed()
    logger.error({ store: baseDir, error: this.#failure.message }, 'Could not write the store')
    return this.#readOnly()
  }

  #readOnly(): StoreReadOnly {
    const problem = this.#failure?.message ?? 'the previous write failed'
    return new StoreReadOnly({ path: this.#parts.baseDir, problem }, { cause: this.#failure })
  }

  /** Reopens the log if a retry is due. Returns null on success, else the error for the pending appends. */
  async #recover(): Promise<StoreReadOnly | StoreLockLost | null> {
    const { baseDir, logger, reopen, watermark } = this.#parts
    if (!this.#retry.isDue) return this.#readOnly()
    let recovered: RecoveredLog
    try {
      recovered = await reopen()
    } catch (cause) {
      return this.#fail(cause)
    }
    // The failed write may be in the log after all: its callers know only that it was not acknowledged.
    this.#index = recovered.index
    this.#end = recovered.end
    watermark.advance(this.#end.position)
    this.#failure = null
    logger.info({ store: baseDir, position: this.#end.position }, 'The store is writable again')
    return null
  }
}

/** The heads and commits of the appends' streams and commit ids, before the plan. */
interface KnownLog {
  readonly heads: ReadonlyMap<string, HeadEntry>
  /** The plan adds its own. */
  readonly commits: Map<string, CommitPlace>
}

interface WriterIdentity {
  readonly storeId: string
  readonly epoch: number
  /** The time of the plan. */
  readonly at: string
}

interface PlannedRecord extends IndexedFact {
  readonly key: string
  readonly value: string
}

/** The result of a group once the plan is written. */
type Outcome =
  | { readonly kind: 'written'; readonly recorded: readonly Recorded[] }
  | { readonly kind: 'conflict'; readonly error: VersionConflict | Fenced }
  /** A commit id was already written. */
  | { readonly kind: 'repeated'; readonly repetition: Repetition }

/** The records of one write: groups are checked in order, each against the state that the previous ones leave. */
class BatchPlan {
  readonly records: PlannedRecord[] = []
  readonly #heads: ReadonlyMap<string, HeadEntry>
  readonly #commits: Map<string, CommitPlace>
  readonly #writer: WriterIdentity
  /** The versions that the plan has reached so far. */
  readonly #versions = new Map<string, number>()
  #position: number
  #hash: string

  constructor({ heads, commits }: KnownLog, end: LogEnd, writer: WriterIdentity) {
    this.#heads = heads
    this.#commits = commits
    this.#writer = writer
    this.#position = end.position
    this.#hash = end.hash
  }

  get end(): LogEnd {
    return { position: this.#position, hash: this.#hash }
  }

  add(group: AppendGroup): Outcome {
    const repetition = repetitionIn(group, this.#commits, this.#position)
    if (repetition) return { kind: 'repeated', repetition }
    const error = versionConflict(group, (stream) => this.#versionOf(stream))
    if (error) return { kind: 'conflict', error }
    const first = this.#position + 1
    const recorded: Recorded[] = []
    for (const request of group) this.#add(request, first, recorded)
    return { kind: 'written', recorded }
  }

  #versionOf(stream: string): number {
    return this.#versions.get(stream) ?? this.#heads.get(stream)?.version ?? 0
  }

  /**
   * @param first The position of the group's first fact.
   * @param added The facts as a reader would get them.
   */
  #add(request: AppendRequest, first: number, added: Recorded[]): void {
    const { stream, commitId, facts } = request
    const { storeId, epoch, at } = this.#writer
    if (commitId !== null && facts.length > 0)
      this.#commits.set(commitId, { first: this.#position + 1, count: facts.length })
    let version = this.#versionOf(stream)
    const last = version + facts.length
    for (const fact of facts) {
      const position = ++this.#position
      const recorded = recordedFact(fact, { storeId, position, stream, version: ++version, at, epoch }, first)
      const note = version === last ? noteOf(request) : null
      const text = storedText(recorded, fact.data) + (note === null ? '' : noteLine(request))
      const key = recordKey(position)
      const { value, hash } = encodeRecord(key, this.#hash, text)
      this.#hash = hash
      this.records.push({ key, value, recorded, note, length: text.length })
      added.push(recorded)
    }
    this.#versions.set(stream, version)
  }
}

function rejectAll(appends: readonly Append[], error: Error): void {
  for (const { reject } of appends) reject(error)
}

const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 30_000

/** When to retry after a failure: exponential backoff from 100 ms to 30 s. */
class RetrySchedule {
  readonly #clock: Clock
  #delay = FIRST_DELAY_MS
  #failedAt = 0
  #dueAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isDue(): boolean {
    const now = this.#clock.now()
    // A clock that was set back must not extend the delay.
    return now >= this.#dueAt || now < this.#failedAt
  }

  failed(): void {
    this.#failedAt = this.#clock.now()
    this.#dueAt = this.#failedAt + this.#delay
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY_MS)
  }

  succeeded(): void {
    this.#delay = FIRST_DELAY_MS
  }
}
