/** The way to agents that live in workers: a request is sent to where its agent is, and again when that has moved. */
import { setMaxListeners } from 'node:events'
import type { Placement } from '../actors/agent/moving/placement.ts'
import type { AskOptions } from '../actors/agent/tasks/ask.ts'
import type { DraftChange } from '../actors/agent/tasks/channel.ts'
import { type Clock, inTime, pause, systemClock } from '../clock.ts'
import { NoWorkerError } from '../events/errors/owner.ts'
import { TaskCancelledError } from '../events/errors/task.ts'
import { ClosedError, InvalidInputError } from '../events/errors/usage.ts'
import { AGENT_COMMANDS } from '../owner/commands.ts'
import { errorFrom, isErrorLine } from '../owner/wire.ts'
import { askElsewhere, remoteAccept, type TaskLine, type TaskWay } from '../remote/ask.ts'
import type { Addressed, AddressedRequest, Addresses } from './labels/addresses.ts'
import {
  ENDING_COMMANDS,
  type EntityAsk,
  type EntityCommand,
  type EntityKind,
  type EntityRun,
  LET_GO,
  LIMBO_COMMANDS,
  WORKER_COMMANDS,
} from './requests.ts'

/** Between two tries to reach an agent that moves. */
const AGAIN_MS = 100
/** How long it is waited for any worker to hear that a task is not wanted, which none was given yet. */
const UNHEARD_MS = 5000
/** The agent has left the worker that was asked: it is somewhere else by now, or will be. */
const MOVED = new Set(['ClosedError', 'Fenced', 'StoreLockLost'])

/** How a request reaches an agent by its address, or a run, where that is now. It fails, or answers that it has moved, where it does not. */
export interface Transport {
  command(kind: EntityKind, id: string, request: string, signal: AbortSignal): Promise<string>
  ask(kind: EntityKind, id: string, request: string): Promise<AsyncIterable<string>>
  drafts(agent: string): Promise<AsyncIterable<string>>
}

export class ClusterClient {
  readonly #transport: Transport
  readonly #addresses: Pick<Addresses, 'of' | 'gone' | 'before' | 'isNowhere'>
  readonly #clock: Clock
  readonly #closing = new AbortController()

