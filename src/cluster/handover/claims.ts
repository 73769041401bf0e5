/** A log in which this process writes to the streams that it has claimed, as long as nothing else has claimed them since. */
import { Fenced } from '../../events/errors/store.ts'
import type { AppendOptions, EventStore, StreamAppend } from '../../store/event-store.ts'
import type { ChainedStore } from '../../store/level/chained-store.ts'

export interface ClaimedLog<Store extends EventStore = ChainedStore> {
  readonly store: Store
  /** The tokens of the streams that are claimed here. */
  readonly tokens: ReadonlyMap<string, string>
  /** Fences other writers of the stream. What is read from now on is all that they have written. */
  claim(stream: string): Promise<void>
  /** The same, once no other worker can be at work for the stream. false if it was not wanted any more by then. */
  take(stream: string, isWanted: () => boolean): Promise<boolean>
  /** Lets another worker take it, unless it was claimed here once more. *Contract:* nothing is done for it here any more. */
  release(stream: string, token?: string): Promise<void>
}

/** How the streams of a worker become those of another one. */
export interface ClaimWay {
  /** The token of a new claim; undefined if it was not wanted any more by then. */
  take(stream: string, isWanted: () => boolean): Promise<string | undefined>
  release(stream: string, token: string): Promise<void>
}

/**
 * The claim on the execution of a run. It is none on the stream of the run, where workers record what a call has cost that
 * was known late.
 */
export const executionOf = (run: string) => `execution/${run}`

export function withClaims<Store extends EventStore>(store: Store, way?: ClaimWay): ClaimedLog<Store> {
  const tokens = new Map<string, string>()
  /** An append with its token, and one of nothing with the token of what it depends on: both are checked, or none is written. */
  const claimed = (append: StreamAppend): readonly StreamAppend[] => {
    const { stream } = append
    const token = tokens.get(stream)
    if (token !== undefined) return [{ token, ...append }]
    if (stream.startsWith('agent/')) throw new Fenced({ stream })
    const execution = executionOf(stream.slice('run/'.length))
    const executing = stream.startsWith('run/') ? tokens.get(execution) : undefined
    return executing === undefined ? [append] : [append, { stream: execution, facts: [], token: executing }]
  }
  const appendAll: EventStore['appendAll'] = async (appends) => {
    const groups = appends.map(claimed)
    const written = await store.appendAll(groups.flat()).catch((error: unknown) => {
      const [, run] = (error instanceof Fenced && /^execution\/(.*)/.exec(error.details.stream)) || []
      throw run === undefined ? error : new Fenced({ stream: `run/${run}` }, { cause: error })
    })
    let end = 0
    return groups.map(({ length }) => {
      end += length
      return written[end - length] ?? []
    })
  }
  const claim = async (stream: string) => {
    if (!store.claim) throw new Error('this store has no claims')
    tokens.set(stream, await store.claim(stream))
  }
  return {
    store: {
      ...store,
      appendAll,
      async append(stream, facts, options: AppendOptions = {}) {
        const [written = []] = await appendAll([{ ...options, stream, facts }])
        return written
      },
    },
    tokens,
    claim,
    async take(stream, isWanted) {
      if (!way) return claim(stream).then(() => true)
      const token = await way.take(stream, isWanted)
      if (token !== undefined) tokens.set(stream, token)
      return token !== undefined
    },
    async release(stream, token = tokens.get(stream)) {
      if (token === undefined) return
      if (tokens.get(stream) === token) tokens.delete(stream)
      // What fails is found again by its worker.
      await way?.release(stream, token).catch(() => {})
    },
  }
}
