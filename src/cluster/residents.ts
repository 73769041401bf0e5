/** The agents that live in this worker: each is claimed before it is folded, and leaves once its work has ended. */
import { AGENT_COMMANDS, LIFE_COMMANDS } from '../owner/commands.ts'
import { errorLine } from '../owner/wire.ts'
import type { AgentRef } from '../actors/agent/ref.ts'
import { inTime, systemClock } from '../clock.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { streamName } from '../events/ids.ts'
import { heard } from '../events/listener.ts'
import type { ClaimedLog } from './claims.ts'
import type { EntityAsk, EntityCommand } from './entity.ts'

/** What a worker needs of its orchestrator. */
export interface WorkerSystem {
  agent(id: string): Promise<AgentRef>
  /** Ends what this process does for an agent, and records nothing. */
  releaseAgent(id: string): Promise<void>
}

export class Residents {
  readonly #system: WorkerSystem
  readonly #log: ClaimedLog
  readonly #drainMs: number
  readonly #here = new Set<string>()

  constructor(system: WorkerSystem, log: ClaimedLog, drainMs: number) {
    this.#system = system
    this.#log = log
    this.#drainMs = drainMs
  }

  get size(): number {
    return this.#here.size
  }

  has(id: string): boolean {
    return this.#here.has(id)
  }

  async enter(id: string): Promise<void> {
    await this.#log.claim(streamName('agent', id))
    this.#here.add(id)
  }

  async leave(id: string): Promise<void> {
    const agent = await this.#system.agent(id).catch(() => undefined)
    const settled = agent?.isStarted ? agent.settled().catch(() => {}) : Promise.resolve()
    await inTime(systemClock, settled, this.#drainMs, undefined)
    await this.#system.releaseAgent(id)
    this.#log.release(streamName('agent', id))
    this.#here.delete(id)
  }

  /** Never rejects: an error is an answer. */
  async command(id: string, request: string): Promise<string> {
    try {
      const { method, args } = JSON.parse(request) as EntityCommand
      const isOfSystem = LIFE_COMMANDS.includes(method)
      if (method === 'start') {
        const agent = await this.#system.agent(id)
        agent.start()
        return '{"result":null}'
      }
      if (!isOfSystem && !AGENT_COMMANDS.includes(method))
        throw new InvalidInputError({ what: method, problem: 'it is not a command of an agent' })
      const target = isOfSystem ? this.#system : await this.#system.agent(id)
      const result = await call(target, method, args)
      return JSON.stringify({ result: isPlain(result) ? (result ?? null) : null })
    } catch (error) {
      return JSON.stringify(errorLine(error))
    }
  }

  /** What becomes of a task. The task continues when this is left. */
  async *ask(id: string, request: string): AsyncGenerator<string> {
    const { taskId, task, options } = JSON.parse(request) as EntityAsk
    let agent: AgentRef
    try {
      agent = await this.#system.agent(id)
    } catch (error) {
      yield JSON.stringify(errorLine(error))
      return
    }
    yield* heard<string>((next, end) => {
      const tell = (line: object) => next(JSON.stringify(line))
      const asked = agent.ask(task as never, {
        ...options,
        taskId,
        onHeld: (held) => tell({ held }),
        onReleased: () => tell({ released: true }),
      })
      const read = async () => {
        for await (const message of asked) tell({ message })
        tell({ reply: await asked })
      }
      read()
        .catch((error) => tell(errorLine(error)))
        .finally(end)
      return () => {}
    })
  }

  async *drafts(id: string): AsyncGenerator<string> {
    const leaving = new AbortController()
    try {
      const agent = await this.#system.agent(id)
      for await (const change of agent.drafts(leaving.signal)) yield JSON.stringify(change)
    } finally {
      leaving.abort()
    }
  }
}

/** Calls the method at a path: `files.diff` is `agent.files.diff`. The caller has checked the path against the list. */
function call(target: object, path: string, args: readonly unknown[]): unknown {
  const [method = '', part] = path.split('.').toReversed()
  const methods = (part === undefined ? target : Reflect.get(target, part)) as Record<
    string,
    (...args: readonly unknown[]) => unknown
  >
  return methods[method]?.(...args)
}

const isPlain = (value: unknown) =>
  value === null ||
  typeof value !== 'object' ||
  Array.isArray(value) ||
  Object.getPrototypeOf(value) === Object.prototype
