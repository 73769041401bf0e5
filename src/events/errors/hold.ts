/** What can go wrong with what waits for a person: a task that is held, an entry of the inbox. */
import { defineError } from './builder.ts'
import { didYouMean, quoted, sentence } from './phrases.ts'

/** The task was rejected: it has ended, and no call was made for it since it was held. `by` and `reason` may be empty. */
export class TaskRejectedError extends defineError(
  'TaskRejectedError',
  ({ agent, taskId, by, reason }: { agent: string; taskId: string; by: string; reason: string }) => ({
    message: sentence(
      `Task ${quoted(taskId)} of agent ${quoted(agent)} was rejected${by && ` by ${by}`}${reason && `: ${reason}`}`,
    ),
  }),
) {}

/** The caller does not want to wait for a held task. The task is kept. */
export class TaskHeldError extends defineError(
  'TaskHeldError',
  (given: {
    agent: string
    taskId: string
    reason: 'approval' | 'budget' | 'account' | 'tool' | 'question'
    message: string
    hint: string
  }) => {
    const { agent, taskId, reason, message, hint } = given
    return { details: { agent, taskId, reason }, message: `${message} The task is kept.`, hint }
  },
) {}

/** There is nothing to approve or to reject. `held`: what holds the task, which no approval resumes. */
export class TaskNotHeldError extends defineError(
  'TaskNotHeldError',
  ({ taskId, agents = [], held }: { taskId: string; agents?: readonly string[]; held?: HeldText }) => ({
    details: { taskId },
    ...(held !== undefined
      ? { message: `${sentence(held.message)} It needs no approval.`, hint: held.hint }
      : agents.length > 1
        ? {
            message: `More than one agent has a task ${quoted(taskId)} that is held: ${agents.join(', ')}.`,
            hint: 'Name the agent: --agent ID (in code: the option agent)',
          }
        : { message: `No task ${quoted(taskId)} is held.`, hint: 'List what waits: claude-agents inbox' }),
  }),
) {}

interface HeldText {
  readonly message: string
  readonly hint: string
}

/** The caller does not want to wait for a held run. The run is kept as it is. */
export class RunHeldError extends defineError(
  'RunHeldError',
  ({ runId, tasks }: { runId: string; tasks: number }) => ({
    message: `Run ${quoted(runId)} is waiting: ${tasks === 1 ? 'one of its steps is' : `${tasks} of its steps are`} held.`,
    hint: `See what waits, and decide it: claude-agents inbox. Then resume it: claude-agents workflow resume ${runId}`,
  }),
) {}

const LIST = 'List what waits: claude-agents inbox'

/** It no longer waits: a person decided it, or it ended by itself. `became` says which, as a part of a sentence. */
export class InboxEntryGoneError extends defineError(
  'InboxEntryGoneError',
  ({ id, became }: { id: string; became: string }) => ({
    message: sentence(`The inbox no longer has ${quoted(id)}: ${became}`),
    hint: LIST,
  }),
) {}

/** The inbox has never had it. `nearest` is the entry that was probably meant, if there is one. */
export class InboxEntryNotFoundError extends defineError(
  'InboxEntryNotFoundError',
  ({ id, nearest }: { id: string; nearest: string | null }) => ({
    message: `The inbox has no entry ${quoted(id)}.${didYouMean(nearest)}`,
    hint: LIST,
  }),
) {}

/** Something else than this decision lets it continue. */
export class InboxDecisionError extends defineError(
  'InboxDecisionError',
  ({ id, problem, command }: { id: string; problem: string; command: string }) => ({
    message: sentence(`${quoted(id)} ${problem}`),
    hint: `It waits for: ${command}`,
  }),
) {}
