/** What the log says of the past: facts as they were written, and the states that they made. */
import { kindOf } from './actors/kinds.ts'
import { type AnyStep, replay } from './actors/replay.ts'
import type { Recorded } from './events/envelope.ts'
import { StreamNotFoundError } from './events/errors.ts'
import { checkStreamName } from './events/ids.ts'
import type { LogRange } from './orchestrator-options.ts'
import type { EventStore } from './store/event-store.ts'

export class History {
  readonly #store: EventStore

  constructor(store: EventStore) {
    this.#store = store
  }

  async *log({ stream, ...range }: LogRange = {}): AsyncGenerator<Recorded> {
    yield* stream === undefined
      ? this.#store.readAll(range)
      : this.#store.read(await this.#known(stream), range)
  }

  async *replay(stream: string, { to }: { to?: number } = {}): AsyncGenerator<AnyStep> {
    const kind = kindOf(await this.#known(stream))
    if (!kind) throw new StreamNotFoundError({ stream })
    yield* replay(kind, this.#store, stream, to)
  }

  async #known(stream: string): Promise<string> {
    if ((await this.#store.head(checkStreamName(stream))) === 0) throw new StreamNotFoundError({ stream })
    return stream
  }
}
