/** Making a store out of an archive: the same store again, or one for reading where the archive is less than a whole log. */
import { randomUUID } from 'node:crypto'
import { InvalidArchive } from '../../events/errors/archive.ts'
import { storedTextOf } from '../fact-text.ts'
import { recordKey } from '../level/keys.ts'
import { encodeRecord, encodeReduced, joinText } from '../level/record.ts'
import type { ArchivedRecord, CheckFact } from './archive/check.ts'
import type { ArchiveHeader } from './archive/lines.ts'
import { type OpenArchive, readArchive } from './archive/reader.ts'
import type { ArchiveSource } from './archive/source.ts'
import { buildStore, type FinishedRecord, type StoreBuilder } from './store-builder.ts'

/** What was made of an archive. */
export interface RestoredStore {
  readonly storeId: string
  /** How many facts there are, and so the last position. */
  readonly records: number
  /** Nothing can be appended to it: the archive was redacted, or a part of a log. */
  readonly forReading: boolean
}

/**
 * Makes the store of a backup again: the same id, the same chain, to the byte (decision 6). The directory must be empty.
 * Throws {@link InvalidArchive}, DirectoryNotEmpty.
 */
export async function restoreStore(source: ArchiveSource, directory: string): Promise<RestoredStore> {
  const archive = await readArchive(source)
  if (!isWhole(archive.header)) {
    const problem = 'it is a partial or redacted export, not a backup'
    const hint = 'claude-agents log import makes a store for reading from it.'
    throw new InvalidArchive({ file: source.name, line: 1, position: null, problem, hint })
  }
  return sameStore(archive, directory)
}

/**
 * Makes a store of an export. Of a whole one: the same store again. Of one stream, or where the words are redacted: a
 * store for reading, with an id of its own, whose facts keep theirs.
 *
 * @param check Refuses a fact by throwing why: the catalogs of the kinds that are known.
 */
export async function importStore(
  source: ArchiveSource,
  directory: string,
  check: CheckFact,
): Promise<RestoredStore> {
  const archive = await readArchive(source, check)
  const { header } = archive
  if (header.after > 0) {
    const problem = `it begins after ${header.stream === null ? 'position' : 'version'} ${header.after}`
    const hint = 'The earlier facts are needed to fold a state: export without --after.'
    throw new InvalidArchive({ file: source.name, line: 1, position: null, problem, hint })
  }
  return isWhole(header) ? sameStore(archive, directory) : storeForReading(archive, directory)
}

const isWhole = ({ stream, after, redacted }: ArchiveHeader) => stream === null && after === 0 && !redacted

async function sameStore({ header, content }: OpenArchive, directory: string): Promise<RestoredStore> {
  const { storeId, forReading } = header
  const end = await buildStore(directory, { storeId, forReading }, (builder) =>
    fill(builder, content, (record) => record),
  )
  return { storeId, records: end.position, forReading }
}

async function storeForReading({ content }: OpenArchive, directory: string): Promise<RestoredStore> {
  const storeId = randomUUID()
  const end = await buildStore(directory, { storeId, forReading: true }, (builder) =>
    fill(builder, content, (record) => rewritten(storeId, record, builder)),
  )
  return { storeId, records: end.position, forReading: true }
}

async function fill(
  builder: StoreBuilder,
  content: OpenArchive['content'],
  toRecord: (record: ArchivedRecord) => ArchivedRecord,
): Promise<void> {
  for await (const item of content) {
    if (item.kind === 'blob') await builder.blobs.put(item.blob.text)
    else if (item.kind === 'lost') builder.loseBody({ sha256: item.lost.lost, bytes: item.lost.bytes })
    else await builder.add(finished(toRecord(item.record)))
  }
}

function finished({ recorded, note, previousHash, hash, seal, text }: ArchivedRecord): FinishedRecord {
  const key = recordKey(recorded.position)
  const { value } =
    seal === null ? encodeRecord(key, previousHash, text) : encodeReduced(key, previousHash, hash, text)
  return { recorded, note, value, hash }
}

/** The next fact of another log: it keeps its id, and nothing in it is work to be gone on with. */
function rewritten(
  storeId: string,
  { recorded, note }: ArchivedRecord,
  { end }: StoreBuilder,
): ArchivedRecord {
  const moved = { ...recorded, position: end.position + 1 }
  const closed = note?.summary ? { ...note, summary: { ...note.summary, open: false } } : note
  const text = joinText(storedTextOf(storeId, moved), closed)
  const { hash } = encodeRecord(recordKey(moved.position), end.hash, text)
  return { recorded: moved, note: closed, text, previousHash: end.hash, hash, seal: null }
}
