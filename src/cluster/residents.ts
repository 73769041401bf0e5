/** The agents that live in this worker: each is claimed before it is folded, and leaves once its work has ended. */
import type { AgentRef } from '../actors/agent/ref.ts'
import { inTime, steadyTime, systemClock } from '../clock.ts'
import { Fenced } from '../events/errors/store.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { streamName } from '../events/ids.ts'
import { heard } from '../events/listener.ts'
import { AGENT_COMMANDS, callCommand, isData } from '../owner/commands.ts'
import { errorLine } from '../owner/wire.ts'
import type { ClaimedLog } from './claims.ts'
import { type EntityAsk, type EntityCommand, WORKER_COMMANDS } from './entity.ts'

/** What a worker needs of its orchestrator. */
export interface WorkerSystem {
  agent(id: string): Promise<AgentRef>
  /** Ends what this process does for an agent, and records nothing. */
  releaseAgent(id: string): Promise<void>
  /** Makes the copy of an agent in a pool, unless it is there. */
  copyAgent(id: string, number: number): Promise<AgentRef>
}

export class Residents {
  readonly #system: WorkerSystem
  readonly #log: ClaimedLog
  readonly #drainMs: number
  readonly #here = new Set<string>()
  /** Those whose work was ended, because another worker has them or may have, each since when. */
  readonly #lost = new Map<string, number>()

  constructor(system: WorkerSystem, log: ClaimedLog, drainMs: number) {
    this.#system = system
    this.#log = log
    this.#drainMs = drainMs
  }

  get size(): number {
    return this.#here.size
  }

  /** Whether an agent lives here. */
  has(id: string): boolean {
    return this.#here.has(id) && !this.#lost.has(id)
  }

  /** Those whose work was ended at least so long ago, and that have not left. */
  lostFor(ms: number): readonly string[] {
    const before = steadyTime(systemClock) - ms
    return [...this.#lost].flatMap(([id, at]) => (at <= before ? [id] : []))
  }

  async enter(id: string): Promise<void> {
    await this.#log.claim(streamName('agent', id))
    this.#here.add(id)
    this.#lost.delete(id)
    // What was read of it here before.
    await this.#system.releaseAgent(id)
  }

  /** Ends its work at once, if it does not end by itself in time, or if it was lost. */
  async leave(id: string): Promise<void> {
    const agent = this.has(id) ? await this.#system.agent(id).catch(() => undefined) : undefined
    const settled = agent?.isStarted ? agent.settled().catch(() => {}) : Promise.resolve()
    await inTime(systemClock, settled, this.#drainMs, undefined)
    await this.#system.releaseAgent(id)
    this.#log.release(streamName('agent', id))
    this.#here.delete(id)
    this.#lost.delete(id)
  }

  /** Ends the work of agents at once: their calls are terminated, and those who wait for them ask again. */
  async lose(ids: Iterable<string> = this.#here): Promise<void> {
    await Promise.all(
      [...ids].map(async (id) => {
        if (!this.has(id)) return
        this.#lost.set(id, steadyTime(systemClock))
        await this.#system.releaseAgent(id)
      }),
    )
  }

  /** Never rejects: an error is an answer. */
  async command(id: string, request: string): Promise<string> {
    try {
      const { method, args } = JSON.parse(request) as EntityCommand
      this.#assertHere(id)
      if (method === 'start') {
        ;(await this.#system.agent(id)).start()
        return '{"result":null}'
      }
      const isOfSystem = WORKER_COMMANDS.includes(method)
      if (!isOfSystem && !AGENT_COMMANDS.includes(method))
        throw new InvalidInputError({ what: method, problem: 'it is not a command of an agent' })
      const target = isOfSystem ? this.#system : await this.#system.agent(id)
      const result = await callCommand(target, method, args)
      return JSON.stringify({ result: isData(result) ? (result ?? null) : null })
    } catch (error) {
      return JSON.stringify(errorLine(error))
    }
  }

  /** What becomes of a task. The task continues when this is left. */
  async *ask(id: string, request: string): AsyncGenerator<string> {
    const { taskId, task, options } = JSON.parse(request) as EntityAsk
    let agent: AgentRef
    try {
      this.#assertHere(id)
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
      this.#assertHere(id)
      const agent = await this.#system.agent(id)
      for await (const change of agent.drafts(leaving.signal)) yield JSON.stringify(change)
    } catch (error) {
      yield JSON.stringify(errorLine(error))
    } finally {
      leaving.abort()
    }
  }

  #assertHere(id: string): void {
    if (!this.has(id)) throw new Fenced({ stream: streamName('agent', id) })
  }
}
