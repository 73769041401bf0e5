/** The log in memory, for tests and experiments. It keeps the contract of the durable one until it is closed. */
import { randomUUID } from 'node:crypto'
import { type Clock, instant, systemClock } from '../clock.ts'
import type { Recorded } from '../events/envelope.ts'
import { CorruptBlob } from '../events/errors/store.ts'
import { ClosedError } from '../events/errors/usage.ts'
import { checkStreamName } from '../events/ids.ts'
import {
  type AppendGroup,
  appendGroup,
  Claims,
  type CommitPlace,
  commitConflict,
  DEFAULT_MAX_RECORD_BYTES,
  perAppend,
  positionsOf,
  repetitionIn,
  versionConflict,
} from './append-request.ts'
import { blobReference, checkBlob, checkReference } from './blob-reference.ts'
import type { Blobs } from './blobs.ts'
import type { EventStore, StreamAppend, StreamSummary } from './event-store.ts'
import { type FactStamp, recordedFact } from './fact-text.ts'
import { Following, Watermark } from './follow.ts'
import { type ReadRange, readRange } from './read-range.ts'
import { memorySnapshots } from './snapshots.ts'
import { isThere, kindOfStream } from './stream-count.ts'

export interface MemoryStoreOptions {
  readonly clock?: Clock
  /** The largest accepted record, in bytes. Default 1 MiB. */
  readonly maxRecordBytes?: number
  /** The id of the store, the first part of the ids of its facts. Default: a UUID. */
  readonly storeId?: string
}

interface MemoryStream {
  readonly positions: number[]
  summary: StreamSummary | null
}

/**
 * @example
 * const store = memoryStore()
 * await store.append('agent/a', [{ type: 'Greeted', v: 1, data: { text: 'hello' } }])
 */
export function memoryStore(options: MemoryStoreOptions = {}): EventStore {
  const { clock = systemClock, maxRecordBytes = DEFAULT_MAX_RECORD_BYTES, storeId = randomUUID() } = options
  const watermark = new Watermark()
  /** Each call makes a fresh copy of the fact, so that no reader can change what others get. */
  const log: (() => Recorded)[] = []
  const streams = new Map<string, MemoryStream>()
  const commits = new Map<string, CommitPlace>()
  const claims = new Claims(1)
  const recordedAt = (first: number, last: number) => log.slice(first - 1, last).map((record) => record())

  const write = (group: AppendGroup): readonly Recorded[] => {
    const first = log.length + 1
    const at = instant(clock.now())
    const written: Recorded[] = []
    for (const { stream, facts, commitId, summary } of group) {
      if (facts.length === 0) continue
      const { positions, summary: before } = streams.get(stream) ?? { positions: [], summary: null }
      if (commitId !== null) commits.set(commitId, { first: log.length + 1, count: facts.length })
      for (const fact of facts) {
        const [position, version] = [log.length + 1, positions.length + 1]
        const stamp: FactStamp = { storeId, position, stream, version, at, epoch: 1 }
        log.push(() => recordedFact({ ...fact, copy: JSON.parse(fact.data) }, stamp, first))
        written.push(recordedFact(fact, stamp, first))
        positions.push(position)
      }
      streams.set(stream, { positions, summary: summary ?? before })
    }
    watermark.advance(log.length)
    return written
  }

  const appendAll = async (appends: readonly StreamAppend[]) => {
    checkOpen()
    const group = appendGroup(appends, maxRecordBytes)
    const fenced = claims.refusal(group)
    if (fenced) throw fenced
    const repetition = repetitionIn(group, commits, log.length)
    if (repetition) {
      const recorded = recordedAt(...positionsOf(repetition, group))
      const committed = recorded.map((fact) => ({ recorded: fact, isReduced: false }))
      const reused = commitConflict(group, repetition, committed)
      if (reused) throw reused
      return perAppend(group, recorded)
    }
    const conflict = versionConflict(group, (stream) => streams.get(stream)?.positions.length ?? 0)
    if (conflict) throw conflict
    return perAppend(group, write(group))
  }

  const checkOpen = () => {
    if (watermark.ended) throw new ClosedError({ what: 'store' })
  }

  const store: EventStore = {
    storeId,
    epoch: 1,
    blobs: memoryBlobs(),
    snapshots: memorySnapshots(),
    async append(stream, facts, options = {}) {
      return (await appendAll([{ ...options, stream, facts }])).flat()
    },
    appendAll,
    async claim(stream) {
      checkOpen()
      return claims.claim(checkStreamName(stream))
    },
    async *read(stream, options = {}) {
      checkOpen()
      const positions = streams.get(checkStreamName(stream))?.positions ?? []
      for (const version of numbers(readRange(options, positions.length))) {
        const record = log[(positions[version - 1] ?? 0) - 1]
        if (record) yield record()
      }
    },
    async *readAll(options = {}) {
      checkOpen()
      const { from, to } = readRange(options, log.length)
      for (const record of log.slice(from - 1, Math.max(from - 1, to))) yield record()
    },
    follow: (options) => following.facts(options),
    async head(stream) {
      checkOpen()
      return stream === undefined ? log.length : (streams.get(checkStreamName(stream))?.positions.length ?? 0)
    },
    async *streams({ prefix = '', open = false } = {}) {
      checkOpen()
      for (const stream of [...streams.keys()].filter((name) => name.startsWith(prefix)).sort()) {
        const { positions, summary } = streams.get(stream) ?? { positions: [], summary: null }
        if (!open || summary?.open) yield { stream, version: positions.length, summary }
      }
    },
    async count(kind) {
      checkOpen()
      let count = 0
      for (const [stream, { summary }] of streams)
        if (kindOfStream(stream) === kind && isThere(summary)) count += 1
      return count
    },
    async [Symbol.asyncDispose]() {
      watermark.end()
    },
  }
  const following = new Following(store, watermark)
  return store
}

function* numbers({ from, to, backwards }: ReadRange): Generator<number> {
  if (backwards) for (let number = to; number >= from; number--) yield number
  else for (let number = from; number <= to; number++) yield number
}

function memoryBlobs(): Blobs {
  const bodies = new Map<string, Buffer>()
  return {
    async put(text) {
      const { reference, content } = blobReference(text)
      bodies.set(reference.sha256, content)
      return reference
    },
    async get(reference) {
      const { sha256 } = checkReference(reference)
      const content = bodies.get(sha256)
      if (!content) throw new CorruptBlob({ sha256, file: 'memory', problem: 'it was never stored' })
      return checkBlob(reference, content, 'memory')
    },
  }
}
