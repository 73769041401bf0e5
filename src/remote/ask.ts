/** A task that runs in the owner: its messages and its reply come back through the socket. */
import { randomUUID } from 'node:crypto'
import type { AskOptions } from '../actors/agent/tasks/ask-options.ts'
import { TaskChannel } from '../actors/agent/tasks/channel.ts'
import { type Reply, TaskHandle } from '../actors/agent/tasks/handle.ts'
import type { HeldTask } from '../actors/agent/tasks/held.ts'
import type { CallMessage } from '../claude/runner.ts'
import { TaskCancelledError } from '../events/errors/task.ts'
import { checkTaskId } from '../events/ids.ts'
import { callListener } from '../events/listener.ts'
import { checkTaskInput, type TaskInput } from '../events/task-input.ts'
import type { AgentRequest } from '../messages/requests.ts'
import type { TaskRequest } from '../owner/commands.ts'
import { Asking, ownersFailure } from './asking.ts'
import type { OwnerClient } from './client.ts'

type Line =
  | { readonly message: CallMessage }
  | { readonly reply: Reply }
  | { readonly held: HeldTask }
  | { readonly released: true }

/** Asks an agent of the owner. The task outlives this process: asked again under its id, it gives its one reply. */
export function remoteAsk(
  client: OwnerClient,
  agent: string,
  task: string | TaskInput,
  { signal, taskId = randomUUID(), ...options }: AskOptions = {},
): TaskHandle {
  const channel = new TaskChannel()
  const asking = new Asking(client, '/tasks')
  const cancel = async (reason: string) => {
    // Before the owner has the task, it has nothing to cancel.
    await asking.accepted
    await client.command(agent, 'cancel', [taskId, reason])
  }
  const reply = async (): Promise<Reply> => {
    checkTaskId(taskId)
    // Resolved here: the owner may have another working directory.
    const input = checkTaskInput(task, { allowLocalRepos: true })
    if (signal?.aborted) throw new TaskCancelledError({ agent, taskId, reason: String(signal.reason) })
    const request: Omit<TaskRequest, 'ask'> = { agent, taskId, task: input, options }
    try {
      for await (const line of asking.lines(request, signal) as AsyncGenerator<Line>) {
        if ('reply' in line) return line.reply
        if ('message' in line) channel.tell(taskId, { type: 'message', message: line.message })
        if ('held' in line) callListener(options.onHeld, line.held)
        if ('released' in line) callListener(options.onReleased)
      }
    } catch (error) {
      const hint = `The task resumes when the store is opened again. To get its answer: claude-agents agent ask ${agent} "..." --task-id ${taskId}`
      throw ownersFailure(client, 'the task', hint, error)
    }
    throw asking.unanswered(`Task ${taskId}`, `claude-agents agent cancel ${agent} ${taskId}`)
  }
  return new TaskHandle(taskId, reply(), channel, cancel)
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
  if (signal?.aborted) throw new TaskCancelledError({ agent, taskId, reason: String(signal.reason) })
  return (await client.command(agent, 'accept', [input, { ...options, taskId }])) as string
}

/** Asks an agent of the owner for another one. The signal is of this process: the owner is told that the task is cancelled. */
export async function remoteRequest(
  client: OwnerClient,
  { signal, requestId = randomUUID(), ...request }: AgentRequest,
): Promise<unknown> {
  const cancel = () => {
    client.command(request.to, 'cancel', [requestId, String(signal?.reason)]).catch(() => {})
  }
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    signal?.throwIfAborted()
    return await client.command(null, 'messages.ask', [{ ...request, requestId }])
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}
