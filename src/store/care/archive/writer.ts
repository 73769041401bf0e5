/** Writing a log as an archive: as a stream of text, or atomically to a file. */
import { createHash } from 'node:crypto'
import { constants, type FileHandle, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { ArchiveNotWritten, BodyLost } from '../../../events/errors/archive.ts'
import { ClaudeAgentError } from '../../../events/errors/base.ts'
import { systemProblem } from '../../../events/errors/phrases.ts'
import { checkStreamName } from '../../../events/ids.ts'
import { keptSnapshots, packedSnapshots, wholeSnapshots } from '../../../workspaces/files/snapshots.ts'
import { blobReferences } from '../../blob-reference.ts'
import type { BlobReference } from '../../blobs.ts'
import { FILE_MODE, isMissing, syncDirectory } from '../../directory.ts'
import { storedTextOf } from '../../fact-text.ts'
import type { ChainedStore } from '../../level/chained-store.ts'
import { type DecodedRecord, genesisHash, joinText } from '../../level/entries.ts'
import { removeLeftOvers, unfinishedPath } from '../../unfinished.ts'
import {
  ARCHIVE,
  ARCHIVE_VERSION,
  type ArchiveEnd,
  type ArchiveHeader,
  type BlobLine,
  type LostLine,
  type PackLine,
  type RecordLine,
  type SnapshotsLine,
  WITHOUT_SNAPSHOTS,
} from './lines.ts'
import { redactedData, redactedNote } from './redaction.ts'

/** Which part of a log to export, and how. */
export interface ExportOptions {
  /** Only this stream. */
  readonly stream?: string
  /** Only facts after this position or, with `stream`, after this version. */
  readonly after?: number
  /** Only facts up to this position. Default: the end of the log at the start of the export. */
  readonly to?: number
  /** Replaces prompts, answers and all other texts by their lengths. */
  readonly redacted?: boolean
  /** The base directory whose snapshots of files belong to the log. Default: where the store is. */
  readonly baseDir?: string
}

/** What an export or a backup wrote. */
export interface ArchiveSummary {
  readonly storeId: string
  readonly records: number
  /** The position of the last fact; 0 if there is none. */
  readonly position: number
  readonly blobs: number
  /** The number of bodies that were lost before the store was repaired. The archive records them as lost. */
  readonly lostBlobs: number
  /** The number of agents, also removed ones, whose files it contains, turn by turn. Absent if there are none. */
  readonly agentsWithFiles?: number
  /** Of whose files something is missing in the base directory: these are not in it. Absent if there are none. */
  readonly agentsWithoutFiles?: readonly string[]
}

/** The summary while the archive is being written. */
type Tally = { -readonly [Field in keyof ArchiveSummary]: ArchiveSummary[Field] }

const noneYet = ({ storeId }: ChainedStore): Tally => ({
  storeId,
  records: 0,
  position: 0,
  blobs: 0,
  lostBlobs: 0,
})

/**
 * The text of an archive, in pieces of many lines. It contains a prefix of the log, so appends need not wait: later facts
 * are not included. `tally` is updated as pieces are written.
 */
export async function* archiveText(
  store: ChainedStore,
  options: ExportOptions,
  tally: Tally = noneYet(store),
): AsyncGenerator<string, void, undefined> {
  const digest = createHash('sha256')
  let piece = ''
  let hash = genesisHash(store.storeId)
  const lost = (agents: readonly string[]) => {
    tally.agentsWithoutFiles = agents
  }
  for await (const line of archiveLines(store, options, lost)) {
    const text = `${JSON.stringify(line)}\n`
    digest.update(text)
    piece += text
    if ('blob' in line) tally.blobs++
    if ('lost' in line) tally.lostBlobs++
    if ('snapshots' in line)
      tally.agentsWithFiles = line.snapshots.refs.filter(([ref]) => ref.startsWith(OF_AGENTS)).length
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
const OF_AGENTS = 'refs/agents/'

async function* archiveLines(
  store: ChainedStore,
  { stream, after = 0, to, redacted = false, baseDir = store.baseDir }: ExportOptions,
  lost: (agents: readonly string[]) => void,
): AsyncGenerator<
  ArchiveHeader | BlobLine | LostLine | RecordLine | SnapshotsLine | PackLine,
  void,
  undefined
> {
  if (stream !== undefined) checkStreamName(stream)
  const { storeId, forReading } = store
  const last = Math.min(to ?? Number.POSITIVE_INFINITY, await store.head())
  const isWhole = stream === undefined && after === 0 && !redacted
  // A snapshot is there before the fact that names it, so all that these facts name are in what is read after them.
  const files = isWhole && baseDir !== undefined && (await keptSnapshots(baseDir)) ? baseDir : null
  const version = files === null ? WITHOUT_SNAPSHOTS : ARCHIVE_VERSION
  yield { archive: ARCHIVE, version, storeId, stream: stream ?? null, after, redacted, forReading }
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
  const kept = files && (await keptSnapshots(files))
  if (!files || !kept) return
  const { whole, broken } = await wholeSnapshots(files, kept)
  const agents = broken.filter((ref) => ref.startsWith(OF_AGENTS)).map((ref) => ref.slice(OF_AGENTS.length))
  if (agents.length > 0) lost(agents)
  if (whole.refs.length === 0) return
  yield { snapshots: whole }
  for await (const piece of packedSnapshots(files, whole)) yield { pack: piece.toString('base64') }
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
  // The text that a later version wrote may differ from ours: it is then passed on unchanged.
  const isDerivable = joinText(storedTextOf(storeId, recorded), note) === text
  return {
    ...recorded,
    ...(note === null ? {} : { note }),
    previousHash,
    hash,
    ...(seal === null ? {} : { seal }),
    ...(isDerivable ? {} : { text }),
  }
}

function redactedLine({ recorded, note, previousHash, hash }: DecodedRecord): RecordLine {
  const bare = redactedNote(note)
  const data = redactedData(recorded.data)
  return { ...recorded, data, ...(bare === null ? {} : { note: bare }), previousHash, hash }
}

/**
 * Writes an archive to a file. The file gets its name once it is complete and on disk, replacing any of the same name;
 * a link is followed and stays. A pipe or a device is written through.
 */
export async function writeArchive(
  store: ChainedStore,
  file: string,
  { compressed = false, ...options }: ExportOptions & { readonly compressed?: boolean },
): Promise<ArchiveSummary> {
  const tally = noneYet(store)
  const write = async (handle: FileHandle) => {
    const text = archiveText(store, options, tally)
    const append = async (chunks: AsyncIterable<string | Uint8Array>) => {
      for await (const chunk of chunks) await handle.appendFile(chunk)
    }
    await (compressed ? pipeline(text, createGzip(), append) : append(text))
  }
  try {
    const path = await followedPath(resolve(file))
    await ((await isReplaceable(path)) ? replaceFile(path, write) : writeThrough(path, write))
  } catch (error) {
    throw writingError(file, error)
  }
  return tally
}

type Write = (handle: FileHandle) => Promise<void>

async function replaceFile(path: string, write: Write): Promise<void> {
  await removeLeftOvers(path)
  const unfinished = unfinishedPath(path)
  try {
    const handle = await open(unfinished, 'wx', FILE_MODE)
    try {
      await write(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {})
    throw error
  }
  await syncDirectory(dirname(path))
}

async function writeThrough(path: string, write: Write): Promise<void> {
  const handle = await open(path, constants.O_WRONLY)
  try {
    await write(handle)
  } finally {
    await handle.close()
  }
}

/** Where a path leads to, whether or not that exists. */
async function followedPath(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const target = await readlink(path).catch(() => null)
  return target === null ? path : followedPath(resolve(dirname(path), target))
}

/** Whether a file may be put at this path; not in place of a pipe or a device. */
async function isReplaceable(path: string): Promise<boolean> {
  try {
    const found = await stat(path)
    return found.isFile() || found.isDirectory()
  } catch (error) {
    if (isMissing(error)) return true
    throw error
  }
}

/** Turns a system error into ArchiveNotWritten; any other error is returned unchanged. */
export function writingError(file: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException
  if (cause instanceof ClaudeAgentError || code === undefined) return cause
  const problem = code === 'ENOENT' ? 'its directory does not exist' : systemProblem(cause)
  return new ArchiveNotWritten({ file, problem }, { cause })
}
