/** Assigns a worker to each step: an agent, or a free copy from a pool. Copies are created on demand, and removed with the run. */
import type { AgentRef } from '../../actors/agent/ref.ts'
import type { AgentSystem } from '../../actors/agent/system.ts'
import type { Pool, Worker } from '../pattern.ts'
import type { RecordedStep } from './recorded-steps.ts'

/** A worker that is reserved for one step. */
export interface Assigned {
  readonly agent: AgentRef
  /** Returns a copy to its pool. */
  release(): void
}

interface Copies {
  readonly free: number[]
  readonly waiting: ((number: number) => void)[]
}

const NOTHING = () => {}

/** How many runs of this process use each copy: a run that ends must not remove the copies of another. */
export type CopyUse = Map<string, number>

export class Workers {
  readonly #agents: AgentSystem
  readonly #use: CopyUse
  readonly #pools = new Map<string, Copies>()
  /** The copies that this run uses. */
  readonly #used = new Set<string>()
  /** The agents that may have copies because of this run. */
  readonly #copied: Set<string>

  /** @param steps The recorded steps of the run: they show which agents it had copies of before. */
  constructor(agents: AgentSystem, use: CopyUse, steps: Iterable<RecordedStep>) {
    this.#agents = agents
    this.#use = use
    this.#copied = new Set([...steps].flatMap(({ agent, worker }) => (worker === agent ? [] : [agent])))
  }

  /** Announces a worker: copies that a crash has left are then removed, even if this run assigns none. */
  expect(worker: Worker): void {
    if (typeof worker === 'object') this.#copied.add(worker.pool)
  }

  /** @param previous The agent that the step was assigned to before a crash: only it knows whether the step was done. */
  assign(worker: Worker, previous?: string): Assigned | Promise<Assigned> {
    if (previous !== undefined) return this.#assignAgain(worker, previous)
    const agent = typeof worker === 'string' ? this.#agents.here(worker) : undefined
    return agent ? { agent, release: NOTHING } : this.#assign(worker)
  }

  async #assign(worker: Worker): Promise<Assigned> {
    if (typeof worker === 'string') return { agent: await this.#agents.get(worker), release: NOTHING }
    const number = await this.#take(worker)
    try {
      const agent = await this.#copy(worker.pool, number)
      return { agent, release: () => this.#give(worker, number) }
    } catch (error) {
      this.#give(worker, number)
      throw error
    }
  }

  /** Removes the copies that no other run uses: this run has ended. */
  async dismiss(): Promise<void> {
    for (const id of this.#used) {
      const users = (this.#use.get(id) ?? 1) - 1
      if (users > 0) this.#use.set(id, users)
      else this.#use.delete(id)
    }
    this.#used.clear()
    for (const agent of this.#copied) await this.#agents.removeCopies(agent, (copy) => this.#use.has(copy))
  }

  /** Does not wait for the worker to be free, and also finds a copy of a pool that is smaller now. */
  async #assignAgain(worker: Worker, previous: string): Promise<Assigned> {
    const [id = '', number] = previous.split('.')
    if (number === undefined) return { agent: await this.#agents.get(id), release: NOTHING }
    const agent = await this.#copy(id, Number(number))
    const free = typeof worker === 'object' ? this.#copies(worker).free : []
    const index = free.indexOf(Number(number))
    if (typeof worker === 'string' || index < 0) return { agent, release: NOTHING }
    free.splice(index, 1)
    return { agent, release: () => this.#give(worker, Number(number)) }
  }

  #copy(agent: string, number: number): Promise<AgentRef> {
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
