/**
 * The archive: a log as lines of JSON, for backups (compressed) and exports (as they are). A header; then the facts in
 * order, each with its place in the chain of hashes and after the blobs that it needs, or the word that they are lost; then an end, which vouches for
 * every line before it, so that no archive can lose a part of itself unnoticed.
 */
import * as Schema from 'effect/Schema'
import type { Recorded } from '../../../events/envelope.ts'
import type { CommitNote } from '../../level/record.ts'

export const ARCHIVE = 'claude-multi-agent log'
/** The version that is written, and the newest that is read. */
export const ARCHIVE_VERSION = 1

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const NullableString = Schema.NullOr(Schema.String)
/** It becomes part of files and hashes. */
const StoreId = Schema.String.check(Schema.isPattern(/^[0-9A-Za-z-]{8,64}$/))
const Fields = Schema.Record(Schema.String, Schema.Unknown)

const Header = Schema.Struct({
  archive: Schema.Literal(ARCHIVE),
  version: Schema.Literal(ARCHIVE_VERSION),
  storeId: StoreId,
  /** The only stream that is in it; null: all of them. */
  stream: NullableString,
  /** What comes up to this position is not in it; of one stream, up to this version. */
  after: Count,
  /** Whether texts have given way to their lengths. The hashes of the chain are those of the facts as they were. */
  redacted: Schema.Boolean,
  /** Whether the store that it was made of could be read only. */
  forReading: Schema.Boolean,
})
export type ArchiveHeader = typeof Header.Type

const BlobLine = Schema.Struct({ blob: Schema.String, bytes: Count, text: Schema.String })
export type BlobLine = typeof BlobLine.Type

/** A body that was lost before a repair: there is no text of it anywhere. */
const LostLine = Schema.Struct({
  lost: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
  bytes: Count,
})
export type LostLine = typeof LostLine.Type

const Note = Schema.Struct({
  commitId: Schema.optionalKey(Schema.String),
  count: Schema.optionalKey(Count),
  summary: Schema.optionalKey(
    Schema.Struct({ status: Schema.String, open: Schema.Boolean, info: Schema.optionalKey(Fields) }),
  ),
})

const RecordLine = Schema.Struct({
  position: Count,
  stream: Schema.String,
  version: Count,
  id: Schema.String,
  type: Schema.String,
  v: Count,
  at: Schema.String,
  epoch: Count,
  correlationId: NullableString,
  causationId: NullableString,
  data: Fields,
  note: Schema.optionalKey(Note),
  previousHash: Schema.String,
  hash: Schema.String,
  /** Of a fact whose bodies were dropped. */
  seal: Schema.optionalKey(Schema.String),
  /** What the hash covers, where it does not follow from the rest. */
  text: Schema.optionalKey(Schema.String),
})

export interface RecordLine extends Recorded {
  readonly note?: CommitNote
  readonly previousHash: string
  readonly hash: string
  readonly seal?: string
  readonly text?: string
}

const End = Schema.Struct({
  end: Schema.Literal(true),
  records: Count,
  /** Of the last fact; 0 when there is none. */
  position: Count,
  hash: Schema.String,
  /** Of all lines before this one, in hex. */
  sha256: Schema.String,
})
export type ArchiveEnd = typeof End.Type

export type ArchiveLine =
  | { readonly kind: 'header'; readonly header: ArchiveHeader }
  | { readonly kind: 'blob'; readonly blob: BlobLine }
  | { readonly kind: 'lost'; readonly lost: LostLine }
  | { readonly kind: 'record'; readonly record: RecordLine }
  | { readonly kind: 'end'; readonly end: ArchiveEnd }

const check = {
  header: Schema.decodeUnknownSync(Header),
  blob: Schema.decodeUnknownSync(BlobLine),
  lost: Schema.decodeUnknownSync(LostLine),
  record: Schema.decodeUnknownSync(RecordLine),
  end: Schema.decodeUnknownSync(End),
}

/** Which kind of line it is: each has a field that no other has. */
const MARKS = [
  ['archive', 'header'],
  ['position', 'record'],
  ['blob', 'blob'],
  ['lost', 'lost'],
] as const

/** Reads one line, or throws what is wrong with it. What is returned is what was parsed: the data keeps its order. */
export function parseLine(text: string): ArchiveLine {
  const value = JSON.parse(text) as object
  const own = (name: string) => value !== null && typeof value === 'object' && Object.hasOwn(value, name)
  const kind = own('end') ? 'end' : (MARKS.find(([mark]) => own(mark))?.[1] ?? 'header')
  check[kind](value)
  return { kind, [kind]: value } as unknown as ArchiveLine
}

/** The version of an archive whose header cannot be read: a newer one may have another. */
export function archiveVersion(text: string): number | null {
  try {
    const { archive, version } = JSON.parse(text) as { archive?: unknown; version?: unknown }
    return archive === ARCHIVE && typeof version === 'number' ? version : null
  } catch {
    return null
  }
}
