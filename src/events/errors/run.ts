/** What can go wrong with a run. */
import { defineError } from './builder.ts'
import { quoted } from './phrases.ts'

/** No run has this id. */
export class RunNotFoundError extends defineError('RunNotFoundError', ({ runId }: { runId: string }) => ({
  message: `No run ${quoted(runId)}.`,
  hint: 'List them: claude-agents workflow list',
})) {}

/** A run that has ended cannot be resumed. */
export class RunFinishedError extends defineError(
  'RunFinishedError',
  ({ runId, status }: { runId: string; status: string }) => ({
    message: `Run ${quoted(runId)} has already ${status === 'cancelled' ? 'been cancelled' : 'succeeded'} and cannot be resumed.`,
    hint: `To see what it did: claude-agents workflow show ${runId}`,
  }),
) {}

/** One run id was used for two different inputs. */
export class RunConflictError extends defineError('RunConflictError', ({ runId }: { runId: string }) => ({
  message: `Run ${quoted(runId)} already exists, with another input.`,
  hint: 'A run id always stands for the same input: use a new id for a new input.',
})) {}

/** The run is already running in this process. */
export class RunActiveError extends defineError('RunActiveError', ({ runId }: { runId: string }) => ({
  message: `Run ${quoted(runId)} is running.`,
  hint: 'Wait for it, or pause it first.',
})) {}

/** The run was paused or cancelled before it finished. */
export class RunInterruptedError extends defineError(
  'RunInterruptedError',
  ({ runId, paused, reason }: { runId: string; paused: boolean; reason: string }) => ({
    details: { runId, paused },
    message: `Run ${quoted(runId)} was ${paused ? 'paused' : 'cancelled'}: ${reason}.`,
    hint: paused ? `Resume it: claude-agents workflow resume ${runId}` : undefined,
  }),
) {}
