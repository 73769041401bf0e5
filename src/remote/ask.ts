/** A task that another process works on: what is said and the reply come back from there. */
import { randomUUID } from 'node:crypto'
import { type AskOptions, type Reply, TaskHandle } from '../actors/agent/tasks/ask.ts'
import { TaskChannel } from '../actors/agent/tasks/channel.ts'
import type { HeldTask } from '../actors/agent/tasks/held.ts'
import type { CallMessage } from '../claude/runner.ts'
import { abortedBecause } from '../events/errors/phrases.ts'
import { TaskCancelledError } from '../events/errors/task.ts'
import { checkTaskId } from '../events/ids.ts'
import { callListener } from '../events/listener.ts'
import { checkTaskInput, type TaskInput } from '../events/task-input.ts'
import type { AgentRequest } from '../messages/requests.ts'
import type { TaskRequest } from '../owner/commands.ts'
import { Asking, ownersFailure } from './asking.ts'
import type { OwnerClient } from './client.ts'

/** What is told of a task that another process works on. */
export type TaskLine =
  | { readonly message: CallMessage }
  | { readonly reply: Reply }
  | { readonly held: HeldTask }
  | { readonly released: true }

/** Which task, and whether it is still wanted here. */
interface WantedTask {
  readonly request: Omit<TaskRequest, 'ask'>
  readonly signal: AbortSignal | undefined
  readonly interest: NonNullable<AskOptions['origin']>['interest']
}

/** The way to a task that another process works on. */
export interface TaskWay {
  /** What is told of it, until it has a reply. Ends without one if it was interrupted here and others want it. */
  lines(task: WantedTask): AsyncGenerator<TaskLine>
  cancel(taskId: string, reason: string): Promise<unknown>
  /** The error to throw for one of the way. */
  failure(taskId: string, error: unknown): unknown
  unanswered(taskId: string): Error
}

/** Asks an agent of another process. The task outlives this one: asked again under its id, it gives its one reply. */
export function askElsewhere(
  way: TaskWay,
  agent: string,
  task: string | TaskInput,
  { signal, taskId = randomUUID(), origin, onHeld, onReleased, ...options }: AskOptions = {},
): TaskHandle {
  const channel = new TaskChannel()
  const cancel = async (reason: string) => void (await way.cancel(taskId, reason))
  const reply = async (): Promise<Reply> => {
    checkTaskId(taskId)
    // Resolved here: the other process may have another working directory.
    const input = checkTaskInput(task, { allowLocalRepos: true })
    const { step, interest, ...from } = origin ?? {}
    if (signal?.aborted || interest?.isWanted === false)
      throw new TaskCancelledError({
        agent,
        taskId,
        reason: abortedBecause(signal?.reason ?? interest?.reason),
      })
    const listeners = step ?? { onHeld, onReleased }
    const causationId = step && !step.isScheduled ? await step.schedule() : origin?.causationId
    const given = origin ? { ...options, origin: { ...from, causationId } } : options
    const request = { agent, taskId, task: input, options: given }
    try {
      for await (const line of way.lines({ request, signal, interest })) {
        if ('reply' in line) return line.reply
        if ('message' in line) channel.say(taskId, line.message)
        if ('held' in line) callListener(() => listeners.onHeld?.(line.held))
        if ('released' in line) callListener(() => listeners.onReleased?.())
      }
    } catch (error) {
      throw way.failure(taskId, error)
    }
    throw way.unanswered(taskId)
  }
  return new TaskHandle(taskId, reply(), channel, cancel)
}

/** The way to the tasks of an agent of the owner. */
export function ownerWay(client: OwnerClient, agent: string): TaskWay {
  const asking = new Asking(client, '/tasks')
  return {
    lines: ({ request, signal }) => asking.lines(request, signal) as AsyncGenerator<TaskLine>,
    async cancel(taskId, reason) {
      // Before the owner has the task, it has nothing to cancel.
      await asking.accepted
      await client.command(agent, 'cancel', [taskId, reason])
    },
    failure(taskId, error) {
      const hint = `The task resumes when the store is opened again. To get its answer: claude-agents agent ask ${agent} "..." --task-id ${taskId}`
      return ownersFailure(client, 'the task', hint, error)
    },
    unanswered: (taskId) =>
      asking.unanswered(`Task ${taskId}`, `claude-agents agent cancel ${agent} ${taskId}`),
  }
}

/** Gives an agent of another process a task that is not waited for. Resolves with its id when it is durable. */
export async function remoteAccept(
  client: Pick<OwnerClient, 'command'>,
  agent: string,
  task: string | TaskInput,
  { signal, taskId = randomUUID(), onHeld: _, onReleased: __, ...options }: AskOptions = {},
): Promise<string> {
  checkTaskId(taskId)
  // Resolved here: the other process may have another working directory.
  const input = checkTaskInput(task, { allowLocalRepos: true })
  if (signal?.aborted) throw new TaskCancelledError({ agent, taskId, reason: abortedBecause(signal.reason) })
  return (await client.command(agent, 'accept', [input, { ...options, taskId }])) as string
}

/** Asks an agent of the owner for another one. The signal is of this process: the owner is told that the task is cancelled. */
export async function remoteRequest(
  client: OwnerClient,
  { signal, requestId = randomUUID(), ...request }: AgentRequest,
): Promise<unknown> {
  const cancel = () => {
    client.command(request.to, 'cancel', [requestId, abortedBecause(signal?.reason)]).catch(() => {})
  }
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    signal?.throwIfAborted()
    return await client.command(null, 'messages.ask', [{ ...request, requestId }])
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}
