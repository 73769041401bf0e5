/** What can go wrong when looking back, or on: ids, streams, places and times that the log does not have, and ends that do not come. */
import { plural } from '../figures.ts'
import { defineError } from './builder.ts'
import { didYouMean, quoted, sentence } from './phrases.ts'

/** The log has no stream of this name. `nearest` is the one that was probably meant, if there is one. */
export class StreamNotFoundError extends defineError(
  'StreamNotFoundError',
  ({ stream, nearest = null }: { stream: string; nearest?: string | null }) => ({
    message: `There is no stream ${quoted(stream)} in the log.${didYouMean(nearest)}`,
    hint: 'A stream is named KIND/ID, for example agent/researcher (claude-agents agent list).',
  }),
) {}

/** The stream ends before this version. */
export class VersionNotFoundError extends defineError(
  'VersionNotFoundError',
  ({ stream, version, last }: { stream: string; version: number; last: number }) => ({
    message: `${quoted(stream)} has no version ${version}: its last one is ${last}.`,
    hint: `To see its versions: claude-agents replay ${stream}`,
  }),
) {}

/** A time before the first fact of the stream. */
export class BeforeFirstFactError extends defineError(
  'BeforeFirstFactError',
  ({ stream, time, first }: { stream: string; time: string; first: string }) => ({
    message: `${quoted(stream)} did not exist at ${time}: its first fact is from ${first}.`,
    hint: 'A day begins at midnight in UTC, and a time without a zone is local to this machine; 2026-01-31T12:00:00Z is UTC.',
  }),
) {}

/** The log ends before this position. */
export class PositionNotFoundError extends defineError(
  'PositionNotFoundError',
  ({ position, last }: { position: number; last: number }) => ({
    message: `There is no fact at position ${position}: the log ends at ${last}.`,
    hint: 'The first column of claude-agents log is the position.',
  }),
) {}

/** No agent in the log, or not the one that was named, has a task with this id. */
export class TaskNotFoundError extends defineError(
  'TaskNotFoundError',
  ({ taskId, agent }: { taskId: string; agent?: string }) => ({
    message: `${agent === undefined ? 'No agent' : `Agent ${quoted(agent)}`} was ${agent === undefined ? 'ever' : 'never'} given a task ${quoted(taskId)}.`,
    hint: `The facts of an agent name its tasks: claude-agents log --stream agent/${agent ?? 'ID'}`,
  }),
) {}

/** The run has no step with this number or key. */
export class StepNotFoundError extends defineError(
  'StepNotFoundError',
  ({ runId, step, steps }: { runId: string; step: string; steps: number }) => ({
    message: `Run ${quoted(runId)} has no step ${step}; it has ${plural(steps, 'step')}.`,
    hint: `Steps are counted from 1, or named by their keys: claude-agents workflow show ${runId}`,
  }),
) {}

/** The agent cannot be forked from its state at that time. */
export class CannotForkError extends defineError(
  'CannotForkError',
  ({ what, problem, hint }: { what: string; problem: string; hint?: string }) => ({
    message: sentence(`${what} cannot be forked: ${problem}`),
    hint,
  }),
) {}

const oneOf = (kinds: readonly string[]) =>
  [kinds.slice(0, -1).join(', '), ...kinds.slice(-1)].filter((part) => part !== '').join(' or ')

/** Nothing that can be watched has this id. `nearest` is the id that was probably meant, if there is one. */
export class IdNotFoundError extends defineError(
  'IdNotFoundError',
  ({ id, kinds, nearest }: { id: string; kinds: readonly string[]; nearest: string | null }) => ({
    details: { id, nearest },
    message: `No ${oneOf(kinds)} has the id ${quoted(id)}.${didYouMean(nearest)}`,
    hint: 'List them: claude-agents workflow list, claude-agents agent list. The tasks of an agent: claude-agents log --agent ID --type TaskAccepted',
  }),
) {}

/** Several things have this id. */
export class AmbiguousIdError extends defineError(
  'AmbiguousIdError',
  ({ id, found }: { id: string; found: readonly string[] }) => ({
    details: { id, found },
    message: `More than one thing has the id ${quoted(id)}: ${found.join(', ')}.`,
    hint: `Say which: run/${id}, agent/${id} or task/${id}; and of which agent, if several have the task: --agent ID`,
  }),
) {}

/** The time to wait is over. */
export class NotEndedError extends defineError(
  'NotEndedError',
  ({ what, seconds, reason }: { what: string; seconds: number; reason: string | null }) => ({
    message: `${what} has not ended within ${seconds} s.${reason === null ? '' : ` ${reason}`}`,
    hint: 'It was not stopped: wait again, or attach to it.',
    retryable: true,
  }),
) {}
