/** What git prints of the files of a commit, and of how two commits differ, record by record. */
import { type FilePath, fromTree } from './paths.ts'

/** A file of a snapshot. */
export interface SnapshotFile {
  readonly path: FilePath
  /** As git has it: `100644`, `100755`, `120000` for a link, `160000` for a submodule. */
  readonly mode: string
  readonly oid: string
  readonly bytes: number
}

/** Reads a record of `ls-tree -r -z --long`. */
export function snapshotFile(record: string): SnapshotFile {
  const tab = record.indexOf('\t')
  const [mode = '', , oid = '', bytes] = record.slice(0, tab).split(/ +/)
  return { path: fromTree(record.slice(tab + 1)), mode, oid, bytes: Number(bytes) || 0 }
}

/** How many lines of a file were added and removed; null if it is binary, or too large to be compared by line. */
export interface LineCounts {
  readonly path: FilePath
  readonly added: number | null
  readonly removed: number | null
}

/** Reads a record of `diff-tree -z --numstat`. */
export function lineCounts(record: string): LineCounts {
  const [added = '', removed = '', ...path] = record.split('\t')
  return { path: fromTree(path.join('\t')), added: countOf(added), removed: countOf(removed) }
}

const countOf = (lines: string): number | null => (lines === '-' ? null : Number(lines))

/** What a path is in a commit. */
export interface GitEntry {
  readonly mode: string
  readonly oid: string
}

/** What a path is in two commits; undefined where it is not there. */
export interface EntryChange {
  readonly from: GitEntry | undefined
  readonly to: GitEntry | undefined
  /** Whether a file has become a link, or the like. */
  readonly isOtherKind: boolean
}

/** Reads the first record of an entry of `diff-tree -z --raw`: `:100644 100755 OID OID M`. Its path is the next one. */
export function entryChange(record: string): EntryChange {
  const [from = '', to = '', fromOid = '', toOid = '', letter = ''] = record.slice(1).split(' ')
  return { from: entryOf(from, fromOid), to: entryOf(to, toOid), isOtherKind: letter.startsWith('T') }
}

const entryOf = (mode: string, oid: string): GitEntry | undefined =>
  mode === '000000' ? undefined : { mode, oid }
