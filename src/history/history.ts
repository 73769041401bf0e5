/** Reads the past from the log: facts as they were written, and the states that follow from them. */

import type { AnyKind } from '../actors/engine/definition.ts'
import { lastVersion, type StateAt, type When } from '../actors/engine/fold-at.ts'
import type { AnyReplayStep } from '../actors/engine/replay.ts'
import type { Recorded } from '../events/envelope.ts'
import { defined } from '../events/json.ts'
import type { EventStore } from '../store/event-store.ts'
import { type CauseLine, causesOf } from './causes.ts'
import { KINDS } from './kinds.ts'
import { type ReplayOptions, replayStream } from './replay-stream.ts'
import { stateAt } from './state-at.ts'
import { type ReplayReport, verifyReplay } from './verify-replay.ts'

/** A part of the log. `after` and `to` are positions, or versions if a stream is named. */
export interface LogRange {
  readonly stream?: string
  readonly after?: number
  readonly to?: number
  readonly limit?: number
}

export class History {
  readonly #store: EventStore
  readonly #own: { readonly kinds: readonly AnyKind[] }

  /** @param own The kinds of actors that the program has defined so far. */
  constructor(store: EventStore, own: { readonly kinds: readonly AnyKind[] }) {
    this.#store = store
    this.#own = own
  }

  async *log({ stream, ...range }: LogRange = {}): AsyncGenerator<Recorded> {
    yield* stream === undefined
      ? this.#store.readAll(range)
      : this.#store.read(await this.#existing(stream), range)
  }

  replay(stream: string, options?: ReplayOptions): AsyncGenerator<AnyReplayStep> {
    return replayStream(this.#store, stream, options, this.#kinds)
  }

  stateAt(stream: string, when?: When): Promise<StateAt> {
    return stateAt(this.#store, stream, when, this.#kinds)
  }

  verify({ stream }: { readonly stream?: string } = {}): Promise<ReplayReport> {
    return verifyReplay(this.#store, defined({ kinds: this.#kinds, stream }))
  }

  why(position: number): Promise<readonly CauseLine[]> {
    return causesOf(this.#store, position)
  }

  get #kinds(): readonly AnyKind[] {
    return [...KINDS, ...this.#own.kinds]
  }

  async #existing(stream: string): Promise<string> {
    await lastVersion(this.#store, stream)
    return stream
  }
}
