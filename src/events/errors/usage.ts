/** What can be wrong with a call of this library: an invalid id, an invalid argument, something that is closed. */
import { defineError } from './builder.ts'
import { quoted, sentence } from './phrases.ts'

/** An id that breaks the rule for ids of its kind. */
export class InvalidIdError extends defineError(
  'InvalidIdError',
  ({ what, id, rule }: { what: string; id: string; rule: string }) => ({
    message: `${quoted(id, 80)} is not a valid ${what} id.`,
    hint: `Use ${rule}.`,
  }),
) {}

/** An argument or option that cannot be used. */
export class InvalidInputError extends defineError(
  'InvalidInputError',
  ({ what, problem, hint }: { what: string; problem: string; hint?: string }) => ({
    message: sentence(`${what}: ${problem}`),
    hint,
  }),
) {}

/** A path begins in the working directory, and that was removed. */
export class NoWorkingDirectory extends defineError('NoWorkingDirectory', ({ path }: { path: string }) => ({
  details: { path },
  message: 'The working directory no longer exists.',
  hint: 'Change to a directory that exists (cd), then try again.',
})) {}

/**
 * The orchestrator or the store is closed. `kept` says that a task or a run was accepted before: it is in the log, and the
 * next opening continues it.
 */
export class ClosedError extends defineError(
  'ClosedError',
  ({ what, kept }: { what: string; kept?: 'task' | 'run' }) => ({
    message: kept
      ? `The ${what} was closed before the ${kept} had ended. The ${kept} is kept.`
      : `The ${what} is closed.`,
    hint: kept
      ? `The next opening continues it. For its ${kept === 'task' ? 'answer' : 'result'}, ask again with the same id.`
      : 'Open it again.',
  }),
) {}
