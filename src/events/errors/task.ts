/** What can go wrong with a task that was accepted. */
import { defineError } from './builder.ts'
import { quoted, sentence } from './phrases.ts'

/** The task was cancelled. */
export class TaskCancelledError extends defineError(
  'TaskCancelledError',
  ({ agent, taskId, reason }: { agent: string; taskId: string; reason: string }) => ({
    message: sentence(`Task ${quoted(taskId)} of agent ${quoted(agent)} was cancelled: ${reason}`),
  }),
) {}

/** One task id was used for two different tasks. */
export class TaskConflictError extends defineError(
  'TaskConflictError',
  ({ agent, taskId }: { agent: string; taskId: string }) => ({
    message: `Agent ${quoted(agent)} already has a task ${quoted(taskId)}, with another input.`,
    hint: 'A task id always stands for the same task: use a new id for a new task.',
  }),
) {}
