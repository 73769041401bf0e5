/** Reading an archive: its header first, then its content, each line checked before it is passed on. */
import { createHash } from 'node:crypto'
import type { Recorded } from '../../../events/envelope.ts'
import { InvalidArchive } from '../../../events/errors/archive.ts'
import { ClaudeAgentError } from '../../../events/errors/base.ts'
import { WRITTEN_BY_NEWER } from '../../../events/errors/phrases.ts'
import { checkStreamName } from '../../../events/ids.ts'
import { defined } from '../../../events/json.ts'
import type { KeptSnapshots } from '../../../workspaces/files/snapshots.ts'
import { blobReferences, checkBlob } from '../../blob-reference.ts'
import { parseStored, storedTextOf } from '../../fact-text.ts'
import {
  type CommitNote,
  encodeRecord,
  encodeReduced,
  genesisHash,
  joinText,
  recordKey,
  splitText,
} from '../../level/entries.ts'
import {
  ARCHIVE_VERSION,
  type ArchiveEnd,
  type ArchiveHeader,
  type ArchiveLine,
  archiveVersion,
  type BlobLine,
  type LostLine,
  parseLine,
  type RecordLine,
} from './lines.ts'
import { type ArchiveSource, sourceLines } from './source.ts'

/** An opened archive: the header has been read, the content is checked as it is read. */
export interface OpenArchive {
  readonly header: ArchiveHeader
  /**
   * Can be read once. Only its end shows that nothing is missing, so read all of it.
   *
   * @throws InvalidArchive
   */
  readonly content: AsyncIterable<ArchiveContent>
}

export type ArchiveContent =
  | { readonly kind: 'blob'; readonly blob: BlobLine }
  | { readonly kind: 'lost'; readonly lost: LostLine }
  | { readonly kind: 'record'; readonly record: ArchivedRecord }
  | { readonly kind: 'snapshots'; readonly snapshots: KeptSnapshots }
  | { readonly kind: 'pack'; readonly bytes: Buffer }

/** A fact of an archive, with everything that its record in a log needs. */
export interface ArchivedRecord {
  readonly recorded: Recorded
  readonly note: CommitNote | null
  readonly text: string
  readonly previousHash: string
  readonly hash: string
  /** Of a fact whose bodies were dropped; else null. */
  readonly seal: string | null
}

/** Rejects a fact by throwing the reason. */
export type CheckFact = (recorded: Recorded, header: ArchiveHeader) => void

/** Opens an archive. `check` sees each fact. */
export async function readArchive(source: ArchiveSource, check: CheckFact = () => {}): Promise<OpenArchive> {
  const lines = sourceLines(source)
  const first = await lines.next()
  const { name } = source
  if (first.done) throw new InvalidArchive({ file: name, line: null, position: null, problem: 'it is empty' })
  const header = readHeader(name, first.value)
  return { header, content: new ContentReader(name, header, first.value, check).read(lines) }
}

function readHeader(file: string, text: string): ArchiveHeader {
  const place = { file, line: 1, position: null }
  const version = archiveVersion(text)
  if (version !== null && version > ARCHIVE_VERSION) {
    const problem = `it is an archive of version ${version}, but this program knows only version ${ARCHIVE_VERSION}`
    throw new InvalidArchive({ ...place, problem, hint: WRITTEN_BY_NEWER })
  }
  const line = version === null ? null : parsedLine(file, 1, text)
  if (line?.kind === 'header') return line.header
  throw new InvalidArchive({ ...place, problem: 'it is neither a backup nor an export of a log' })
}

/** Checks each line against its schema, the hash chain and the bodies before it; at the end, the checksum of all lines. */
class ContentReader {
  readonly #file: string
  readonly #header: ArchiveHeader
  readonly #check: CheckFact
  readonly #digest = createHash('sha256')
  readonly #blobs = new Set<string>()
  #line = 1
  #records = 0
  /** The previous record. */
  #last: { readonly position: number; readonly version: number; readonly hash: string }

  constructor(file: string, header: ArchiveHeader, first: string, check: CheckFact) {
    this.#file = file
    this.#header = header
    this.#check = check
    this.#digest.update(`${first}\n`)
    const { stream, after, storeId } = header
    this.#last = { position: stream === null ? after : 0, version: after, hash: genesisHash(storeId) }
  }