  constructor(
    transport: Transport,
    addresses: Pick<Addresses, 'of' | 'gone' | 'before' | 'isNowhere'>,
    clock: Clock = systemClock,
  ) {
    this.#transport = transport
    this.#addresses = addresses
    this.#clock = clock
    // Each request that waits listens: Node would warn of a leak.
    setMaxListeners(0, this.#closing.signal)
  }

  close(): void {
    this.#closing.abort()
  }

  /** Calls a method of an agent where it lives, or one of the orchestrator there that makes or ends it. */
  async command(
    agent: string,
    method: string,
    args: readonly unknown[],
    requires?: readonly string[],
  ): Promise<unknown> {
    const request = commandText(method, args)
    // Otherwise the worker that takes it waits until its work has ended where it lives.
    if (LIMBO_COMMANDS.includes(method) && (await this.#addresses.isNowhere(agent).catch(() => false))) {
      const done = await this.#whereItWas(agent, request)
      if (done) return done.result
    }
    const answer = this.#result(
      this.#toAgent({ agent, method, requires }, async (address, signal) => [
        await this.#transport.command('agent', address, request, signal),
      ]),
    )
    if (!ENDING_COMMANDS.includes(method)) return answer
    // Where it belongs it may be only once the call that this would end has ended.
    const before = this.#whereItWas(agent, request).then((done) => (done ? done.result : answer))
    return Promise.race([answer, before])
  }

  /** What an agent answers that lives where it belonged before; undefined if it does not. Throws what it refuses. */
  async #whereItWas(agent: string, request: string): Promise<{ readonly result: unknown } | undefined> {
    for (const addressed of await this.#addresses.before(agent).catch(() => [])) {
      const line = await this.#answer(addressed, request)
      if (line === undefined) continue
      if (!isErrorLine(line)) return line as { readonly result: unknown }
      if (!MOVED.has(line.error.tag)) throw errorFrom(line)
    }
    return undefined
  }

  /** What one address answers to a command; undefined if it does not. */
  async #answer(addressed: Addressed, request: string): Promise<unknown> {
    let attempt: Attempt | undefined
    try {
      attempt = await this.#sent(addressed, async (address, signal) => [
        await this.#transport.command('agent', address, request, signal),
      ])
      for await (const text of left(attempt)) return JSON.parse(text)
    } catch {
      // It is not there.
    } finally {
      attempt?.end?.()
    }
    return undefined
  }

  /** Asks what had an agent by other labels to let go of it. Resolves when it has. */
  async letGo(agent: string, requires: readonly string[]): Promise<void> {
    await this.command(agent, LET_GO, [], requires).catch((error) => {
      // It is nowhere.
      if (!(error instanceof NoWorkerError)) throw error
    })
  }

  /** The same of a run. */
  runCommand(run: string, method: string, args: readonly unknown[]): Promise<unknown> {
    const request = commandText(method, args)
    const { signal } = this.#closing
    return this.#result(
      this.#tried(async () => ({ texts: [await this.#transport.command('run', run, request, signal)] })),
    )
  }

  /**
   * Each line that is told of a task, from the beginning again if its agent moves.
   *
   * @param waiting `sent` is called before a worker hears of it. Until then, it fails once the signal aborts.
   */
  ask(
    agent: string,
    request: EntityAsk,
    requires?: readonly string[],
    waiting: { readonly signal: AbortSignal; sent(): void } | undefined = undefined,
  ): AsyncGenerator<unknown> {
    const text = JSON.stringify(request)
    const signal = waiting && AbortSignal.any([this.#closing.signal, waiting.signal])
    return this.#toAgent({ agent, method: 'ask', requires, signal }, (address) => {
      waiting?.sent()
      return this.#transport.ask('agent', address, text)
    })
  }

  /** The same of a run. */
  run(run: string, request: EntityRun): AsyncGenerator<unknown> {
    const text = JSON.stringify(request)
    return this.#tried(async () => ({ texts: await this.#transport.ask('run', run, text) }))
  }

  drafts(agent: string, requires?: readonly string[]): AsyncGenerator<unknown> {
    return this.#toAgent({ agent, method: 'drafts', requires }, (address) => this.#transport.drafts(address))
  }

  async #result(lines: AsyncGenerator<unknown>): Promise<unknown> {
    for await (const line of lines) return (line as { result: unknown }).result
    throw new ClosedError({ what: 'cluster' })
  }

  #toAgent(
    {
      signal = this.#closing.signal,
      ...request
    }: Omit<AddressedRequest, 'signal'> & { signal?: AbortSignal | undefined },
    send: (address: string, signal: AbortSignal) => Promise<Texts>,
  ): AsyncGenerator<unknown> {
    return this.#tried(async (isFirst) => {
      const addressed = await this.#addresses.of({ ...request, signal }, isFirst).catch((error) => {
        throw error instanceof NoWorkerError || signal.aborted ? new Told(error) : error
      })
      if (signal.aborted) throw new Told(new ClosedError({ what: 'cluster' }))
      return this.#sent(addressed, send)
    })
  }

  /** Fails when no worker answers there any more. */
  async #sent(
    { address, requires }: Addressed,
    send: (address: string, signal: AbortSignal) => Promise<Texts>,
  ): Promise<Attempt> {
    const closing = this.#closing.signal
    if (requires.length === 0) return { texts: await send(address, closing) }
    const leaving = new AbortController()
    const gone = this.#addresses.gone(requires, leaving.signal)
    try {
      const sent = send(address, AbortSignal.any([closing, leaving.signal]))
      const texts = await Promise.race([sent, gone])
      if (texts) return { texts, gone, end: () => leaving.abort() }
      // No worker answers it.
      sent.catch(() => {})
      throw new Error('no worker has the labels any more')
    } catch (error) {
      leaving.abort()
      throw error
    }
  }

  async *#tried(send: (isFirst: boolean) => Promise<Attempt>): AsyncGenerator<unknown> {
    const { signal } = this.#closing
    for (let isFirst = true; ; isFirst = false) {
      if (signal.aborted) throw new ClosedError({ what: 'cluster' })
      let attempt: Attempt | undefined
      try {
        attempt = await send(isFirst)
        for await (const text of left(attempt)) {
          const line = JSON.parse(text) as unknown
          if (!isErrorLine(line)) yield line
          else if (!MOVED.has(line.error.tag)) throw new Told(errorFrom(line))
          else break
        }
      } catch (error) {
        if (error instanceof Told) throw error.error
      } finally {
        attempt?.end?.()
      }
      await pause(this.#clock, AGAIN_MS, signal)
    }
  }
}

