/** What the log says of the past: facts as they were written, and the states that they made. */

import type { AnyStep } from '../actors/engine/replay.ts'
import { type StateAt, stateAt, type When } from '../actors/engine/state-at.ts'
import type { Recorded } from '../events/envelope.ts'
import { StreamNotFoundError } from '../events/errors/base.ts'
import { checkStreamName } from '../events/ids.ts'
import type { LogRange } from '../orchestrator-options.ts'
import type { EventStore } from '../store/event-store.ts'
import { type CauseLine, causesOf } from './causes.ts'
import type { AnyKind } from './kinds.ts'
import { type ReplayOptions, replayStream } from './replay-stream.ts'
import { type ReplayReport, verifyReplay } from './verify-replay.ts'

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

  replay(stream: string, options?: ReplayOptions): AsyncGenerator<AnyStep> {
    return replayStream(this.#store, stream, options, this.#known.kinds)
  }

  stateAt(stream: string, when?: When): Promise<StateAt> {
    return stateAt(this.#store, stream, when, this.#known.kinds)
  }

  verify({ stream }: { readonly stream?: string } = {}): Promise<ReplayReport> {
    const { kinds } = this.#known
    return verifyReplay(this.#store, { kinds, ...(stream === undefined ? {} : { stream }) })
  }

  why(position: number): Promise<readonly CauseLine[]> {
    return causesOf(this.#store, position)
  }

  async #existing(stream: string): Promise<string> {
    if ((await this.#store.head(checkStreamName(stream))) === 0) throw new StreamNotFoundError({ stream })
    return stream
  }
}
