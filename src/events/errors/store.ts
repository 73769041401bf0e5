/** What a store can answer instead of doing what it was asked. Each of these names the place; none loses anything. */
import { defined } from '../json.ts'
import { defineError } from './builder.ts'
import { sentence, systemFailure, VERIFY_OR_REPAIR, WRITTEN_BY_NEWER } from './phrases.ts'

/** Something else was appended first. Read the stream again, decide again, append again. */
export class VersionConflict extends defineError(
  'VersionConflict',
  ({ stream, expected, actual }: { stream: string; expected: number; actual: number }) => ({
    message: `Stream ${stream} is at version ${actual}, not ${expected}.`,
    hint: 'Nothing was written: read it again and decide again.',
  }),
) {
  readonly expected = this.details.expected
  readonly actual = this.details.actual
}

/** The stream was claimed by another writer since: this one writes nothing to it any more. */
export class Fenced extends defineError('Fenced', ({ stream }: { stream: string }) => ({
  message: `Another writer has claimed stream ${stream}.`,
  hint: 'Nothing was written: give up what was decided here, and claim the stream again before reading it.',
})) {}

/** The commit id was used before, for another stream or for other facts. */
export class CommitConflict extends defineError(
  'CommitConflict',
  ({ commitId, stream, position }: { commitId: string; stream: string; position: number }) => ({
    message: `The commit id ${commitId} was used at position ${position}, in stream ${stream}, for other facts.`,
    hint: 'Nothing was written: give each commit an id of its own, and repeat a commit unchanged.',
  }),
) {
  readonly position = this.details.position
}

interface InUse {
  readonly path: string
  readonly pid: number | null
  readonly isServed?: boolean
  /** Of a store in a database: what the other process calls itself. */
  readonly holder?: string
}

/** Another process (or another part of this one) has the store open. */
export class StoreInUse extends defineError(
  'StoreInUse',
  ({ path, pid, isServed = false, holder }: InUse) => ({
    details: { path, pid },
    message: `The store ${path} is ${isServed ? 'served already,' : 'in use'} by ${holder ?? (pid === null ? 'another process' : `process ${pid}`)}.`,
    hint: isServed
      ? 'See what it does: claude-agents serve status. To end it: claude-agents serve stop'
      : holder === undefined
        ? 'Wait until it ends, or use another store: --base-dir DIR (in code: baseDir)'
        : 'Wait until it ends, or use another database.',
  }),
) {
  readonly pid = this.details.pid
}

/**
 * The directory of an open store was removed, moved or replaced, or a file in it that its owner needs; or another process has
 * taken over its database. The store has stopped: it acknowledges nothing more.
 */
export class StoreLockLost extends defineError(
  'StoreLockLost',
  ({ path, file, problem }: { path: string; file: string; problem?: string }) => ({
    message: problem
      ? sentence(`The store ${path} has stopped: ${problem}`)
      : file === path
        ? `The store ${path} has stopped: its directory was removed, moved or replaced while it was open.`
        : `The store ${path} has stopped: ${file} was removed or replaced while it was open.`,
    hint: problem
      ? 'Nothing more was written here. Start this process again, once no other one uses the database.'
      : file === path
        ? 'What was acknowledged is in the log of that directory, if it still exists. Put it back, and start this process again.'
        : 'What was acknowledged is in the log; what failed with this error may or may not be. Restart this process, and leave the files of the store alone.',
  }),
) {}

/** The directory holds a store of a format that this version does not know. Nothing in it was touched. */
export class UnsupportedFormat extends defineError(
  'UnsupportedFormat',
  ({ path, found, known }: { path: string; found: number; known: number }) => ({
    message: `The store ${path} has format ${found}; this version knows format ${known}.`,
    hint: WRITTEN_BY_NEWER,
  }),
) {}

/** A record is not what was written. */
export class CorruptRecord extends defineError(
  'CorruptRecord',
  (details: { position: number | null; key: string; file: string; problem: string }) => {
    const { position, key, file, problem } = details
    const where = position === null ? `under key ${key}` : `at position ${position}`
    return {
      message: sentence(`The record ${where} in ${file} is damaged: ${problem}`),
      hint: VERIFY_OR_REPAIR,
    }
  },
) {
  readonly position = this.details.position
  readonly file = this.details.file
}

/** Records are missing between two that are present. */
export class SequenceGap extends defineError(
  'SequenceGap',
  (details: { stream: string | null; expected: number; found: number; file: string }) => {
    const { stream, expected, found, file } = details
    const what = stream === null ? 'position' : `version of stream ${stream}`
    return {
      message: `In ${file}, ${what} ${expected} is missing (found ${found}).`,
      hint: VERIFY_OR_REPAIR,
    }
  },
) {
  readonly position = this.details.expected
  readonly file = this.details.file
}

