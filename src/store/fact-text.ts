/** A fact between an append and a read: as text, and with the place that the store gives it. */
import type { Recorded } from '../events/envelope.ts'
import type { JsonObject } from '../events/json.ts'

/** A fact with its data as text: the caller may change its own objects from here on. */
export interface FactText {
  readonly type: string
  readonly v: number
  readonly data: string
  readonly correlationId: string | null
  readonly causationId: string | null
}

/** What the store adds to a fact. */
export interface FactPlace {
  readonly storeId: string
  readonly position: number
  readonly stream: string
  readonly version: number
  readonly at: string
  readonly epoch: number
}

/**
 * What the log holds of a fact, as JSON: what its key says, or follows from that, is left out. Put together by hand:
 * this is the hot path, and the data is text already.
 */
export const storedText = (place: FactPlace, fact: FactText): string =>
  `{"stream":"${place.stream}","version":${place.version},"type":${JSON.stringify(fact.type)},"v":${fact.v},` +
  `"at":"${place.at}","epoch":${place.epoch}` +
  (fact.correlationId === null ? '' : `,"correlationId":${JSON.stringify(fact.correlationId)}`) +
  (fact.causationId === null ? '' : `,"causationId":${JSON.stringify(fact.causationId)}`) +
  `,"data":${fact.data}}`

/** The text of a fact that has been read. Where it came from another store, with its id: that says from which. */
export function storedTextOf(storeId: string, recorded: Recorded): string {
  const text = storedText({ ...recorded, storeId }, { ...recorded, data: JSON.stringify(recorded.data) })
  if (recorded.id === factId(storeId, recorded.position)) return text
  return `${text.slice(0, -1)},"id":${JSON.stringify(recorded.id)}}`
}

/** What {@link storedText} leaves out may be there: a fact that came from another store keeps its id. */
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

/** The fact as its appender gets it: equal to what a reader gets, and nobody else's object. */
export const recordedFact = (place: FactPlace, fact: FactText): Recorded => ({
  position: place.position,
  stream: place.stream,
  version: place.version,
  id: factId(place.storeId, place.position),
  type: fact.type,
  v: fact.v,
  data: JSON.parse(fact.data) as JsonObject,
  at: place.at,
  correlationId: fact.correlationId,
  causationId: fact.causationId,
  epoch: place.epoch,
})

export const factId = (storeId: string, position: number) => `${storeId.slice(0, 8)}-${position}`
