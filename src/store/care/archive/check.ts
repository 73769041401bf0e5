/** Whether an archive is what was written: each line against its schema, the chain of hashes, and at last the end. */
import { createHash } from 'node:crypto'
import type { Recorded } from '../../../events/envelope.ts'
import { InvalidArchive } from '../../../events/errors/archive.ts'
import { ClaudeAgentError } from '../../../events/errors/base.ts'
import { checkStreamName } from '../../../events/ids.ts'
import { blobReferences, checkBlob } from '../../blob-reference.ts'
import { parseStored, storedTextOf } from '../../fact-text.ts'
import { recordKey } from '../../level/keys.ts'
import {
  type CommitNote,
  encodeRecord,
  encodeReduced,
  genesisHash,
  joinText,
  splitText,
} from '../../level/record.ts'
import {
  type ArchiveEnd,
  type ArchiveHeader,
  type ArchiveLine,
  type BlobLine,
  type LostLine,
  parseLine,
  type RecordLine,
} from './lines.ts'

/** A fact of an archive, as it goes into a log. */
export interface ArchivedRecord {
  readonly recorded: Recorded
  readonly note: CommitNote | null
  readonly text: string
  readonly previousHash: string
  readonly hash: string
  /** Of a fact whose bodies were dropped. */
  readonly seal: string | null
}

export type ArchiveContent =
  | { readonly kind: 'blob'; readonly blob: BlobLine }
  | { readonly kind: 'lost'; readonly lost: LostLine }
  | { readonly kind: 'record'; readonly record: ArchivedRecord }

/** Refuses a fact by throwing why. */
export type CheckFact = (recorded: Recorded, header: ArchiveHeader) => void

export class ArchiveCheck {
  readonly #file: string
  readonly #header: ArchiveHeader
  readonly #check: CheckFact
  readonly #digest = createHash('sha256')
  readonly #blobs = new Set<string>()
  #line = 1
  #records = 0
  /** The record before. */
  #last: { readonly position: number; readonly version: number; readonly hash: string }

  constructor(file: string, header: ArchiveHeader, first: string, check: CheckFact) {
    this.#file = file
    this.#header = header
    this.#check = check
    this.#digest.update(`${first}\n`)
    const { stream, after, storeId } = header
    this.#last = { position: stream === null ? after : 0, version: after, hash: genesisHash(storeId) }
  }

  async *content(lines: AsyncIterable<string>): AsyncGenerator<ArchiveContent, void, undefined> {
    let ended = false
    for await (const text of lines) {
      this.#line++
      if (ended) throw this.#refusal('there is more data after its end')
      const line = parsedLine(this.#file, this.#line, text)
      if (line.kind === 'header') throw this.#refusal('a second archive begins here')
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
      } else yield { kind: 'record', record: this.#checkedRecord(line.record) }
    }
    if (!ended) throw this.#refusal('its end is missing: the file is incomplete')
  }

  #checkedBlob(line: BlobLine): BlobLine {
    const { blob: sha256, bytes, text } = line
    try {
      checkBlob({ sha256, bytes }, Buffer.from(text), this.#file)
    } catch (cause) {
      throw this.#refusal(`the body ${sha256} does not match its hash`, null, { cause })
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
    const problem = this.#outOfOrder(record.recorded, previousHash)
    if (problem) throw this.#refusal(problem, position)
    if (!this.#header.redacted) this.#checkHash(record)
    this.#records++
    this.#last = { position, version, hash }
    try {
      checkStreamName(stream)
      this.#check(record.recorded, this.#header)
    } catch (cause) {
      if (!(cause instanceof ClaudeAgentError)) throw cause
      throw this.#refusal(`${stream}: ${bare(cause.summary)}`, position, { cause }, cause.hint || undefined)
    }
    return record
  }

  /** What is wrong with the place of a record, if something is. */
  #outOfOrder({ position, stream, version }: Recorded, previousHash: string): string | null {
    const { stream: only, storeId } = this.#header
    const last = this.#last
    if (only !== null && stream !== only) return `it belongs to stream ${stream}, not to ${only}`
    if (only !== null && version !== last.version + 1) return `version ${last.version + 1} is missing`
    if (only === null && position !== last.position + 1) return `position ${last.position + 1} is missing`
    if (position <= last.position) return `it comes after position ${last.position}`
    // Where the one before is not in the archive, there is nothing to compare with.
    const isNext = this.#records > 0 && position === last.position + 1
    const expected = position === 1 ? genesisHash(storeId) : isNext ? last.hash : previousHash
    return previousHash === expected ? null : 'it does not follow the fact before it'
  }

  #checkHash({ recorded, previousHash, hash, seal, text }: ArchivedRecord): void {
    const { position, data } = recorded
    const key = recordKey(position)
    const whole =
      seal === null
        ? encodeRecord(key, previousHash, text).hash === hash
        : encodeReduced(key, previousHash, hash, text).seal === seal
    if (!whole) throw this.#refusal('its hash does not match', position)
    for (const { sha256 } of blobReferences(data)) {
      if (!this.#blobs.has(sha256)) throw this.#refusal(`the body ${sha256} is missing`, position)
    }
  }

  #checkEnd({ records, position, hash, sha256 }: ArchiveEnd): void {
    if (records !== this.#records) {
      throw this.#refusal(`it has ${this.#records} facts instead of ${records}`)
    }
    const same = records === 0 || (position === this.#last.position && hash === this.#last.hash)
    if (!same || sha256 !== this.#digest.digest('hex'))
      throw this.#refusal('its content does not match its checksum')
  }

  #refusal(
    problem: string,
    position: number | null = null,
    options?: { readonly cause: unknown },
    hint?: string,
  ): InvalidArchive {
    const place = { file: this.#file, line: this.#line, position }
    return new InvalidArchive({ ...place, problem, ...(hint === undefined ? {} : { hint }) }, options)
  }
}

/** What the hash covers, and the fact that this says: what else stands in the line counts for nothing. */
function contentOf(storeId: string, line: RecordLine): Pick<ArchivedRecord, 'recorded' | 'note' | 'text'> {
  if (line.text === undefined) {
    const note = line.note ?? null
    return { recorded: line, note, text: joinText(storedTextOf(storeId, line), note) }
  }
  const { fact, note } = splitText(line.text)
  return { recorded: parseStored(storeId, line.position, fact), note, text: line.text }
}

export function parsedLine(file: string, line: number, text: string): ArchiveLine {
  try {
    return parseLine(text)
  } catch (cause) {
    const problem = `it is not a line of an archive (${bare((cause as Error).message.replaceAll('\n', ' '))})`
    throw new InvalidArchive({ file, line, position: null, problem }, { cause })
  }
}

/** A sentence without its full stop, as a part of another. */
const bare = (sentence: string) => sentence.replace(/\.$/, '')
