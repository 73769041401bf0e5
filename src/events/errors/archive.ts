/** What can go wrong when a log is copied, moved or shrunk, and what is said of a body that is no longer there. */
import { ClaudeAgentError, type ErrorOptions } from './base.ts'

/** A backup or an export is not what was written, or not what was asked for. */
export class InvalidArchive extends ClaudeAgentError<{
  file: string
  line: number | null
  position: number | null
}> {
  readonly _tag = 'InvalidArchive'
  readonly line: number | null
  readonly position: number | null
  constructor(
    details: { file: string; line: number | null; position: number | null; problem: string; hint?: string },
    options?: ErrorOptions,
  ) {
    const { file, line, position, problem } = details
    const place = line === null ? file : `${file}:${line}`
    const which = position === null ? '' : ` (position ${position} of the log)`
    super(
      details,
      {
        message: `${place}${which}: ${problem}.`,
        hint: details.hint ?? 'Nothing was made of it. Take another copy, or make a new one.',
      },
      options,
    )
    this.line = line
    this.position = position
  }
}

/** A backup or an export could not be written to its end. */
export class ArchiveNotWritten extends ClaudeAgentError<{ file: string }> {
  readonly _tag = 'ArchiveNotWritten'
  override readonly retryable = true
  constructor(details: { file: string; problem: string }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `${details.file} could not be written: ${details.problem}.`,
        hint: 'Make room, or name another place. No part of it was left, and a file of that name is as it was.',
      },
      options,
    )
  }
}

/** A store is made only where nothing is. */
export class DirectoryNotEmpty extends ClaudeAgentError<{ path: string }> {
  readonly _tag = 'DirectoryNotEmpty'
  constructor(details: { path: string }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `The directory ${details.path} is not empty.`,
        hint: 'Nothing was changed. Name a directory that is empty or does not exist.',
      },
      options,
    )
  }
}

/** The store of another process could not be copied while that went on. */
export class LiveCopyFailed extends ClaudeAgentError<{ path: string; attempts: number }> {
  readonly _tag = 'LiveCopyFailed'
  override readonly retryable = true
  constructor(details: { path: string; attempts: number }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `No whole copy of ${details.path} was got in ${details.attempts} attempts while another process writes to it.`,
        hint: 'Try again when it has less to do, or when it has ended. If it fails then too, run claude-agents log verify.',
      },
      options,
    )
  }
}

/** Nothing is dropped from a store that is not whole: what is left may be needed to repair it. */
export class CompactionRefused extends ClaudeAgentError<{ path: string }> {
  readonly _tag = 'CompactionRefused'
  constructor(details: { path: string; problem: string }) {
    super(details, {
      message: `The store ${details.path} is not whole, and was left as it is: ${details.problem}.`,
      hint: 'claude-agents log verify says all that is wrong, and log repair makes a whole store of what is left.',
    })
  }
}

/** A prompt or an answer that was dropped from the log on purpose. */
export class BodyDropped extends ClaudeAgentError<{ sha256: string; bytes: number }> {
  readonly _tag = 'BodyDropped'
  constructor(details: { sha256: string; bytes: number }) {
    super(details, {
      message: `This text (${details.bytes} bytes, sha-256 ${details.sha256}) was dropped from the log by log compact.`,
      hint: 'A backup from before that still has it. To have the task done anew, ask under another task id.',
    })
  }
}

/** A prompt or an answer that was lost to damage before the store was repaired. */
export class BodyLost extends ClaudeAgentError<{ sha256: string; bytes: number }> {
  readonly _tag = 'BodyLost'
  constructor(details: { sha256: string; bytes: number }, options?: ErrorOptions) {
    super(
      details,
      {
        message: `This text (${details.bytes} bytes, sha-256 ${details.sha256}) was lost before the store was repaired.`,
        hint: 'A backup from before the damage still has it. To have the task done anew, ask under another task id.',
      },
      options,
    )
  }
}

/** The store was made from a part of a log, or from a redacted one: it can be read and replayed, not gone on with. */
export class StoreForReading extends ClaudeAgentError<{ path: string }> {
  readonly _tag = 'StoreForReading'
  constructor(details: { path: string }) {
    super(details, {
      message: `The store ${details.path} is for reading only: it was imported from a redacted or partial export.`,
      hint: 'Go on with the original, or with a store restored from a backup (claude-agents log restore).',
    })
  }
}
