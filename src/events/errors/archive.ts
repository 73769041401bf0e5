/** What can go wrong when a log is copied, moved or compacted, and when a text that it once held is read. */
import { defineError } from './builder.ts'
import { bodyInBackup, sentence } from './phrases.ts'

/** A backup or an export that is damaged, or not of the kind that was asked for. */
export class InvalidArchive extends defineError(
  'InvalidArchive',
  (details: {
    file: string
    line: number | null
    position: number | null
    problem: string
    hint?: string
  }) => {
    const { file, line, position, problem, hint } = details
    const place = line === null ? file : `${file}:${line}`
    const which = position === null ? '' : ` (position ${position} of the log)`
    return {
      message: sentence(`${place}${which}: ${problem}`),
      hint: hint ?? 'Nothing was created from it. Use another copy, or make a new one.',
    }
  },
) {
  readonly line = this.details.line
  readonly position = this.details.position
}

/** A backup or an export could not be written completely. */
export class ArchiveNotWritten extends defineError(
  'ArchiveNotWritten',
  ({ file, problem }: { file: string; problem: string }) => ({
    message: sentence(`Could not write ${file}: ${problem}`),
    hint: 'Correct that, or choose another path. No partial file is left, and an existing file at this path is unchanged.',
    retryable: true,
  }),
) {}

/** A store is created only in an empty directory. */
export class DirectoryNotEmpty extends defineError('DirectoryNotEmpty', ({ path }: { path: string }) => ({
  message: `The directory ${path} is not empty.`,
  hint: 'Nothing was changed. Choose a directory that is empty or does not exist.',
})) {}

/** A store is created only in a database, or a schema of one, that has no log yet. */
export class DatabaseNotEmpty extends defineError('DatabaseNotEmpty', ({ path }: { path: string }) => ({
  message: `The database ${path} has a log already.`,
  hint: 'Nothing was changed. Choose another database.',
})) {}

/** The store of another process changed each time while it was being copied. */
export class LiveCopyFailed extends defineError(
  'LiveCopyFailed',
  ({ path, attempts }: { path: string; attempts: number }) => ({
    message: `Could not take a consistent copy of ${path} in ${attempts} attempts while another process was writing to it.`,
    hint: 'Try again when that process is less busy or has ended. If it still fails, run claude-agents log verify.',
    retryable: true,
  }),
) {}

/** Nothing is dropped from a damaged store: what is left may be needed to repair it. */
export class CompactionRefused extends defineError(
  'CompactionRefused',
  ({ path, problem }: { path: string; problem: string }) => ({
    message: sentence(`The store ${path} is damaged and was not compacted: ${problem}`),
    hint: 'claude-agents log verify lists everything that is wrong; claude-agents log repair makes a new store of what is intact.',
  }),
) {}

interface Body {
  readonly sha256: string
  readonly bytes: number
}

/** A prompt or an answer that was dropped from the log on purpose. */
export class BodyDropped extends defineError('BodyDropped', ({ sha256, bytes }: Body) => ({
  message: `This text (${bytes} bytes, sha-256 ${sha256}) was dropped from the log by log compact.`,
  hint: bodyInBackup('that'),
})) {}

/** A prompt or an answer that was lost to damage before the store was repaired. */
export class BodyLost extends defineError('BodyLost', ({ sha256, bytes }: Body) => ({
  message: `This text (${bytes} bytes, sha-256 ${sha256}) was lost before the store was repaired.`,
  hint: bodyInBackup('the damage'),
})) {}

/**
 * The store can be read and replayed, but not continued: it was made from a part of a log or from a redacted one, or it was
 * opened for reading.
 */
export class StoreForReading extends defineError(
  'StoreForReading',
  ({ path, imported = true }: { path: string; imported?: boolean }) =>
    imported
      ? {
          message: `The store ${path} is for reading only: it was imported from a redacted or partial export.`,
          hint: 'Continue with the original, or with a store restored from a backup (claude-agents log restore).',
        }
      : {
          message: `The store ${path} was opened for reading only.`,
          hint: 'To write to it, open it with Orchestrator.open.',
        },
) {}
