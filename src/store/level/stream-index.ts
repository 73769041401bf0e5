/**
 * The positions of each stream's facts. An append writes only its records; index entries derive from them, stay in
 * memory, and are flushed to disk in bulk. After a crash they are rebuilt from the records after the last checkpoint. So
 * the index costs an append nothing and never disagrees with the log.
 */
import type { Recorded } from '../../events/envelope.ts'
import { CorruptRecord, SequenceGap } from '../../events/errors/store.ts'
import type { AppendRequest } from '../append-request.ts'
import type { StreamSummary } from '../event-store.ts'
import { isThere, kindOfStream } from '../stream-count.ts'
import type { Batch, LogDatabase } from './database.ts'
import {
  COUNTS_KEY,
  type CommitEntry,
  type CommitNote,
  type CountsEntry,
  checkpointKey,
  commitKey,
  decodeIndexValue,
  encodeIndexValue,
  type HeadEntry,
  headKey,
  KEY_PREFIX,
  nameIn,
  numberIn,
  openKey,
  type PointersEntry,
  pointersKey,
  startingWith,
} from './entries.ts'

/** How many heads of flushed streams are cached. */
const CACHED_HEADS = 4096
/** The most facts, and characters of them, to replay after a crash. */
const FLUSH_AFTER_FACTS = 2048
const FLUSH_AFTER_LENGTH = 8 * 1024 * 1024

const EMPTY_HEAD: HeadEntry = { version: 0, position: 0, summary: null }

/** A stream with facts that the index on disk lacks. */
interface Unflushed {
  version: number
  summary: StreamSummary | null
  /** The positions of the unflushed facts, the last one that of `version`. */
  readonly positions: number[]
  /** Whether the index on disk lists it as open, and counts it. */
  readonly listedOpen: boolean
  readonly wasThere: boolean
}

/** What the index needs of a record. */
export interface IndexedFact {
  readonly recorded: Pick<Recorded, 'stream' | 'version' | 'position'>
  readonly note: CommitNote | null
  readonly length: number
}

export class StreamIndex {
  readonly #database: LogDatabase
  readonly #unflushed = new Map<string, Unflushed>()
  readonly #commits = new Map<string, CommitEntry>()
  /** In order of last use: the first one is evicted next. */
  readonly #cached = new Map<string, HeadEntry>()
  /** How many streams of each kind the index on disk has; null until they are counted once in one that does not tell. */
  #counts: Map<string, number> | null
  #counting: Promise<void> | null = null
  #isFlushing = false
  #checkpoint: number
  #facts = 0
  #length = 0

  /**
   * @param checkpoint The last position in the index on disk.
   * @param counted What the index on disk counts; null if that is not as of its checkpoint.
   */
  constructor(database: LogDatabase, checkpoint: number, counted: CountsEntry | null) {
    this.#database = database
    this.#checkpoint = checkpoint
    const isNew = checkpoint === 0
    const isCurrent = counted?.checkpoint === checkpoint
    this.#counts = isNew ? new Map() : isCurrent ? new Map(Object.entries(counted.counts)) : null
  }

  get needsFlush(): boolean {
    if (this.#counting) return false
    return this.#facts >= FLUSH_AFTER_FACTS || this.#length >= FLUSH_AFTER_LENGTH
  }

  /** How many streams of a kind are there. */
  async count(kind: string): Promise<number> {
    if (!this.#counts) {
      this.#counting ??= this.#countAll().finally(() => {
        this.#counting = null
      })
      await this.#counting
    }
    let count = this.#counts?.get(kind) ?? 0
    for (const [stream, unflushed] of this.#unflushed)
      if (kindOfStream(stream) === kind) count += gained(unflushed)
    return count
  }

  /** A stream's head if it is in memory. */
  cachedHead(stream: string): HeadEntry | undefined {
    const unflushed = this.#unflushed.get(stream)
    if (unflushed) return headOf(unflushed)
    const cached = this.#cached.get(stream)
    if (cached) this.#cache(stream, cached)
    return cached
  }

