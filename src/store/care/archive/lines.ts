/**
 * The archive format: a log as lines of JSON, for backups (compressed) and exports (plain). A header; the facts in order
 * with their hashes, each after the blobs that it refers to, or lines saying that these are lost; then the snapshots of
 * files, if there are any; and an end with a checksum over all lines before it, so that a truncated or altered archive is
 * detected.
 */
import * as Schema from 'effect/Schema'
import type { Recorded } from '../../../events/envelope.ts'
import { COMMIT, REF } from '../../../workspaces/files/snapshots.ts'
import type { CommitNote } from '../../level/entries.ts'

export const ARCHIVE = 'claude-multi-agent log'
/** The newest version that is read. */
export const ARCHIVE_VERSION = 2
/** The version of an archive without snapshots, which older programs read. */
export const WITHOUT_SNAPSHOTS = 1

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const NullableString = Schema.NullOr(Schema.String)
/** Restricted, because it becomes part of files and hashes. */
const StoreId = Schema.String.check(Schema.isPattern(/^[0-9A-Za-z-]{8,64}$/))
const Fields = Schema.Record(Schema.String, Schema.Unknown)

const Header = Schema.Struct({
  archive: Schema.Literal(ARCHIVE),
  version: Schema.Literals([WITHOUT_SNAPSHOTS, ARCHIVE_VERSION]),
  storeId: StoreId,
  /** The only stream in the archive; null for all streams. */
  stream: NullableString,
  /** Facts up to this position, or of one stream up to this version, are not in the archive. */
  after: Count,
  /** Whether texts were replaced by their lengths. The hashes are still those of the original facts. */
  redacted: Schema.Boolean,
  /** Whether the archived store was read-only. */
  forReading: Schema.Boolean,
})
export type ArchiveHeader = typeof Header.Type

const BlobLine = Schema.Struct({ blob: Schema.String, bytes: Count, text: Schema.String })
export type BlobLine = typeof BlobLine.Type

/** A body that was lost before the store was repaired: its text no longer exists. */
const LostLine = Schema.Struct({
  lost: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
  bytes: Count,
})
export type LostLine = typeof LostLine.Type

const Commit = Schema.String.check(Schema.isPattern(COMMIT))
/** Which snapshots of the files of agents there are. A pack of git with all that they consist of follows. */
const SnapshotsLine = Schema.Struct({
  snapshots: Schema.Struct({
    refs: Schema.Array(Schema.Tuple([Schema.String.check(Schema.isPattern(REF)), Commit])),
    shallow: Schema.Array(Commit),
  }),
})
export type SnapshotsLine = typeof SnapshotsLine.Type

/** A piece of the pack, in base64. */
const PackLine = Schema.Struct({ pack: Schema.String })
export type PackLine = typeof PackLine.Type

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
  /** Present if the fact's bodies were dropped. */
  seal: Schema.optionalKey(Schema.String),
  /** The text that the hash covers, if it cannot be derived from the other fields. */
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
  /** The position of the last fact; 0 if there is none. */
  position: Count,
  hash: Schema.String,
  /** The hash of all lines before this one, in hex. */
  sha256: Schema.String,
})
export type ArchiveEnd = typeof End.Type

export type ArchiveLine =
  | { readonly kind: 'header'; readonly header: ArchiveHeader }
  | { readonly kind: 'blob'; readonly blob: BlobLine }
  | { readonly kind: 'lost'; readonly lost: LostLine }
  | { readonly kind: 'record'; readonly record: RecordLine }
  | { readonly kind: 'snapshots'; readonly snapshots: SnapshotsLine }
  | { readonly kind: 'pack'; readonly pack: PackLine }
  | { readonly kind: 'end'; readonly end: ArchiveEnd }

const check = {
  header: Schema.decodeUnknownSync(Header),
  blob: Schema.decodeUnknownSync(BlobLine),
  lost: Schema.decodeUnknownSync(LostLine),
  record: Schema.decodeUnknownSync(RecordLine),
  snapshots: Schema.decodeUnknownSync(SnapshotsLine),
  pack: Schema.decodeUnknownSync(PackLine),
  end: Schema.decodeUnknownSync(End),
}

/** The field that identifies each kind of line. */
const MARKS = [
  ['archive', 'header'],
  ['position', 'record'],
  ['blob', 'blob'],
  ['lost', 'lost'],
  ['snapshots', 'snapshots'],
  ['pack', 'pack'],
] as const

/** Parses and validates a line, or throws. Returns the parsed value, not the decoded one, so that keys keep their order. */
export function parseLine(text: string): ArchiveLine {
  const value = JSON.parse(text) as object
  const own = (name: string) => value !== null && typeof value === 'object' && Object.hasOwn(value, name)
  const kind = own('end') ? 'end' : (MARKS.find(([mark]) => own(mark))?.[1] ?? 'header')
  check[kind](value)
  return { kind, [kind]: value } as unknown as ArchiveLine
}

/** The version of an archive, read without the schema of the header, which a newer version may have changed. */
export function archiveVersion(text: string): number | null {
  try {
    const { archive, version } = JSON.parse(text) as { archive?: unknown; version?: unknown }
    return archive === ARCHIVE && typeof version === 'number' ? version : null
  } catch {
    return null
  }
}