  async *read(lines: AsyncIterable<string>): AsyncGenerator<ArchiveContent, void, undefined> {
    let ended = false
    for await (const text of lines) {
      this.#line++
      if (ended) throw this.#invalid('there is more data after its end')
      const line = parsedLine(this.#file, this.#line, text)
      if (line.kind === 'header') throw this.#invalid('a second archive starts here')
      if (line.kind === 'end') {
        this.#checkEnd(line.end)
        ended = true
        continue
      }
      this.#digest.update(`${text}\n`)
      if (line.kind === 'blob') yield { kind: 'blob', blob: this.#checkedBlob(line.blob) }
      else if (line.kind === 'lost') {
        this.#blobs.add(line.lost.lost)
        yield line
      } else if (line.kind === 'snapshots') yield { kind: 'snapshots', ...line.snapshots }
      else if (line.kind === 'pack') yield { kind: 'pack', bytes: Buffer.from(line.pack.pack, 'base64') }
      else yield { kind: 'record', record: this.#checkedRecord(line.record) }
    }
    if (!ended) throw this.#invalid('its end is missing: the file is incomplete')
  }

  #checkedBlob(line: BlobLine): BlobLine {
    const { blob: sha256, bytes, text } = line
    try {
      checkBlob({ sha256, bytes }, Buffer.from(text), this.#file)
    } catch (cause) {
      throw this.#invalid(`the body ${sha256} does not match its hash`, null, { cause })
    }
    this.#blobs.add(sha256)
    return line
  }

  #checkedRecord(line: RecordLine): ArchivedRecord {
    const { previousHash, hash } = line
    const record = {
      ...contentOf(this.#header.storeId, line),
      previousHash,
      hash,
      seal: line.seal ?? null,
    }
    const { position, stream, version } = record.recorded
    const problem = this.#orderProblem(record.recorded, previousHash)
    if (problem) throw this.#invalid(problem, position)
    if (!this.#header.redacted) this.#checkHash(record)
    this.#records++
    this.#last = { position, version, hash }
    try {
      checkStreamName(stream)
      this.#check(record.recorded, this.#header)
    } catch (cause) {
      if (!(cause instanceof ClaudeAgentError)) throw cause
      throw this.#invalid(`${stream}: ${bare(cause.summary)}`, position, { cause }, cause.hint || undefined)
    }
    return record
  }

  /** What is wrong with the order of a record; null if nothing is. */
  #orderProblem({ position, stream, version }: Recorded, previousHash: string): string | null {
    const { stream: only, storeId } = this.#header
    const last = this.#last
    if (only !== null && stream !== only) return `it belongs to stream ${stream}, not to ${only}`
    if (only !== null && version !== last.version + 1) return `version ${last.version + 1} is missing`
    if (only === null && position !== last.position + 1) return `position ${last.position + 1} is missing`
    if (position <= last.position) return `it comes after position ${last.position}`
    // If the previous record is not in the archive, there is nothing to compare with.
    const isNext = this.#records > 0 && position === last.position + 1
    const expected = position === 1 ? genesisHash(storeId) : isNext ? last.hash : previousHash
    return previousHash === expected ? null : 'it does not follow the previous fact'
  }

  #checkHash({ recorded, previousHash, hash, seal, text }: ArchivedRecord): void {
    const { position, data } = recorded
    const key = recordKey(position)
    const matches =
      seal === null
        ? encodeRecord(key, previousHash, text).hash === hash
        : encodeReduced(key, previousHash, hash, text).seal === seal
    if (!matches) throw this.#invalid('its hash does not match', position)
    for (const { sha256 } of blobReferences(data)) {
      if (!this.#blobs.has(sha256)) throw this.#invalid(`the body ${sha256} is missing`, position)
    }
  }

  #checkEnd({ records, position, hash, sha256 }: ArchiveEnd): void {
    if (records !== this.#records) {
      throw this.#invalid(`it has ${this.#records} facts instead of ${records}`)
    }
    const sameEnd = records === 0 || (position === this.#last.position && hash === this.#last.hash)
    if (!sameEnd || sha256 !== this.#digest.digest('hex'))
      throw this.#invalid('its content does not match its checksum')
  }

  #invalid(
    problem: string,
    position: number | null = null,
    options?: { readonly cause: unknown },
    hint?: string,
  ): InvalidArchive {
    const details = { file: this.#file, line: this.#line, position, problem, hint }
    return new InvalidArchive(defined(details), options)
  }
}

/** The fact and its note, from the text that the hash covers. If the line has that text, its other fields do not count. */
function contentOf(storeId: string, line: RecordLine): Pick<ArchivedRecord, 'recorded' | 'note' | 'text'> {
  if (line.text === undefined) {
    const note = line.note ?? null
    return { recorded: line, note, text: joinText(storedTextOf(storeId, line), note) }
  }
  const { fact, note } = splitText(line.text)
  return { recorded: parseStored(storeId, line.position, fact), note, text: line.text }
}

function parsedLine(file: string, line: number, text: string): ArchiveLine {
  try {
    return parseLine(text)
  } catch (cause) {
    const problem = `it is not a line of an archive (${bare((cause as Error).message.replaceAll('\n', ' '))})`
    throw new InvalidArchive({ file, line, position: null, problem }, { cause })
  }
}

/** A sentence without its full stop, for use inside another. */
const bare = (sentence: string) => sentence.replace(/\.$/, '')
