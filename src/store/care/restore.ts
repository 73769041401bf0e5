/** Creating a store from an archive: an identical one or, from a partial or redacted archive, a read-only one. */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidArchive } from '../../events/errors/archive.ts'
import { type KeptSnapshots, unpackSnapshots } from '../../workspaces/files/snapshots.ts'
import { FILE_MODE } from '../directory.ts'
import { storedTextOf } from '../fact-text.ts'
import { encodeRecord, encodeReduced, joinText, recordKey } from '../level/entries.ts'
import type { ArchiveHeader } from './archive/lines.ts'
import { type ArchivedRecord, type CheckFact, type OpenArchive, readArchive } from './archive/reader.ts'
import type { ArchiveSource } from './archive/source.ts'
import { type BuildStore, buildStore, type EncodedRecord, type LogBuilder } from './store-builder.ts'

/** A store created from an archive. */
export interface RestoredStore {
  readonly storeId: string
  /** The number of facts, which is also the last position. */
  readonly records: number
  /** Read-only, because the archive was partial or redacted. */
  readonly forReading: boolean
}

/**
 * Restores the store of a backup: the same id and the same hash chain, byte for byte (decision 6), and the files of agents
 * turn by turn: each gets its newest ones with its next task.
 *
 * @param target An empty directory, or what builds a store elsewhere.
 * @throws InvalidArchive, DirectoryNotEmpty, ArchiveNotWritten
 */
export async function restoreStore(
  source: ArchiveSource,
  target: string | BuildStore,
): Promise<RestoredStore> {
  const archive = await readArchive(source)
  if (!isComplete(archive.header)) {
    const problem = 'it is a partial or redacted export, not a backup'
    const hint = 'claude-agents log import creates a read-only store from it.'
    throw new InvalidArchive({ file: source.name, line: 1, position: null, problem, hint })
  }
  return identicalStore(archive, builderFor(target))
}

const builderFor = (target: string | BuildStore): BuildStore =>
  typeof target === 'string' ? (store, fill) => buildStore(target, store, fill) : target

/**
 * Creates a store from an export. A complete export gives an identical store. An export of one stream, or a redacted one,
 * gives a read-only store with an id of its own, whose facts keep their ids.
 *
 * @throws InvalidArchive, DirectoryNotEmpty, ArchiveNotWritten
 */
export async function importStore(
  source: ArchiveSource,
  target: string | BuildStore,
  check: CheckFact,
): Promise<RestoredStore> {
  const archive = await readArchive(source, check)
  const { header } = archive
  if (header.after > 0) {
    const problem = `it starts after ${header.stream === null ? 'position' : 'version'} ${header.after}`
    const hint = 'The earlier facts are needed to fold a state: export without --after.'
    throw new InvalidArchive({ file: source.name, line: 1, position: null, problem, hint })
  }
  const build = builderFor(target)
  return isComplete(header) ? identicalStore(archive, build) : readOnlyStore(archive, build)
}

const isComplete = ({ stream, after, redacted }: ArchiveHeader) => stream === null && after === 0 && !redacted

async function identicalStore({ header, content }: OpenArchive, build: BuildStore): Promise<RestoredStore> {
  const { storeId, forReading } = header
  const end = await build({ storeId, forReading }, (builder) => fill(builder, content, (record) => record))
  return { storeId, records: end.position, forReading }
}

async function readOnlyStore({ content }: OpenArchive, build: BuildStore): Promise<RestoredStore> {
  const storeId = randomUUID()
  const end = await build({ storeId, forReading: true }, (builder) =>
    fill(builder, content, (record) => rewritten(storeId, record, builder)),
  )
  return { storeId, records: end.position, forReading: true }
}

async function fill(
  builder: LogBuilder,
  content: OpenArchive['content'],
  toRecord: (record: ArchivedRecord) => ArchivedRecord,
): Promise<void> {
  const snapshots = builder.directory === undefined ? null : new IncomingSnapshots(builder.directory)
  for await (const item of content) {
    if (item.kind === 'snapshots') snapshots?.keep(item.snapshots)
    else if (item.kind === 'pack') await snapshots?.add(item.bytes)
    else if (item.kind === 'blob') await builder.blobs.put(item.blob.text)
    else if (item.kind === 'lost') builder.loseBody({ sha256: item.lost.lost, bytes: item.lost.bytes })
    else await builder.add(encoded(toRecord(item.record)))
  }
  await snapshots?.unpack()
}

/** Of any size: the pack waits in a file until all of it is there. */
class IncomingSnapshots {
  #kept: KeptSnapshots | undefined
  readonly #directory: string
  readonly #file: string
  /** The first piece replaces what an attempt that broke off has left. */
  #flag = 'w'

  constructor(directory: string) {
    this.#directory = directory
    this.#file = join(directory, 'incoming.pack')
  }

  keep(snapshots: KeptSnapshots): void {
    this.#kept = snapshots
  }

  async add(bytes: Buffer): Promise<void> {
    await writeFile(this.#file, bytes, { mode: FILE_MODE, flag: this.#flag })
    this.#flag = 'a'
  }

  async unpack(): Promise<void> {
    if (this.#kept) await unpackSnapshots(this.#directory, this.#kept, createReadStream(this.#file))
    await rm(this.#file, { force: true })
  }
}

function encoded({ recorded, note, previousHash, hash, seal, text }: ArchivedRecord): EncodedRecord {
  const key = recordKey(recorded.position)
  const { value } =
    seal === null ? encodeRecord(key, previousHash, text) : encodeReduced(key, previousHash, hash, text)
  return { recorded, note, value, hash }
}

/** The next fact of the read-only store: it keeps its id, and its summary is closed, because no work can resume. */
function rewritten(storeId: string, { recorded, note }: ArchivedRecord, { end }: LogBuilder): ArchivedRecord {
  const moved = { ...recorded, position: end.position + 1 }
  const closed = note?.summary ? { ...note, summary: { ...note.summary, open: false } } : note
  const text = joinText(storedTextOf(storeId, moved), closed)
  const { hash } = encodeRecord(recordKey(moved.position), end.hash, text)
  return { recorded: moved, note: closed, text, previousHash: end.hash, hash, seal: null }
}
