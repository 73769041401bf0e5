/** The agents that live in this worker: each is claimed before it is folded, and leaves once its work has ended. */
import type { AgentRef } from '../actors/agent/ref.ts'
import { inTime, systemClock } from '../clock.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { streamName } from '../events/ids.ts'
import { heard } from '../events/listener.ts'
import { AGENT_COMMANDS, callCommand, isData } from '../owner/commands.ts'
import { errorLine } from '../owner/wire.ts'
import { ClaimedHere } from './claimed-here.ts'
import type { ClaimedLog } from './claims.ts'
import { type EntityAsk, type EntityCommand, WORKER_COMMANDS } from './requests.ts'

/** What a worker needs of its orchestrator. */
export interface WorkerSystem {
  agent(id: string): Promise<AgentRef>
  /** Ends what this process does for an agent, and records nothing. */
  releaseAgent(id: string): Promise<void>
  /** Makes the copy of an agent in a pool for a run, unless it is there. false if it was made for another run. */
  copyAgent(id: string, number: number, run: string): Promise<boolean>
}

export class Residents extends ClaimedHere {
  readonly #system: WorkerSystem
  readonly #drainMs: number

  constructor(system: WorkerSystem, log: ClaimedLog, drainMs: number) {
    super(log)
    this.#system = system
    this.#drainMs = drainMs
  }

  protected streamOf(id: string): string {
    return streamName('agent', id)
  }

  protected release(id: string): Promise<void> {
    return this.#system.releaseAgent(id)
  }

  protected async entered(): Promise<void> {}

  /** Its work is ended at once, if it does not end by itself in time, or if it was lost. */
  protected ended(id: string): Promise<void> {
    return this.settled(id)
  }

  /** Resolves when an agent that works here has nothing more to do, or has taken too long for it. */
  async settled(id: string): Promise<void> {
    const agent = this.has(id) ? await this.#system.agent(id).catch(() => undefined) : undefined
    const settled = agent?.isStarted ? agent.settled().catch(() => {}) : Promise.resolve()
    // One that is lost meanwhile may never say that its work has ended.
    await inTime(systemClock, Promise.race([settled, this.whenGone(id)]), this.#drainMs, undefined)
  }

  /** Never rejects: an error is an answer. */
  async command(id: string, request: string): Promise<string> {
    try {
      const { method, args } = JSON.parse(request) as EntityCommand
      this.assertHere(id)
      if (method === 'start') {
        const agent = await this.#system.agent(id)
        agent.start()
        // The engine ends what has no request for long.
        await Promise.race([agent.settled(), this.whenGone(id)])
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
      this.assertHere(id)
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
      this.assertHere(id)
      const agent = await this.#system.agent(id)
      for await (const change of agent.drafts(leaving.signal)) yield JSON.stringify(change)
    } catch (error) {
      yield JSON.stringify(errorLine(error))
    } finally {
      leaving.abort()
    }
  }
}
