/** A task that another process has done: what is said meanwhile and the reply come back through its socket. */
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { type Reply, TaskHandle } from '../actors/agent/tasks/handle.ts'
import type { HeldTask } from '../actors/agent/tasks/held.ts'
import type { AskOptions } from '../actors/agent/tasks/tasks.ts'
import type { CallMessage } from '../claude/runner.ts'
import { ClaudeAgentError } from '../events/errors/base.ts'
import { TaskCancelledError } from '../events/errors/task.ts'
import { checkTaskId } from '../events/ids.ts'
import { checkTaskInput, type TaskInput } from '../events/task-input.ts'
import type { TaskRequest } from '../owner/commands.ts'
import type { OwnerClient } from './client.ts'

type Line =
  | { readonly message: CallMessage }
  | { readonly reply: Reply }
  | { readonly held: HeldTask }
  | { readonly released: true }

/** The task goes on when this process dies: asked again under its id, it has its one reply. */
export function remoteAsk(
  client: OwnerClient,
  agent: string,
  task: string | TaskInput,
  { signal, taskId = randomUUID(), ...options }: AskOptions = {},
): TaskHandle {
  const events = new EventEmitter().setMaxListeners(0)
  let begun = () => {}
  /** Before the owner has the task, it has nothing to cancel. */
  const isBegun = new Promise<void>((resolve) => {
    begun = resolve
  })
  const cancel = async (reason: string) => {
    await isBegun
    const request = { agent, method: 'cancel', args: [taskId, reason] }
    for await (const _ of client.post('/commands', request));
  }
  const reply = async (): Promise<Reply> => {
    checkTaskId(taskId)
    // A relative path starts where this process is, and the owner may be elsewhere.
    const input = checkTaskInput(task, { allowLocalRepos: true })
    if (signal?.aborted) throw new TaskCancelledError({ agent, taskId, reason: String(signal.reason) })
    const callOff = () => void cancel(String(signal?.reason)).catch(() => {})
    signal?.addEventListener('abort', callOff, { once: true })
    try {
      const request: TaskRequest = { agent, taskId, task: input, options }
      for await (const line of client.post('/tasks', request, begun) as AsyncGenerator<Line>) {
        if ('reply' in line) return line.reply
        if ('message' in line) events.emit(`message ${taskId}`, line.message)
        if ('held' in line) options.onHeld?.(line.held)
        if ('released' in line) options.onReleased?.()
      }
      throw client.unavailable('gave no answer')
    } catch (error) {
      throw kept(client, agent, taskId, error)
    } finally {
      begun()
      signal?.removeEventListener('abort', callOff)
    }
  }
  return new TaskHandle(taskId, reply(), events, cancel)
}

/** Where the owner has gone, the task is not: whoever opens the store next goes on with it. */
function kept(client: OwnerClient, agent: string, taskId: string, error: unknown): unknown {
  const tag = error instanceof ClaudeAgentError ? error._tag : ''
  if (tag !== 'ClosedError' && tag !== 'OwnerUnavailable') return error
  const problem =
    tag === 'ClosedError' ? 'has closed it before the task had ended' : 'has ended in the middle of the task'
  const hint = `Ask again under the same id for its answer: claude-agents agent ask ${agent} "..." --task-id ${taskId}`
  return client.unavailable(problem, hint, error)
}
