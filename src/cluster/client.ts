/** The way to agents that live in workers: a request is sent to where its agent is, and again when that has moved. */
import { randomUUID } from 'node:crypto'
import type { Placement } from '../actors/agent/ref.ts'
import type { AskOptions } from '../actors/agent/tasks/ask-options.ts'
import { type DraftChange, TaskChannel } from '../actors/agent/tasks/channel.ts'
import { type Reply, TaskHandle } from '../actors/agent/tasks/handle.ts'
import type { HeldTask } from '../actors/agent/tasks/held.ts'
import type { CallMessage } from '../claude/runner.ts'
import { type Clock, pause, systemClock } from '../clock.ts'
import { TaskCancelledError } from '../events/errors/task.ts'
import { ClosedError, InvalidInputError } from '../events/errors/usage.ts'
import { checkTaskId } from '../events/ids.ts'
import { callListener } from '../events/listener.ts'
import { checkTaskInput, type TaskInput } from '../events/task-input.ts'
import { AGENT_COMMANDS } from '../owner/commands.ts'
import { errorFrom, isErrorLine } from '../owner/wire.ts'
import { remoteAccept } from '../remote/ask.ts'
import {
  type EntityAsk,
  type EntityCommand,
  type EntityKind,
  type EntityRun,
  WORKER_COMMANDS,
} from './requests.ts'

type Line =
  | { readonly message: CallMessage }
  | { readonly reply: Reply }
  | { readonly held: HeldTask }
  | { readonly released: true }

/** Between two tries to reach an agent that moves. */
const AGAIN_MS = 100
/** The agent has left the worker that was asked: it is somewhere else by now, or will be. */
const MOVED = new Set(['ClosedError', 'Fenced', 'StoreLockLost'])

/** How a request reaches an agent or a run, where that is now. It fails, or answers that it has moved, where it does not. */
export interface Transport {
  command(kind: EntityKind, id: string, request: string, signal: AbortSignal): Promise<string>
  ask(kind: EntityKind, id: string, request: string): Promise<AsyncIterable<string>>
  drafts(agent: string): Promise<AsyncIterable<string>>
}

export class ClusterClient {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #closing = new AbortController()

  constructor(transport: Transport, clock: Clock = systemClock) {
    this.#transport = transport
    this.#clock = clock
  }

  close(): void {
    this.#closing.abort()
  }

  /** Calls a method of an agent where it lives, or one of the orchestrator there that makes or ends it. */
  command(agent: string, method: string, args: readonly unknown[]): Promise<unknown> {
    return this.#command('agent', agent, method, args)
  }

  /** The same of a run. */
  runCommand(run: string, method: string, args: readonly unknown[]): Promise<unknown> {
    return this.#command('run', run, method, args)
  }

  /** Each line that is told of a task, from the beginning again if its agent moves. */
  ask(agent: string, request: EntityAsk): AsyncGenerator<unknown> {
    return this.#tried(() => this.#transport.ask('agent', agent, JSON.stringify(request)))
  }

  /** The same of a run. */
  run(run: string, request: EntityRun): AsyncGenerator<unknown> {
    return this.#tried(() => this.#transport.ask('run', run, JSON.stringify(request)))
  }

  drafts(agent: string): AsyncGenerator<unknown> {
    return this.#tried(() => this.#transport.drafts(agent))
  }

  async #command(kind: EntityKind, id: string, method: string, args: readonly unknown[]): Promise<unknown> {
    const given = args.slice(0, args.findLastIndex((argument) => argument !== undefined) + 1)
    const request: EntityCommand = { method, args: given }
    const send = async () => [
      await this.#transport.command(kind, id, JSON.stringify(request), this.#closing.signal),
    ]
    for await (const line of this.#tried(send)) return (line as { result: unknown }).result
    throw new ClosedError({ what: 'cluster' })
  }

