/** What can go wrong with a run, and with a schedule that begins runs and tasks. */
import { plural } from '../figures.ts'
import { defineError } from './builder.ts'
import { didYouMean, quoted, sentence } from './phrases.ts'

/** No run has this id. `nearest` is the id that was probably meant, if there is one. */
export class RunNotFoundError extends defineError(
  'RunNotFoundError',
  ({ runId, nearest = null }: { runId: string; nearest?: string | null }) => ({
    message: `No run ${quoted(runId)}.${didYouMean(nearest)}`,
    hint: 'List them: claude-agents workflow list',
  }),
) {}

/** A run that has ended for good can be neither resumed nor cancelled. */
export class RunFinishedError extends defineError(
  'RunFinishedError',
  ({ runId, status }: { runId: string; status: string }) => ({
    message: `Run ${quoted(runId)} has already ${status === 'cancelled' ? 'been cancelled' : 'succeeded'}: it can be neither resumed nor cancelled.`,
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
  hint: 'Wait for it, or pause it first: Ctrl-C where it runs (in code: run.pause()).',
})) {}

/** The workflow of a run is no longer what the run began, or last resumed, with. */
export class WorkflowChangedError extends defineError(
  'WorkflowChangedError',
  ({ runId }: { runId: string }) => ({
    message: `The workflow of run ${quoted(runId)} has changed since it was last executed.`,
    hint: `To see what would be asked again: claude-agents workflow resume ${runId} --plan. To take the change: claude-agents workflow resume ${runId} --accept-changes`,
  }),
) {}

/** What a run recorded of its workflow no longer leads to one: a module, a file, or an entry in it is gone or broken. */
export class WorkflowNotBuiltError extends defineError(
  'WorkflowNotBuiltError',
  ({ runId, problem }: { runId: string; problem: string }) => ({
    message: `The workflow of run ${quoted(runId)} cannot be built any more: ${sentence(problem)}`,
    hint: `Put it back, or name it: claude-agents workflow resume ${runId} --module FILE (or --workflow NAME)`,
  }),
) {}

/** All steps of a race have ended, and none of their answers was accepted. */
export class NoAnswerAcceptedError extends defineError(
  'NoAnswerAcceptedError',
  ({ steps }: { steps: number }) => ({
    message: `No answer of the race between ${plural(steps, 'step')} was accepted.`,
    hint: 'Let more steps race (in code: or accept more, with the option `accept` of race).',
  }),
) {}

/** The run was paused or cancelled before it finished. */
export class RunInterruptedError extends defineError(
  'RunInterruptedError',
  ({ runId, paused, reason }: { runId: string; paused: boolean; reason: string }) => ({
    details: { runId, paused },
    message: sentence(`Run ${quoted(runId)} was ${paused ? 'paused' : 'cancelled'}: ${reason}`),
    hint: paused ? `Resume it: claude-agents workflow resume ${runId}` : undefined,
  }),
) {}

/** The pattern of a run has no result, and none of its asks is open. */
export class RunStalledError extends defineError('RunStalledError', ({ runId }: { runId: string }) => ({
  message: `The workflow of run ${quoted(runId)} has no result, and none of its asks is open: it would wait for ever.`,
  hint: 'A pattern may wait only for its asks. Fix it, then resume the run: answered steps are not asked again.',
})) {}

/** The pattern of a run ran out of stack. */
export class WorkflowTooDeepError extends defineError(
  'WorkflowTooDeepError',
  ({ runId, problem }: { runId: string; problem: string }) => ({
    message: `The workflow of run ${quoted(runId)} is nested too deeply: ${sentence(problem)}`,
    hint: 'Write it as one sequential, pipeline or loopUntil, which run in a loop, then resume the run: answered steps are not asked again.',
  }),
) {}

/** No schedule has this name. `nearest` is the one that was probably meant, if there is one. */
export class ScheduleNotFoundError extends defineError(
  'ScheduleNotFoundError',
  ({ schedule, nearest }: { schedule: string; nearest: string | null }) => ({
    message: `No schedule ${quoted(schedule)}.${didYouMean(nearest)}`,
    hint: 'List them: claude-agents schedule list',
  }),
) {}

/** A schedule is never changed by adding another one of its name. */
export class ScheduleExistsError extends defineError(
  'ScheduleExistsError',
  ({ schedule }: { schedule: string }) => ({
    message: `There is already a schedule ${quoted(schedule)}. Nothing was written.`,
    hint: `Choose another name, or remove it first: claude-agents schedule remove ${schedule}`,
  }),
) {}
