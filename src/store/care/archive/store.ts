/** The log of an archive as a read-only store in memory, for viewing it without importing it. */
import type { Recorded } from '../../../events/envelope.ts'
import { StoreForReading } from '../../../events/errors/archive.ts'
import { CorruptBlob } from '../../../events/errors/store.ts'
import { checkStreamName } from '../../../events/ids.ts'
import { blobReference, checkBlob, checkReference } from '../../blob-reference.ts'
import type { EventStore, StreamSummary } from '../../event-store.ts'
import { Following, Watermark } from '../../follow.ts'
import type { ChainedStore, ChainRange } from '../../level/chained-store.ts'
import type { PagedFact } from '../../level/reader.ts'
import { readRange } from '../../read-range.ts'
import { memorySnapshots } from '../../snapshots.ts'
import { type CheckFact, readArchive } from './reader.ts'
import type { ArchiveSource } from './source.ts'

interface ArchivedStream {
  readonly facts: Recorded[]
  summary: StreamSummary | null
}

/** Reads a whole archive. The facts of a partial one get positions from 1 on, and keep their ids. */
export async function archiveStore(source: ArchiveSource, check: CheckFact): Promise<EventStore> {
  const { header, content } = await readArchive(source, check)
  const log: PagedFact[] = []
  const bodies = new Map<string, Buffer>()
  const streams = new Map<string, ArchivedStream>()
  for await (const item of content) {
    if (item.kind === 'blob') {
      const { reference, content: body } = blobReference(item.blob.text)
      bodies.set(reference.sha256, body)
      continue
    }
    if (item.kind !== 'record') continue
    const { note, seal } = item.record
    const recorded = { ...item.record.recorded, position: log.length + 1 }
    const stream = streams.get(recorded.stream) ?? { facts: [], summary: null }
    streams.set(recorded.stream, stream)
    stream.facts.push(recorded)
    stream.summary = note?.summary ?? stream.summary
    log.push({ recorded, note, seal })
  }
  const watermark = new Watermark()
  watermark.advance(log.length)
  const refuse = async () => {
    throw new StoreForReading({ path: source.name })
  }
  const pages = async function* (range: ChainRange = {}) {
    yield within(log, range)
  }
  const store: EventStore & Pick<ChainedStore, 'forReading'> & { pages: typeof pages } = {
    storeId: header.storeId,
    epoch: log.at(-1)?.recorded.epoch ?? 1,
    forReading: true,
    snapshots: memorySnapshots(),
    blobs: {
      put: refuse,
      async get(reference) {
        const { sha256 } = checkReference(reference)
        const body = bodies.get(sha256)
        if (!body) throw new CorruptBlob({ sha256, file: source.name, problem: 'it is not in the archive' })
        return checkBlob(reference, body, source.name)
      },
    },
    append: refuse,
    appendAll: refuse,
    pages,
    async *read(name, options = {}) {
      const facts = streams.get(checkStreamName(name))?.facts ?? []
      const { from, to, backwards } = readRange(options, facts.length)
      const found = facts.slice(from - 1, Math.max(from - 1, to))
      yield* backwards ? found.reverse() : found
    },
    async *readAll(options = {}) {
      for (const { recorded } of within(log, options)) yield recorded
    },
    follow: (options) => following.facts(options),
    head: async (name) =>
      name === undefined ? log.length : (streams.get(checkStreamName(name))?.facts.length ?? 0),
    async *streams({ prefix = '', open = false } = {}) {
      for (const stream of [...streams.keys()].filter((name) => name.startsWith(prefix)).sort()) {
        const { facts, summary } = streams.get(stream) ?? { facts: [], summary: null }
        if (!open || summary?.open) yield { stream, version: facts.length, summary }
      }
    },
    async [Symbol.asyncDispose]() {
      watermark.end()
    },
  }
  const following = new Following(store, watermark)
  return store
}

function within<Item>(items: readonly Item[], options: ChainRange): readonly Item[] {
  const { from, to } = readRange(options, items.length)
  return items.slice(from - 1, Math.max(from - 1, to))
}
