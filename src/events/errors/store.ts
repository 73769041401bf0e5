/** What a store can answer instead of doing what it was asked. All of them name the place; none loses anything. */
import { ClaudeAgentError, type ErrorOptions } from './base.ts'

/** Somebody else appended first. Read the stream again, decide again, append again. */
export class VersionConflict extends ClaudeAgentError<{ stream: string; expected: number; actual: number }> {
  readonly _tag = 'VersionConflict'
  readonly expected: number
  readonly actual: number
  constructor(details: { stream: string; expected: number; actual: number }) {
    super(details, {
      message: `Stream ${details.stream} is at version ${details.actual}, not ${details.expected}.`,
      hint: 'Read it again and decide again; nothing was written.',
    })
    this.expected = details.expected
    this.actual = details.actual
  }
}

/** Another process (or another part of this one) has the store open. */
export class StoreInUse extends ClaudeAgentError<{ path: string; pid: number | null }> {
  readonly _tag = 'StoreInUse'
  readonly pid: number | null
  constructor(details: { path: string; pid: number | null }, options?: ErrorOptions) {
    const who = details.pid === null ? 'another process' : `process ${details.pid}`
    super(
      details,
      {
        message: `The store ${details.path} is in use by ${who}.`,
        hint: 'Wait until it has ended, or choose another --base-dir.',
      },
      options,
    )
    this.pid = details.pid
  }
}

/** The directory holds a store of a format that this version does not know. Nothing in it was touched. */
export class UnsupportedFormat extends ClaudeAgentError<{ path: string; found: number; known: number }> {
  readonly _tag = 'UnsupportedFormat'
  constructor(details: { path: string; found: number; known: number }) {
    super(details, {
      message: `The store ${details.path} has format ${details.found}; this version knows format ${details.known}.`,
      hint: 'A newer claude-multi-agent made it: upgrade this one (npm install claude-multi-agent@latest).',
    })
  }
}

const NEXT =
  'Nothing was changed. claude-agents log verify says all that is wrong; claude-agents log repair --to DIR saves what is whole.'

/** A record is not what was written. */
export class CorruptRecord extends ClaudeAgentError<{ position: number | null; key: string; file: string }> {
  readonly _tag = 'CorruptRecord'
  readonly position: number | null
  readonly file: string
  constructor(
    details: { position: number | null; key: string; file: string; problem: string },
    options?: ErrorOptions,
  ) {
    const where = details.position === null ? `under key ${details.key}` : `at position ${details.position}`
    super(
      details,
      { message: `The record ${where} in ${details.file} is damaged: ${details.problem}.`, hint: NEXT },
      options,
    )
    this.position = details.position
    this.file = details.file
  }
}

/** Records are missing between two that are there. */
export class SequenceGap extends ClaudeAgentError<{
  stream: string | null
  expected: number
  found: number
  file: string
}> {
  readonly _tag = 'SequenceGap'
  readonly position: number
  readonly file: string
  constructor(details: { stream: string | null; expected: number; found: number; file: string }) {
    const what = details.stream === null ? 'position' : `version of stream ${details.stream}`
    super(details, {
      message: `In ${details.file}, ${what} ${details.expected} is missing (found ${details.found}).`,
      hint: NEXT,
    })
    this.position = details.expected
    this.file = details.file
  }
}

/** The end of the log is gone: the `head` file has seen a later position. */
export class TailLoss extends ClaudeAgentError<{ expected: number; found: number; file: string }> {
  readonly _tag = 'TailLoss'
  readonly position: number
  readonly file: string
  constructor(details: { expected: number; found: number; file: string }) {
    super(details, {
      message: `The log in ${details.file} ends at position ${details.found}, but ${details.expected} was written.`,
      hint: NEXT,
    })
    this.position = details.found
    this.file = details.file
  }
}

/** A store that is there, but not whole, or not readable as one. */
export class StoreDamaged extends ClaudeAgentError<{ path: string; file: string }> {
  readonly _tag = 'StoreDamaged'
  readonly file: string
  constructor(details: { path: string; file: string; problem: string }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `The store ${details.path} cannot be opened: ${details.problem} (${details.file}).`,
        hint: NEXT,
      },
      options,
    )
    this.file = details.file
  }
}

/** The store cannot be written (a full disk, missing rights); what is in it can still be read. */
export class StoreReadOnly extends ClaudeAgentError<{ path: string }> {
  readonly _tag = 'StoreReadOnly'
  override readonly retryable = true
  constructor(details: { path: string; problem: string }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `The store ${details.path} cannot be written: ${details.problem}.`,
        hint: 'Make room or give the rights back; it is opened again by itself with the next attempt.',
      },
      options,
    )
  }
}

/** What to do when the system does not let a store be opened, by its code. */
const OPENING_HINTS: Readonly<Record<string, string>> = {
  EROFS: 'Opening writes a lock and the next log: use a directory that can be written, or a copy.',
  EACCES: 'Give this user the rights to the directory, or use a copy.',
  EPERM: 'Give this user the rights to the directory, or use a copy.',
  ENOSPC: 'Make room: opening needs a few megabytes.',
  EDQUOT: 'Make room: opening needs a few megabytes.',
  EMFILE: 'Close files, or raise the limit (ulimit -n).',
  ENFILE: 'Close files: the whole system has too many open.',
}

/** The system does not let the store be opened: no room, no rights, no more files. Nothing is wrong with the store. */
export class StoreNotOpened extends ClaudeAgentError<{ path: string; code: string }> {
  readonly _tag = 'StoreNotOpened'
  override readonly retryable = true
  constructor(details: { path: string; code: string; problem: string }, options?: ErrorOptions) {
    const { path, code, problem } = details
    super(
      details,
      {
        message: `The store ${path} cannot be opened: ${problem}.`,
        hint: OPENING_HINTS[code] ?? 'Try again.',
      },
      options,
    )
  }

  /** The same error as this one where the system is the reason, else as it was. */
  static from(path: string, error: unknown): unknown {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined || OPENING_HINTS[code] === undefined) return error
    return new StoreNotOpened({ path, code, problem: message }, { cause: error })
  }
}

/** One record would be larger than the store takes. */
export class RecordTooLarge extends ClaudeAgentError<{ type: string; bytes: number; limit: number }> {
  readonly _tag = 'RecordTooLarge'
  constructor(details: { type: string; bytes: number; limit: number }) {
    super(details, {
      message: `A ${details.type} of ${details.bytes} bytes is over the store's limit of ${details.limit} for one record.`,
      hint: "Put large bodies into the store's blobs and record their reference.",
    })
  }
}

/** A body that the log refers to is missing from the blobs, or is not what was written. */
export class CorruptBlob extends ClaudeAgentError<{ sha256: string; file: string }> {
  readonly _tag = 'CorruptBlob'
  readonly file: string
  constructor(details: { sha256: string; file: string; problem: string }, options?: ErrorOptions) {
    super(
      details,
      { message: `The body ${details.sha256} is damaged: ${details.problem} (${details.file}).`, hint: NEXT },
      options,
    )
    this.file = details.file
  }
}

/** The files of a damaged store could not be read at all. */
export class RepairFailed extends ClaudeAgentError<{ path: string }> {
  readonly _tag = 'RepairFailed'
  constructor(details: { path: string; problem: string }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `Nothing could be saved: ${details.problem}.`,
        hint: 'The damaged store was not changed. If the disk still fails, copy the directory to another one and repair that.',
      },
      options,
    )
  }
}