type Texts = Iterable<string> | AsyncIterable<string>

interface Attempt {
  readonly texts: Texts
  /** Resolves when no worker can answer any more. */
  readonly gone?: Promise<void>
  readonly end?: () => void
}

function commandText(method: string, args: readonly unknown[]): string {
  const given = args.slice(0, args.findLastIndex((argument) => argument !== undefined) + 1)
  return JSON.stringify({ method, args: given } satisfies EntityCommand)
}

/** Reads to an end or leaves, which the other side need not confirm: it may have moved. */
async function* left({ texts, gone }: Attempt): AsyncGenerator<string> {
  const iterator = Symbol.asyncIterator in texts ? texts[Symbol.asyncIterator]() : texts[Symbol.iterator]()
  try {
    for (;;) {
      const next = await (gone ? Promise.race([iterator.next(), gone]) : iterator.next())
      if (!next || next.done) return
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
  call(agent, method, args, requires) {
    if (method === 'ask')
      return askElsewhere(
        clusterWay(client, agent, requires),
        agent,
        args[0] as string,
        args[1] as AskOptions | undefined,
      )
    if (method === 'accept') {
      const way = {
        command: (...[id, name, given]: CommandWords) => client.command(String(id), name, given, requires),
      }
      return remoteAccept(way, agent, args[0] as string, args[1] as AskOptions)
    }
    if (method === 'drafts') return client.drafts(agent, requires) as AsyncGenerator<DraftChange>
    if (!AGENT_COMMANDS.includes(method) && !WORKER_COMMANDS.includes(method))
      throw new InvalidInputError({ what: `agent.${method}`, problem: 'it works only where the agent lives' })
    return client.command(agent, method, args, requires)
  },
})

type CommandWords = [agent: string | null, method: string, args: readonly unknown[]]

/** The way to the tasks of an agent, wherever it lives. */
const clusterWay = (
  client: ClusterClient,
  agent: string,
  requires: readonly string[] | undefined,
): TaskWay => ({
  async *lines({ request: { taskId, task, options }, signal, interest }) {
    let isOver = false
    let isSent = false
    const waiting = new AbortController()
    const reason = () => String(signal?.reason ?? interest?.reason)
    const lose = async () => {
      // One that fails is told by what is asked as well.
      const cancel = () => client.command(agent, 'cancel', [taskId, reason()], requires).catch(() => true)
      let cancelled = cancel()
      // No worker has heard of the task from here, but one may have from an earlier ask under its id.
      if (!isSent) await inTime(systemClock, cancelled, UNHEARD_MS, false)
      if (!isSent) waiting.abort()
      // Until the agent has accepted the task, there is nothing to cancel.
      for (; !isOver && !(await cancelled); cancelled = cancel()) await pause(systemClock, AGAIN_MS)
    }
    const abort = () => void lose()
    signal?.addEventListener('abort', abort, { once: true })
    const forget = interest?.whenAborted(abort)
    try {
      const sent = () => {
        isSent = true
      }
      const request = { taskId, task, options }
      yield* client.ask(agent, request, requires, {
        signal: waiting.signal,
        sent,
      }) as AsyncGenerator<TaskLine>
    } catch (error) {
      if (!waiting.signal.aborted) throw error
      throw new TaskCancelledError({ agent, taskId, reason: reason() })
    } finally {
      isOver = true
      signal?.removeEventListener('abort', abort)
      forget?.()
    }
  },
  cancel: (taskId, reason) => client.command(agent, 'cancel', [taskId, reason], requires),
  failure: (_, error) => error,
  unanswered: () => new ClosedError({ what: 'cluster' }),
})
