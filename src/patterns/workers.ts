/** Who does a step: an agent, or whoever of a pool is free. Copies are made when they are needed, and go with the run. */
import type { Agent } from '../actors/agent.ts'
import type { AgentSystem } from '../actors/agent-system.ts'
import type { Pool, Worker } from './pattern.ts'

export interface Hired {
  readonly agent: Agent
  release(): void
}

interface Copies {
  readonly free: number[]
  readonly waiting: ((number: number) => void)[]
}

export class Workers {
  readonly #agents: AgentSystem
  readonly #pools = new Map<string, Copies>()
  readonly #made = new Set<string>()

  constructor(agents: AgentSystem) {
    this.#agents = agents
  }

  /** @param taken The copy that had begun the step before a crash: the same one goes on with it. */
  async hire(worker: Worker, taken?: string): Promise<Hired> {
    if (typeof worker === 'string') return { agent: await this.#agents.get(worker), release: () => {} }
    const number = await this.#take(worker, taken)
    try {
      const agent = await this.#agents.copy(worker.pool, number)
      this.#made.add(agent.id)
      return { agent, release: () => this.#give(worker, number) }
    } catch (error) {
      this.#give(worker, number)
      throw error
    }
  }

  /** Removes the copies. */
  async dismiss(): Promise<void> {
    for (const id of this.#made) await this.#agents.remove(id)
    this.#made.clear()
  }

  #take(pool: Pool, taken: string | undefined): Promise<number> {
    const { free, waiting } = this.#copies(pool)
    const wanted = taken === undefined ? -1 : free.indexOf(Number(taken.split('.').at(-1)))
    const number = wanted >= 0 ? free.splice(wanted, 1)[0] : free.shift()
    if (number !== undefined) return Promise.resolve(number)
    return new Promise((resolve) => waiting.push(resolve))
  }

  #give(pool: Pool, number: number): void {
    const { free, waiting } = this.#copies(pool)
    const next = waiting.shift()
    if (next) next(number)
    else free.push(number)
  }

  #copies({ pool, size }: Pool): Copies {
    const known = this.#pools.get(pool)
    if (known) return known
    const copies: Copies = { free: Array.from({ length: size }, (_, index) => index + 1), waiting: [] }
    this.#pools.set(pool, copies)
    return copies
  }
}
