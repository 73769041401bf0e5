/** A read-only view of a store that cannot be opened: all records that are intact in its files, and errors for the others. */
import { realpath } from 'node:fs/promises'
import type { Recorded } from '../events/envelope.ts'
import { CorruptRecord, StoreDamaged } from '../events/errors/store.ts'
import { checkStreamName } from '../events/ids.ts'
import { entriesInFiles } from '../store/care/repair/salvaged-entries.ts'
import type { EventStore, ReadOptions } from '../store/event-store.ts'
import { fileBlobs } from '../store/file-blobs.ts'
import { Following, Watermark } from '../store/follow.ts'
import { checkFormat, type StorePaths, storePaths } from '../store/level/directory.ts'
import { decodeRecord, numberIn, recordKey } from '../store/level/entries.ts'
import { readHeadFile } from '../store/level/head-file.ts'
import { type ReadRange, readRange } from '../store/read-range.ts'
import { memorySnapshots } from '../store/snapshots.ts'

const RECORDS = recordKey(0).slice(0, 2)

/**
 * Reads the files as they are, without LevelDB and without writing. Reading a record of which no file has an intact copy
 * throws CorruptRecord. Keeps the whole log in memory.
 *
 * @throws UnsupportedFormat
 */
export async function damagedStore(directory: string): Promise<EventStore> {
  const paths = storePaths(await realpath(directory))
  const { storeId, head } = await readIdentity(paths)
  const records = await readRecords(paths, storeId)
  const watermark = new Watermark()
  watermark.advance(Math.max(head, ...lastOf(records)))
  const streams = versions(records.values())

  const numbers = ({ from, to, backwards }: ReadRange): number[] => {
    const all = Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index)
    return backwards ? all.reverse() : all
  }
  const refuse = async () => {
    throw new StoreDamaged({ path: paths.base, file: paths.log, problem: 'it is damaged and read-only' })
  }
  const store: EventStore = {
    storeId,
    epoch: 0,
    blobs: fileBlobs(paths.blobs),
    snapshots: memorySnapshots(),
    append: refuse,
    appendAll: refuse,
    async *readAll(options = {}) {
      for (const position of numbers(readRange(options, watermark.position))) {
        const recorded = records.get(position)
        if (!recorded) throw lost(paths, position)
        yield recorded
      }
    },
    async *read(stream, options: ReadOptions = {}) {
      const own = streams.get(checkStreamName(stream)) ?? []
      for (const version of numbers(readRange(options, own.length - 1))) {
        const recorded = own[version]
        if (!recorded) throw lost(paths, null, `version ${version} of ${stream}`)
        yield recorded
      }
    },
    follow: (options) => following.facts(options),
    async head(stream) {
      return stream === undefined ? watermark.position : Math.max(0, (streams.get(stream)?.length ?? 0) - 1)
    },
    async *streams({ prefix = '' } = {}) {
      for (const [stream, own] of streams) {
        if (stream.startsWith(prefix)) yield { stream, version: own.length - 1, summary: null }
      }
    },
    async [Symbol.asyncDispose]() {
      watermark.end()
    },
  }
  const following = new Following(store, watermark)
  return store
}

/** The store's id and head, from whichever of its two files is intact. */
async function readIdentity(paths: StorePaths): Promise<{ storeId: string; head: number }> {
  const orNull = (error: unknown) => {
    if (error instanceof StoreDamaged) return null
    throw error
  }
  const format = await checkFormat(paths).catch(orNull)
  const head = await readHeadFile(paths.head, paths.base).catch(orNull)
  return { storeId: format?.storeId ?? head?.storeId ?? '', head: head?.position ?? 0 }
}

/** The newest intact copy of each record, by position. */
async function readRecords(paths: StorePaths, storeId: string): Promise<ReadonlyMap<number, Recorded>> {
  const found = new Map<number, { readonly sequence: number; readonly recorded: Recorded }>()
  for await (const { key, value, sequence } of entriesInFiles(paths.log)) {
    if (!key.startsWith(RECORDS) || value === null) continue
    const position = numberIn(key)
    if (sequence < (found.get(position)?.sequence ?? 0)) continue
    try {
      const { recorded } = decodeRecord({ storeId, path: paths.log }, position, value.toString('utf8'))
      found.set(position, { sequence, recorded })
    } catch (error) {
      // Another file may hold an intact copy.
      if (!(error instanceof CorruptRecord)) throw error
    }
  }
  return new Map([...found].sort(([a], [b]) => a - b).map(([position, { recorded }]) => [position, recorded]))
}

const lastOf = (records: ReadonlyMap<number, Recorded>): readonly number[] => [...records.keys()].slice(-1)

/** Each stream's facts, by version. */
function versions(records: Iterable<Recorded>): ReadonlyMap<string, readonly (Recorded | undefined)[]> {
  const streams = new Map<string, (Recorded | undefined)[]>()
  for (const recorded of records) {
    const own = streams.get(recorded.stream) ?? []
    own[recorded.version] = recorded
    streams.set(recorded.stream, own)
  }
  return new Map([...streams].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function lost({ log }: StorePaths, position: number | null, what = recordKey(position ?? 0)): CorruptRecord {
  return new CorruptRecord({ position, key: what, file: log, problem: 'no file holds an intact copy' })
}
