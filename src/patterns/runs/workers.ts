/** Who does a step: an agent, or whoever of a pool is free. Copies are made when they are needed, and go with the run. */
import type { Agent } from '../../actors/agent/agent.ts'
import type { AgentSystem } from '../../actors/agent/system.ts'
import type { Pool, Worker } from '../pattern.ts'

export interface Hired {
  readonly agent: Agent
  release(): void
}

interface Copies {
  readonly free: number[]
  readonly waiting: ((number: number) => void)[]
}

/** By how many runs of this process each copy is used: a run that ends must not remove those of another. */
export type CopyUse = Map<string, number>

export class Workers {
  readonly #agents: AgentSystem
  readonly #use: CopyUse
  readonly #pools = new Map<string, Copies>()
  readonly #used = new Set<string>()
  /** Agents that may have copies because of this run. */
  readonly #copied: Set<string>

  /** @param copied Agents that the run had copies of before. */
  constructor(agents: AgentSystem, use: CopyUse, copied: Iterable<string>) {
    this.#agents = agents
    this.#use = use
    this.#copied = new Set(copied)
  }

  /** Somebody may be hired: copies that a crash has left behind are then removed, also when nobody is. */
  expect(worker: Worker): void {
    if (typeof worker === 'object') this.#copied.add(worker.pool)
  }

  /** @param begunBy Who had begun the step before a crash: only that one knows whether it was done. */
  async hire(worker: Worker, begunBy?: string): Promise<Hired> {
    if (begunBy !== undefined) return this.#hireAgain(worker, begunBy)
    if (typeof worker === 'string') return { agent: await this.#agents.get(worker), release: () => {} }
    const number = await this.#take(worker)
    try {
      const agent = await this.#copy(worker.pool, number)
      return { agent, release: () => this.#give(worker, number) }
    } catch (error) {
      this.#give(worker, number)
      throw error
    }
  }

  /** The run has come to its end, and no longer needs the copies. */
  async dismiss(): Promise<void> {
    for (const id of this.#used) {
      const users = (this.#use.get(id) ?? 1) - 1
      if (users > 0) this.#use.set(id, users)
      else this.#use.delete(id)
    }
    this.#used.clear()
    for (const agent of this.#copied) await this.#agents.removeCopies(agent, (copy) => this.#use.has(copy))
  }

  /** Also one who is busy, or of a pool that has become smaller. */
  async #hireAgain(worker: Worker, begunBy: string): Promise<Hired> {
    const [id = '', number] = begunBy.split('.')
    if (number === undefined) return { agent: await this.#agents.get(id), release: () => {} }
    const agent = await this.#copy(id, Number(number))
    const free = typeof worker === 'object' ? this.#copies(worker).free : []
    const place = free.indexOf(Number(number))
    if (typeof worker === 'string' || place < 0) return { agent, release: () => {} }
    free.splice(place, 1)
    return { agent, release: () => this.#give(worker, Number(number)) }
  }

  #copy(agent: string, number: number): Promise<Agent> {
    const id = `${agent}.${number}`
    if (!this.#used.has(id)) {
      this.#used.add(id)
      this.#use.set(id, (this.#use.get(id) ?? 0) + 1)
    }
    return this.#agents.copy(agent, number)
  }

  #take(pool: Pool): Promise<number> {
    const { free, waiting } = this.#copies(pool)
    const number = free.shift()
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
