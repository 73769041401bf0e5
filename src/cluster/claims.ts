/** A log in which this process writes to the streams that it has claimed only as long as nothing else has claimed them since. */
import { Fenced } from '../events/errors/store.ts'
import { defined } from '../events/json.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'

export interface ClaimedLog {
  readonly store: ChainedStore
  /** Fences earlier writers of the stream. What is read from now on is all that they have written. */
  claim(stream: string): Promise<void>
  /** *Contract:* nothing writes to the stream here any more. */
  release(stream: string): void
}

export function withClaims(store: ChainedStore): ClaimedLog {
  const tokens = new Map<string, string>()
  /** An append without a token is not checked: where agents have one owner, nothing else writes to their streams. */
  const claimed = <T extends object>(stream: string, append: T) => {
    const token = tokens.get(stream)
    if (token === undefined && stream.startsWith('agent/')) throw new Fenced({ stream })
    return { ...defined({ token }), ...append }
  }
  return {
    store: {
      ...store,
      append: async (stream, facts, options = {}) => store.append(stream, facts, claimed(stream, options)),
      appendAll: async (appends) => store.appendAll(appends.map((append) => claimed(append.stream, append))),
    },
    async claim(stream) {
      if (!store.claim) throw new Error('this store has no claims')
      tokens.set(stream, await store.claim(stream))
    },
    release: (stream) => void tokens.delete(stream),
  }
}