  async head(stream: string): Promise<HeadEntry> {
    return this.cachedHead(stream) ?? (await this.#loadHead(stream))
  }

  /**
   * What the commit ids of these requests wrote. One call to LevelDB for all that are not in memory and not known to be new:
   * LevelDB takes many keys that are not there for a reason to compact.
   */
  async commits(
    requests: Iterable<Pick<AppendRequest, 'commitId' | 'isNew'>>,
  ): Promise<Map<string, CommitEntry>> {
    const found = new Map<string, CommitEntry>()
    const missing: string[] = []
    for (const { commitId, isNew } of requests) {
      if (commitId === null) continue
      const recent = this.#commits.get(commitId)
      if (recent) found.set(commitId, recent)
      else if (!isNew) missing.push(commitId)
    }
    if (missing.length === 0) return found
    const keys = missing.map(commitKey)
    for (const [index, value] of (await this.#database.getMany(keys)).entries()) {
      const [commitId, key] = [missing[index], keys[index]]
      if (commitId === undefined || key === undefined || value === undefined) continue
      found.set(commitId, decodeIndexValue<CommitEntry>(key, value, this.#database.path))
    }
    return found
  }

  /** The heads of the streams that these name, from memory if possible. */
  async heads(facts: Iterable<{ readonly stream: string }>): Promise<Map<string, HeadEntry>> {
    const heads = new Map<string, HeadEntry>()
    const missing = new Set<string>()
    for (const { stream } of facts) {
      const head = this.cachedHead(stream)
      if (head) heads.set(stream, head)
      else missing.add(stream)
    }
    if (missing.size > 0)
      await Promise.all([...missing].map(async (stream) => heads.set(stream, await this.#loadHead(stream))))
    return heads
  }

  /** Adds a fact that is now in the log. `head` is the head of its stream, needed if it has no unflushed facts. */
  apply({ recorded, note, length }: IndexedFact, head: HeadEntry | undefined): void {
    const { stream, version, position } = recorded
    const unflushed = this.#unflushed.get(stream) ?? this.#beginUnflushed(stream, head ?? EMPTY_HEAD)
    if (version !== unflushed.version + 1) {
      throw new SequenceGap({
        stream,
        expected: unflushed.version + 1,
        found: version,
        file: this.#database.path,
      })
    }
    unflushed.version = version
    unflushed.positions.push(position)
    this.#facts++
    this.#length += length
    if (note === null) return
    if (note.summary) unflushed.summary = note.summary
    if (note.commitId !== undefined) {
      const count = note.count ?? 1
      this.#commits.set(note.commitId, { first: position - count + 1, count })
    }
  }

  /** The positions of the versions `from` to `to`, in order. All of them must exist. */
  async positions(stream: string, from: number, to: number): Promise<number[]> {
    const unflushed = this.#unflushed.get(stream)
    const firstInMemory = unflushed ? unflushed.version - unflushed.positions.length + 1 : to + 1
    // Read before the await: a flush in between would move them to disk.
    const recent =
      unflushed?.positions.slice(Math.max(0, from - firstInMemory), Math.max(0, to - firstInMemory + 1)) ?? []
    if (from >= firstInMemory) return recent
    return [...(await this.#stored(stream, from, Math.min(to, firstInMemory - 1))), ...recent]
  }

  /** The names of the streams with unflushed facts that start with a prefix, sorted. */
  unflushedStreams(prefix: string): string[] {
    return [...this.#unflushed.keys()].filter((stream) => stream.startsWith(prefix)).sort()
  }

  /** Puts the index up to `position` into a batch. Call `flushed` once it is written. */
  flush(batch: Batch, position: number): void {
    const put = (key: string, content: unknown) => batch.put(key, encodeIndexValue(key, content))
    this.#isFlushing = true
    const counts = this.#counts && new Map(this.#counts)
    for (const [stream, unflushed] of this.#unflushed) {
      put(pointersKey(stream, unflushed.version), unflushed.positions)
      put(headKey(stream), headOf(unflushed))
      const open = unflushed.summary?.open ?? false
      if (open && !unflushed.listedOpen) put(openKey(stream), true)
      if (!open && unflushed.listedOpen) batch.del(openKey(stream))
      if (counts) add(counts, stream, gained(unflushed))
    }
    for (const [commitId, entry] of this.#commits) put(commitKey(commitId), entry)
    put(checkpointKey(position), { previous: this.#checkpoint })
    if (counts) put(COUNTS_KEY, { checkpoint: position, counts: Object.fromEntries(counts) })
  }

  flushed(position: number): void {
    for (const [stream, unflushed] of this.#unflushed) {
      this.#cache(stream, headOf(unflushed))
      if (this.#counts) add(this.#counts, stream, gained(unflushed))
    }
    this.#unflushed.clear()
    this.#commits.clear()
    this.#checkpoint = position
    this.#isFlushing = false
    this.#facts = 0
    this.#length = 0
  }

  get checkpoint(): number {
    return this.#checkpoint
  }

  #beginUnflushed(stream: string, head: HeadEntry): Unflushed {
    this.#cached.delete(stream)
    const unflushed: Unflushed = {
      version: head.version,
      summary: head.summary,
      positions: [],
      listedOpen: head.summary?.open ?? false,
      wasThere: isThere(head.summary),
    }
    this.#unflushed.set(stream, unflushed)
    return unflushed
  }

  /** Counts what is on disk, which no flush changes meanwhile. */
  async #countAll(): Promise<void> {
    const counts = new Map<string, number>()
    for (let isChanged = true, round = 0; isChanged && round < 3; round++) {
      const checkpoint = this.#checkpoint
      counts.clear()
      const range = startingWith(KEY_PREFIX.head)
      for (let page = await this.#database.page(range); page.length > 0; ) {
        for (const [key, value] of page) {
          const { summary } = decodeIndexValue<HeadEntry>(key, value, this.#database.path)
          add(counts, nameIn(key), Number(isThere(summary)))
        }
        page = await this.#database.page({ ...range, gte: `${page.at(-1)?.[0]}\x00` })
      }
      // One that had begun before may have ended in between.
      isChanged = checkpoint !== this.#checkpoint || this.#isFlushing
    }
    this.#counts = counts
  }

  /** The head on disk, checked against the pointers: neither can be lost or outdated without the other. */
  async #loadHead(stream: string): Promise<HeadEntry> {
    const key = headKey(stream)
    const file = this.#database.path
    const [value, [lastPointers]] = await Promise.all([
      this.#database.get(key),
      this.#database.keys({ ...startingWith(`${KEY_PREFIX.pointers}${stream}!`), reverse: true, limit: 1 }),
    ])
    const inMemory = this.cachedHead(stream)
    if (inMemory) return inMemory
    const lastVersion = lastPointers === undefined ? 0 : numberIn(lastPointers)
    const head = value === undefined ? EMPTY_HEAD : decodeIndexValue<HeadEntry>(key, value, file)
    if (head.version !== lastVersion) {
      const problem = `the head is at version ${head.version}, but the index of the stream ends at version ${lastVersion}`
      throw new CorruptRecord({ position: null, key, file, problem })
    }
    if (head.version > 0) this.#cache(stream, head)
    return head
  }

  async #stored(stream: string, from: number, to: number): Promise<number[]> {
    const file = this.#database.path
    const found: number[] = []
    let next = from
    while (next <= to) {
      const entries = await this.#database.page({
        gte: pointersKey(stream, next),
        lt: `${KEY_PREFIX.pointers}${stream}!~`,
        limit: 64,
      })
      if (entries.length === 0) throw new SequenceGap({ stream, expected: next, found: to, file })
      for (const [key, value] of entries) {
        const positions = decodeIndexValue<PointersEntry>(key, value, file)
        const last = numberIn(key)
        const first = last - positions.length + 1
        if (first > next) throw new SequenceGap({ stream, expected: next, found: first, file })
        found.push(...positions.slice(next - first, to - first + 1))
        next = last + 1
        if (next > to) break
      }
    }
    return found
  }

  #cache(stream: string, head: HeadEntry): void {
    this.#cached.delete(stream)
    this.#cached.set(stream, head)
    if (this.#cached.size <= CACHED_HEADS) return
    const [oldest] = this.#cached.keys()
    if (oldest !== undefined) this.#cached.delete(oldest)
  }
}

function add(counts: Map<string, number>, stream: string, difference: number): void {
  if (difference === 0) return
  const kind = kindOfStream(stream)
  counts.set(kind, (counts.get(kind) ?? 0) + difference)
}

/** How many more streams of its kind are there than the index on disk counts. */
const gained = ({ summary, wasThere }: Unflushed): number => Number(isThere(summary)) - Number(wasThere)

const headOf = ({ version, summary, positions }: Unflushed): HeadEntry => ({
  version,
  summary,
  position: positions.at(-1) ?? 0,
})
