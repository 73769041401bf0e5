/** Writing a log down as an archive: to a stream of text, or to a file that is there whole or not at all. */
import { createHash, randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { ArchiveNotWritten, BodyLost } from '../../../events/errors/archive.ts'
import { ClaudeAgentError } from '../../../events/errors/base.ts'
import { checkStreamName } from '../../../events/ids.ts'
import { blobReferences } from '../../blob-references.ts'
import type { BlobReference } from '../../blobs.ts'
import { FILE_MODE, syncDirectory } from '../../directory.ts'
import { storedTextOf } from '../../fact-text.ts'
import type { ChainedStore } from '../../level/chained-store.ts'
import { type DecodedRecord, genesisHash, joinText } from '../../level/record.ts'
import {
  ARCHIVE,
  ARCHIVE_VERSION,
  type ArchiveEnd,
  type ArchiveHeader,
  type BlobLine,
  type LostLine,
  type RecordLine,
} from './lines.ts'
import { redactedData, redactedNote } from './redaction.ts'

/** Which part of a log to export, and how. */
export interface ExportOptions {
  /** Only this stream. */
  readonly stream?: string
  /** Only what came after this position; with `stream`, after this version. */
  readonly after?: number
  /** Only what came up to this position. Default: what the log holds when it begins. */
  readonly to?: number
  /** Puts lengths in the place of prompts, answers and all other texts. */
  readonly redacted?: boolean
}

/** What an archive came to. */
export interface ArchiveSummary {
  readonly storeId: string
  readonly records: number
  /** Of the last fact in it; 0 when there is none. */
  readonly position: number
  readonly blobs: number
  /** Bodies that a repair of the store has not found any more: that they are lost is in the archive. */
  readonly lostBlobs: number
}

/** The same, while it is being written. */
type Tally = { -readonly [Field in keyof ArchiveSummary]: ArchiveSummary[Field] }

const noneYet = ({ storeId }: ChainedStore): Tally => ({
  storeId,
  records: 0,
  position: 0,
  blobs: 0,
  lostBlobs: 0,
})

/**
 * The lines of an archive, in pieces of many. Facts that are appended meanwhile are not in it: what it holds is the
 * beginning of the log, so nobody has to wait. `tally` is kept while it goes on.
 */
export async function* archiveText(
  store: ChainedStore,
  options: ExportOptions,
  tally: Tally = noneYet(store),
): AsyncGenerator<string, void, undefined> {
  const digest = createHash('sha256')
  let piece = ''
  let hash = genesisHash(store.storeId)
  for await (const line of archiveLines(store, options)) {
    const text = `${JSON.stringify(line)}\n`
    digest.update(text)
    piece += text
    if ('blob' in line) tally.blobs++
    if ('lost' in line) tally.lostBlobs++
    if ('position' in line) {
      tally.records++
      tally.position = line.position
      hash = line.hash
    }
    if (piece.length < PIECE_LENGTH) continue
    yield piece
    piece = ''
  }
  const { records, position } = tally
  const end: ArchiveEnd = { end: true, records, position, hash, sha256: digest.digest('hex') }
  yield `${piece}${JSON.stringify(end)}\n`
}

const PIECE_LENGTH = 64 * 1024

async function* archiveLines(
  store: ChainedStore,
  { stream, after = 0, to, redacted = false }: ExportOptions,
): AsyncGenerator<ArchiveHeader | BlobLine | LostLine | RecordLine, void, undefined> {
  if (stream !== undefined) checkStreamName(stream)
  const { storeId, forReading } = store
  const version = ARCHIVE_VERSION
  yield { archive: ARCHIVE, version, storeId, stream: stream ?? null, after, redacted, forReading }
  const last = Math.min(to ?? Number.POSITIVE_INFINITY, await store.head())
  const written = new Set<string>()
  for await (const record of store.chain({ after: stream === undefined ? after : 0, to: last })) {
    const { recorded } = record
    if (stream !== undefined && (recorded.stream !== stream || recorded.version <= after)) continue
    if (redacted) {
      yield redactedLine(record)
      continue
    }
    for (const reference of blobReferences(recorded.data)) {
      if (written.has(reference.sha256)) continue
      written.add(reference.sha256)
      yield await bodyLine(store, reference)
    }
    yield recordLine(storeId, record)
  }
}

async function bodyLine({ blobs }: ChainedStore, reference: BlobReference): Promise<BlobLine | LostLine> {
  const { sha256, bytes } = reference
  try {
    return { blob: sha256, bytes, text: await blobs.get(reference) }
  } catch (error) {
    if (error instanceof BodyLost) return { lost: sha256, bytes }
    throw error
  }
}

function recordLine(storeId: string, record: DecodedRecord): RecordLine {
  const { recorded, note, previousHash, hash, seal, text } = record
  return {
    ...recorded,
    ...(note === null ? {} : { note }),
    previousHash,
    hash,
    ...(seal === null ? {} : { seal }),
    // What a later version wrote in another way is passed on as it is.
    ...(joinText(storedTextOf(storeId, recorded), note) === text ? {} : { text }),
  }
}

function redactedLine({ recorded, note, previousHash, hash }: DecodedRecord): RecordLine {
  const bare = redactedNote(note)
  const data = redactedData(recorded.data)
  return { ...recorded, data, ...(bare === null ? {} : { note: bare }), previousHash, hash }
}

/** Writes an archive to a file, which has its name only when it is whole and on disk. One that was there is replaced. */
export async function writeArchive(
  store: ChainedStore,
  file: string,
  { compressed = false, ...options }: ExportOptions & { readonly compressed?: boolean },
): Promise<ArchiveSummary> {
  const path = resolve(file)
  const unfinished = `${path}.${randomUUID()}.unfinished`
  const tally = noneYet(store)
  try {
    const handle = await open(unfinished, 'wx', FILE_MODE)
    try {
      const text = archiveText(store, options, tally)
      const write = async (chunks: AsyncIterable<string | Uint8Array>) => {
        for await (const chunk of chunks) await handle.appendFile(chunk)
      }
      await (compressed ? pipeline(text, createGzip(), write) : write(text))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {})
    throw writingError(file, error)
  }
  await syncDirectory(dirname(path))
  return tally
}

/** What the system says of the file; what the store says of itself is passed on. */
export function writingError(file: string, cause: unknown): unknown {
  const { code, message } = cause as NodeJS.ErrnoException
  if (cause instanceof ClaudeAgentError || code === undefined) return cause
  return new ArchiveNotWritten({ file, problem: message }, { cause })
}
