/** The claims on the streams of a store: of the writers that carry a token, only the one that claimed last may append. */
import { Fenced } from '../events/errors/store.ts'
import type { AppendGroup } from './append-request.ts'

export class Claims {
  readonly #epoch: number
  readonly #tokens = new Map<string, string>()
  #count = 0

  /** @param epoch Of the store. No token of an earlier opening is valid in this one. */
  constructor(epoch: number) {
    this.#epoch = epoch
  }

  claim(stream: string): string {
    const token = `${this.#epoch}.${++this.#count}`
    this.#tokens.set(stream, token)
    return token
  }

  /** The error for a group with a token that is no longer valid; null if there is none. */
  refusal(group: AppendGroup): Fenced | null {
    const stale = group.find(({ stream, token }) => token !== null && token !== this.#tokens.get(stream))
    return stale ? new Fenced({ stream: stale.stream }) : null
  }
}