/** The end of the log is gone: the `head` file has seen a later position. */
export class TailLoss extends defineError(
  'TailLoss',
  ({ expected, found, file }: { expected: number; found: number; file: string }) => ({
    message: `The log in ${file} ends at position ${found}, but position ${expected} was written.`,
    hint: VERIFY_OR_REPAIR,
  }),
) {
  readonly position = this.details.found
  readonly file = this.details.file
}

/** A store that is incomplete, or cannot be read as one. */
export class StoreDamaged extends defineError(
  'StoreDamaged',
  ({ path, file, problem }: { path: string; file: string; problem: string }) => ({
    message: `The store ${path} cannot be opened: ${problem} (${file}).`,
    hint: VERIFY_OR_REPAIR,
  }),
) {
  readonly file = this.details.file
}

/** Something else is in place of a file: a pipe, a directory, a socket. It was not touched. */
export class NotAFileError extends defineError(
  'NotAFileError',
  ({ file, kind }: { file: string; kind: string }) => ({
    message: `${file} is ${kind}, not a file.`,
    hint: 'Find out what put it there, and move it away.',
  }),
) {
  readonly file = this.details.file
}

/** The store cannot be written (a full disk, missing permissions); what is in it can still be read. */
export class StoreReadOnly extends defineError(
  'StoreReadOnly',
  ({ path, problem }: { path: string; problem: string }) => ({
    message: sentence(`The store ${path} cannot be written: ${problem}`),
    hint: 'Free some space or restore the permissions: the next attempt opens it again.',
    retryable: true,
  }),
) {}

/** The database of a store does not answer. What was sent last may have been written, and its caller was not told. */
export class StoreUnavailable extends defineError(
  'StoreUnavailable',
  ({ path, problem }: { path: string; problem: string }) => ({
    message: sentence(`The store ${path} cannot be reached: ${problem}`),
    hint: 'It is tried again. If it stays like this: claude-agents doctor --database URL',
    retryable: true,
  }),
) {}

/** What to do when the system does not let a store be opened, where more can be said than of any file. */
const OPENING_HINTS: Readonly<Record<string, string>> = {
  EROFS: 'Opening writes a lock and a new log file: use a writable directory, or a copy.',
  EACCES: 'Give this user permission to the directory, or use a copy.',
  EPERM: 'Give this user permission to the directory, or use a copy.',
  ENOSPC: 'Free some space: opening needs a few megabytes.',
  EDQUOT: 'Free some space: opening needs a few megabytes.',
  EEXIST: 'Move it away, or name another directory with --base-dir.',
  ENOTDIR: 'Name a directory with --base-dir, or move away what is in its place.',
}

/**
 * The system does not let the store be opened: no space, no permission, no directory, or a database that does not answer or is
 * not fit for one. The store itself is intact.
 */
export class StoreNotOpened extends defineError(
  'StoreNotOpened',
  ({ path, code, problem, hint }: { path: string; code: string; problem: string; hint?: string }) => ({
    message: sentence(`The store ${path} cannot be opened: ${problem}`),
    details: { path, code, problem },
    hint: OPENING_HINTS[code] ?? hint ?? 'Try again.',
    retryable: true,
  }),
) {
  /** The same error as this one where the system is the reason, else as it was. */
  static from(path: string, error: unknown): unknown {
    const known = systemFailure(error)
    if (known === null) return error
    const { code, hint } = known
    // Making a directory where something else is.
    const said = code === 'EEXIST' ? 'it is not a directory' : known.problem
    const problem = `${said} (${[code, known.path === path ? undefined : known.path].filter(Boolean).join(', ')})`
    return new StoreNotOpened(defined({ path, code, problem, hint }), { cause: error })
  }
}

/** One record would be larger than the store takes. */
export class RecordTooLarge extends defineError(
  'RecordTooLarge',
  ({ type, bytes, limit }: { type: string; bytes: number; limit: number }) => ({
    message: `A ${type} of ${bytes} bytes exceeds the store's limit of ${limit} bytes for one record.`,
    hint: "Put large bodies into the store's blobs and record references to them.",
  }),
) {}

/** A body that the log refers to is missing from the blobs, or is not what was written. */
export class CorruptBlob extends defineError(
  'CorruptBlob',
  ({ sha256, file, problem }: { sha256: string; file: string; problem: string }) => ({
    message: `The body ${sha256} is damaged: ${problem} (${file}).`,
    hint: VERIFY_OR_REPAIR,
  }),
) {
  readonly file = this.details.file
}

/** The files of a damaged store could not be read at all. */
export class RepairFailed extends defineError(
  'RepairFailed',
  ({ problem }: { path: string; problem: string }) => ({
    message: sentence(`Nothing could be saved: ${problem}`),
    hint: 'The damaged store was not changed. If the disk is failing, copy the directory to another disk and repair the copy.',
  }),
) {}