  async *#tried(send: () => Promise<Iterable<string> | AsyncIterable<string>>): AsyncGenerator<unknown> {
    const { signal } = this.#closing
    for (;;) {
      if (signal.aborted) throw new ClosedError({ what: 'cluster' })
      try {
        for await (const text of left(await send())) {
          const line = JSON.parse(text) as unknown
          if (!isErrorLine(line)) yield line
          else if (!MOVED.has(line.error.tag)) throw new Told(errorFrom(line))
          else break
        }
      } catch (error) {
        if (error instanceof Told) throw error.error
      }
      await pause(this.#clock, AGAIN_MS, signal)
    }
  }
}

/** Reads to an end or leaves, which the other side need not confirm: it may have moved. */
async function* left(texts: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string> {
  const iterator = Symbol.asyncIterator in texts ? texts[Symbol.asyncIterator]() : texts[Symbol.iterator]()
  try {
    for (;;) {
      const next = await iterator.next()
      if (next.done) return
      yield next.value
    }
  } finally {
    void Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

/** What was thrown by the agent, in place of by the way to it. */
class Told {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

/** All agents live in workers. */
export const clusterPlacement = (client: ClusterClient): Placement => ({
  owns: () => false,
  call(agent, method, args) {
    if (method === 'ask')
      return clusterAsk(client, agent, args[0] as string, args[1] as AskOptions | undefined)
    if (method === 'accept') return remoteAccept(client, agent, args[0] as string, args[1] as AskOptions)
    if (method === 'drafts') return client.drafts(agent) as AsyncGenerator<DraftChange>
    if (!AGENT_COMMANDS.includes(method) && !WORKER_COMMANDS.includes(method))
      throw new InvalidInputError({ what: `agent.${method}`, problem: 'it works only where the agent lives' })
    return client.command(agent, method, args)
  },
})

/** Asks an agent. The task outlives this process. */
function clusterAsk(
  client: ClusterClient,
  agent: string,
  task: string | TaskInput,
  { signal, taskId = randomUUID(), origin, onHeld, onReleased, ...options }: AskOptions = {},
): TaskHandle {
  const channel = new TaskChannel()
  const cancel = async (reason: string) => void (await client.command(agent, 'cancel', [taskId, reason]))
  const reply = async (): Promise<Reply> => {
    checkTaskId(taskId)
    const input = checkTaskInput(task, { allowLocalRepos: true })
    const { step, interest, ...from } = origin ?? {}
    const isWanted = () => !signal?.aborted && interest?.isWanted !== false
    if (!isWanted())
      throw new TaskCancelledError({ agent, taskId, reason: String(signal?.reason ?? interest?.reason) })
    const listeners = step ?? { onHeld, onReleased }
    const causationId = step && !step.isScheduled ? await step.schedule() : origin?.causationId
    const given = origin ? { ...options, origin: { ...from, causationId } } : options
    let isOver = false
    const lose = async () => {
      // Until the agent has accepted the task, there is nothing to cancel.
      const reason = String(signal?.reason ?? interest?.reason)
      while (!isOver && !(await client.command(agent, 'cancel', [taskId, reason])))
        await pause(systemClock, AGAIN_MS)
    }
    const abort = () => void lose().catch(() => {})
    signal?.addEventListener('abort', abort, { once: true })
    const forget = interest?.whenAborted(abort)
    try {
      for await (const line of client.ask(agent, {
        taskId,
        task: input,
        options: given,
      }) as AsyncGenerator<Line>) {
        if ('reply' in line) return line.reply
        if ('message' in line) channel.tell(taskId, { type: 'message', message: line.message })
        if ('held' in line) callListener(() => listeners.onHeld?.(line.held))
        if ('released' in line) callListener(() => listeners.onReleased?.())
      }
      throw new ClosedError({ what: 'cluster' })
    } finally {
      isOver = true
      signal?.removeEventListener('abort', abort)
      forget?.()
    }
  }
  return new TaskHandle(taskId, reply(), channel, cancel)
}
