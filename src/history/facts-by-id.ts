/** Finds facts by their ids, which is how facts refer to each other. */
import type { Recorded } from '../events/envelope.ts'
import type { EventStore } from '../store/event-store.ts'

export class FactsById {
  readonly #store: EventStore
  /** The positions of all facts by id. Only needed for a log made from another one, whose ids contain the old positions. */
  #positions: Promise<ReadonlyMap<string, number>> | undefined

  constructor(store: EventStore) {
    this.#store = store
  }

  /** undefined if the log has no such fact: a partial export refers to facts outside it. */
  async find(id: string): Promise<Recorded | undefined> {
    const own = /-(\d{1,15})$/.exec(id)?.[1]
    const likely = own === undefined ? undefined : await this.at(Number(own))
    if (likely?.id === id) return likely
    this.#positions ??= this.#allPositions()
    const position = (await this.#positions).get(id)
    return position === undefined ? undefined : this.at(position)
  }

  async at(position: number): Promise<Recorded | undefined> {
    if (position < 1) return undefined
    for await (const recorded of this.#store.readAll({ after: position - 1, to: position })) return recorded
    return undefined
  }

  /** The fact before this one in its stream. */
  async before({ stream, version }: Recorded): Promise<Recorded | undefined> {
    if (version < 2) return undefined
    for await (const recorded of this.#store.read(stream, { after: version - 2, to: version - 1 }))
      return recorded
    return undefined
  }

  async #allPositions(): Promise<ReadonlyMap<string, number>> {
    const positions = new Map<string, number>()
    for await (const { id, position } of this.#store.readAll()) positions.set(id, position)
    return positions
  }
}
