/** What the log says of the past: facts as they were written, and the states that they made. */
import { type AnyKind, kindOf } from './actors/kinds.ts'
import { type AnyStep, replay } from './actors/replay.ts'
import { UnknownKindError } from './events/actor-errors.ts'
import type { Recorded } from './events/envelope.ts'
import { StreamNotFoundError } from './events/errors.ts'
import { checkStreamName } from './events/ids.ts'
import type { LogRange } from './orchestrator-options.ts'
import type { EventStore } from './store/event-store.ts'

export class History {
  readonly #store: EventStore
  readonly #known: { readonly kinds: readonly AnyKind[] }

  /** @param known The kinds of actors that there are in this program. */
  constructor(store: EventStore, known: { readonly kinds: readonly AnyKind[] }) {
    this.#store = store
    this.#known = known
  }

  async *log({ stream, ...range }: LogRange = {}): AsyncGenerator<Recorded> {
    yield* stream === undefined
      ? this.#store.readAll(range)
      : this.#store.read(await this.#existing(stream), range)
  }

  async *replay(stream: string, { to }: { to?: number } = {}): AsyncGenerator<AnyStep> {
    const kind = kindOf(await this.#existing(stream), this.#known.kinds)
    if (!kind) throw new UnknownKindError({ stream })
    yield* replay(kind, this.#store, stream, to)
  }

  async #existing(stream: string): Promise<string> {
    if ((await this.#store.head(checkStreamName(stream))) === 0) throw new StreamNotFoundError({ stream })
    return stream
  }
}
