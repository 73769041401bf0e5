/** What an owner does for other processes: it calls methods of its orchestrator by name, and runs tasks. */
import type { HoldListeners } from '../actors/agent/tasks/channel.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import {
  AGENT_COMMANDS,
  type CommandRequest,
  READING_COMMANDS,
  SYSTEM_COMMANDS,
  type TaskRequest,
} from './commands.ts'
import { errorLine, type LineWriter } from './wire.ts'

/** The methods of an agent that tasks need. */
export interface OwnedAgent {
  ask(task: never, options: object): PromiseLike<unknown> & AsyncIterable<unknown>
  cancel(taskId: string, reason: string): Promise<boolean>
  reply(taskId: string, listeners: HoldListeners): Promise<unknown>
}

/** The one method of an orchestrator that is not called by name. */
export interface OwnedSystem {
  agent(id: string): Promise<OwnedAgent>
}

/** In bytes. A client this far behind has stopped reading: it is disconnected, and can ask again for the recorded reply. */
const LARGEST_BACKLOG = 16 * 1024 * 1024

export class OwnerCommands {
  readonly #system: OwnedSystem
  readonly #prepare: () => Promise<void>
  readonly #assertTaking: () => void
  /** What was accepted from clients that did not wait, until it ends. */
  readonly #left = new Set<Promise<unknown>>()
  /** The same, without what is held. None of these rejects. */
  readonly working = new Set<Promise<unknown>>()
  /** Unfinished tasks that were asked for through the socket, by agent and id. */
  readonly #tasks = new Map<string, AbortController>()

  /** @param assertTaking Throws OwnerStopping once nothing new is accepted. */
  constructor(system: OwnedSystem, assertTaking: () => void, prepare: () => Promise<void> = async () => {}) {
    this.#system = system
    this.#prepare = prepare
    this.#assertTaking = assertTaking
  }

  /** Whether something that a client has left to this owner has not ended. */
  get hasLeft(): boolean {
    return this.#left.size > 0
  }

  async run({ agent, method, args }: CommandRequest): Promise<unknown> {
    const allowed = agent === null ? SYSTEM_COMMANDS : AGENT_COMMANDS
    if (!allowed.includes(method) || !Array.isArray(args))
      throw new InvalidInputError({ what: String(method), problem: 'it is not a command of this owner' })
    if (method === 'accept') this.#assertTaking()
    if (!READING_COMMANDS.has(method)) await this.#prepare()
    const aborted = agent !== null && method === 'cancel' && this.#abort(agent, args)
    const target = agent === null ? this.#system : await this.#system.agent(agent)
    const result = await call(target, method, args)
    if (method === 'accept') this.#keep((onHeld) => (target as OwnedAgent).reply(String(result), { onHeld }))
    return isPlain(result) ? aborted || result : null
  }

  #keep(work: (onHeld: () => void) => Promise<unknown>): void {
    const working = new Promise<unknown>((resolve) => {
      const ended = work(() => resolve('held')).catch(() => {})
      this.#left.add(ended)
      void ended.then(() => this.#left.delete(ended)).then(resolve)
    })
    this.working.add(working)
    void working.then(() => this.working.delete(working))
  }

  /** Runs a task and streams its messages and its reply. The task continues when the client disconnects. */
  async ask({ agent: id, taskId, task, options }: TaskRequest, lines: LineWriter): Promise<void> {
    const stop = new AbortController()
    const key = `${id} ${taskId}`
    // The work does not wait for the client to read.
    const send = (line: object) => void lines.write(line)?.catch(() => {})
    this.#tasks.set(key, stop)
    try {
      this.#assertTaking()
      await this.#prepare()
      const agent = await this.#system.agent(id)
      const handle = agent.ask(task as never, {
        ...options,
        taskId,
        signal: stop.signal,
        onHeld: (held: object) => send({ held }),
        onReleased: () => send({ released: true }),
      })
      for await (const message of handle) {
        if (lines.backlog > LARGEST_BACKLOG) return lines.abandon()
        send({ message })
      }
      send({ reply: await handle })
    } catch (error) {
      send(errorLine(error))
    } finally {
      if (this.#tasks.get(key) === stop) this.#tasks.delete(key)
    }
  }

  /** A task that is not in the log yet can be cancelled only through the signal of its ask. */
  #abort(agent: string, [taskId, reason]: readonly unknown[]): boolean {
    const task = this.#tasks.get(`${agent} ${String(taskId)}`)
    task?.abort(reason)
    return task !== undefined
  }
}

/** Calls the method at a path: `runs.cancel` is `target.runs.cancel`. The caller has checked the path against the list. */
function call(target: object, path: string, args: readonly unknown[]): Promise<unknown> | undefined {
  const [method = '', part] = path.split('.').toReversed()
  const methods = (part === undefined ? target : Reflect.get(target, part)) as Methods
  return methods[method]?.(...args)
}

type Methods = Readonly<Record<string, (...args: unknown[]) => Promise<unknown>>>

const isPlain = (value: unknown) =>
  value === null ||
  typeof value !== 'object' ||
  Array.isArray(value) ||
  Object.getPrototypeOf(value) === Object.prototype
