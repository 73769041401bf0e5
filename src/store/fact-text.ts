/** The text of a stored fact: written by an append, parsed by a read. */
import type { Recorded } from '../events/envelope.ts'
import type { JsonObject } from '../events/json.ts'

/** A fact that is to be appended, with its data as text, so that the caller is free to change its own objects. */
export interface RequestedFact {
  readonly type: string
  readonly v: number
  readonly data: string
  /** The data as a reader gets it, in objects that nothing else has. */
  readonly copy: JsonObject
  readonly correlationId: string | null
  /** An id, or the index of an earlier fact of the same group. */
  readonly cause: string | number | null
}

/** What the store adds to a fact on append. */
export interface FactStamp {
  readonly storeId: string
  readonly position: number
  readonly stream: string
  readonly version: number
  readonly at: string
  readonly epoch: number
}

/**
 * A fact as JSON, as the log stores it. The position and the id are omitted: they follow from the record's key. Built
 * by concatenation because this is the hot path and the data is already text.
 *
 * @param data As text.
 */
export const storedText = (fact: Omit<Recorded, 'data'>, data: string): string =>
  `{"stream":"${fact.stream}","version":${fact.version}${afterVersion(fact, fact)}` +
  (fact.causationId === null ? '' : `,"causationId":${JSON.stringify(fact.causationId)}`) +
  `,"data":${data}}`

/** Up to the cause. */
const afterVersion = (
  { at, epoch }: Pick<FactStamp, 'at' | 'epoch'>,
  { type, v, correlationId }: Pick<RequestedFact, 'type' | 'v' | 'correlationId'>,
): string =>
  `,"type":${JSON.stringify(type)},"v":${v},"at":"${at}","epoch":${epoch}` +
  (correlationId === null ? '' : `,"correlationId":${JSON.stringify(correlationId)}`)

/**
 * The same text of a fact that has no place yet: what follows its version, and, if its cause is another fact of the same
 * append, the index of that one, whose position belongs between `before` and `after`.
 */
export function unplacedText(
  stamp: Pick<FactStamp, 'storeId' | 'at' | 'epoch'>,
  fact: RequestedFact,
): { readonly before: string; readonly cause: number | null; readonly after: string } {
  const { cause, data } = fact
  const before = afterVersion(stamp, fact)
  if (typeof cause === 'number')
    return {
      before: `${before},"causationId":"${idPrefix(stamp.storeId)}`,
      cause,
      after: `","data":${data}}`,
    }
  const causation = cause === null ? '' : `,"causationId":${JSON.stringify(cause)}`
  return { before: `${before}${causation},"data":${data}}`, cause: null, after: '' }
}

/** The text of a recorded fact. A fact from another store keeps its id, which names that store. */
export function storedTextOf(storeId: string, recorded: Recorded): string {
  const text = storedText(recorded, JSON.stringify(recorded.data))
  if (recorded.id === factId(storeId, recorded.position)) return text
  return `${text.slice(0, -1)},"id":${JSON.stringify(recorded.id)}}`
}

/** The id is present only in facts that came from another store. */
type StoredFact = Omit<Recorded, 'position' | 'id' | 'correlationId' | 'causationId'> &
  Partial<Pick<Recorded, 'id' | 'correlationId' | 'causationId'>>

export function parseStored(storeId: string, position: number, text: string): Recorded {
  const stored = JSON.parse(text) as StoredFact
  return {
    position,
    stream: stored.stream,
    version: stored.version,
    id: stored.id ?? factId(storeId, position),
    type: stored.type,
    v: stored.v,
    data: stored.data,
    at: stored.at,
    correlationId: stored.correlationId ?? null,
    causationId: stored.causationId ?? null,
    epoch: stored.epoch,
  }
}

/**
 * The fact as `append` returns it: equal to what a reader gets.
 *
 * @param first The position of the first fact of its group.
 */
export const recordedFact = (fact: RequestedFact, stamp: FactStamp, first: number): Recorded => ({
  position: stamp.position,
  stream: stamp.stream,
  version: stamp.version,
  id: factId(stamp.storeId, stamp.position),
  type: fact.type,
  v: fact.v,
  data: fact.copy,
  at: stamp.at,
  correlationId: fact.correlationId,
  causationId: typeof fact.cause === 'number' ? factId(stamp.storeId, first + fact.cause) : fact.cause,
  epoch: stamp.epoch,
})

export const factId = (storeId: string, position: number) => `${idPrefix(storeId)}${position}`

const idPrefix = (storeId: string) => `${storeId.slice(0, 8)}-`
