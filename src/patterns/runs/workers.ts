/** Assigns an agent to each step: the named one, or a free copy from a pool. Copies are created on demand, and removed with the run. */
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
  /** The places in the pool, from 1. */
  readonly free: number[]
  readonly waiting: ((place: number) => void)[]
  /** The number of the copy in a place, if that is another one. */
  readonly numbers: Map<number, number>
  /** The first number that no place has had. */
  next: number
}

const NOTHING = () => {}

/** How many runs of this process use each copy: a run that ends must not remove the copies of another. */
export type CopyUse = Map<string, number>

export class Workers {
  readonly #agents: AgentSystem
  readonly #run: string
  readonly #use: CopyUse
  readonly #pools = new Map<string, Copies>()
  /** The copies that this run uses. */
  readonly #used = new Set<string>()
  /** The agents that may have copies because of this run. */
  readonly #copied: Set<string>
  /** The copies that it had before. */
  readonly #before: ReadonlySet<string>

  /** @param steps The recorded steps of the run: they show which agents it had copies of before. */
  constructor(agents: AgentSystem, run: string, use: CopyUse, steps: Iterable<RecordedStep>) {
    this.#agents = agents
    this.#run = run
    this.#use = use
    const copied = [...steps].filter(({ agent, worker }) => worker !== agent)
    this.#copied = new Set(copied.map(({ agent }) => agent))
    this.#before = new Set(copied.map(({ worker }) => worker))
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
    const place = await this.#take(worker)
    try {
      const agent = await this.#copyAt(worker, place)
      return { agent, release: () => this.#give(worker, place) }
    } catch (error) {
      this.#give(worker, place)
      throw error
    }
  }

  /** The copy in a place of a pool: the one of that number, unless it was made for a run of another process. */
  async #copyAt(pool: Pool, place: number): Promise<AgentRef> {
    const copies = this.#copies(pool)
    for (;;) {
      const number = copies.numbers.get(place) ?? place
      const agent = await this.#copy(pool.pool, number)
      if (agent) return agent
      copies.numbers.set(place, copies.next++)
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
    for (const agent of this.#copied)
      await this.#agents.removeCopies(agent, this.#run, (copy) => this.#use.has(copy))
  }

  /** Does not wait for the worker to be free, and also finds a copy of a pool that is smaller now. */
  async #assignAgain(worker: Worker, previous: string): Promise<Assigned> {
    const [id = '', number] = previous.split('.')
    if (number === undefined) return { agent: await this.#agents.get(id), release: NOTHING }
    const agent = (await this.#copy(id, Number(number))) ?? (await this.#agents.get(previous))
    if (typeof worker === 'string') return { agent, release: NOTHING }
    const { free, numbers } = this.#copies(worker)
    const index = free.findIndex((place) => (numbers.get(place) ?? place) === Number(number))
    const [place] = index < 0 ? [] : free.splice(index, 1)
    return { agent, release: place === undefined ? NOTHING : () => this.#give(worker, place) }
  }

  /** null if it was made for a run of another process. */
  async #copy(agent: string, number: number): Promise<AgentRef | null> {
    const id = `${agent}.${number}`
    if (!this.#used.has(id)) {
      this.#used.add(id)
      this.#use.set(id, (this.#use.get(id) ?? 0) + 1)
    }
    return this.#agents.copy(agent, number, this.#run)
  }

  #take(pool: Pool): Promise<number> {
    const { free, waiting } = this.#copies(pool)
    const place = free.shift()
    if (place !== undefined) return Promise.resolve(place)
    return new Promise((resolve) => waiting.push(resolve))
  }

  #give(pool: Pool, place: number): void {
    const { free, waiting } = this.#copies(pool)
    const next = waiting.shift()
    if (next) next(place)
    else free.push(place)
  }

  #copies({ pool, size }: Pool): Copies {
    const known = this.#pools.get(pool)
    if (known) return known
    const free = Array.from({ length: size }, (_, index) => index + 1)
    const before = [...this.#before].flatMap((id) =>
      id.startsWith(`${pool}.`) ? [Number(id.slice(pool.length + 1))] : [],
    )
    const numbers = new Map<number, number>()
    // What was said to a copy before is continued by the same one.
    const vacant = free.filter((place) => !before.includes(place))
    for (const number of before.filter((one) => one > size).sort((one, other) => one - other)) {
      const place = vacant.shift()
      if (place !== undefined) numbers.set(place, number)
    }
    const copies: Copies = { free, waiting: [], numbers, next: Math.max(size, ...before) + 1 }
    this.#pools.set(pool, copies)
    return copies
  }
}
