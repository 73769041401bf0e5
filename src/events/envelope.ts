/** The envelope of every fact in the log: its place, when it was written, and what caused it. */
import type { JsonObject } from './json.ts'

/** Something that happened, in the past tense. It is also the event of the machine that folds it. */
export interface Fact<Type extends string = string, Data = JsonObject> {
  readonly type: Type
  readonly data: Data
}

/** A fact as a machine folds it: with its id, so that the state can name its cause. */
export type Identified<F extends Fact<string, unknown>> = F & { readonly id: string }

/** A fact on its way into the log. */
export interface NewFact extends Fact {
  /** The schema version of this type of fact. */
  readonly v: number
  /** The task or run that it belongs to. */
  readonly correlationId?: string | null
  /**
   * The `id` of the fact that caused this one, or that fact itself if it comes earlier in the same append; null if a
   * command from outside did.
   */
  readonly causationId?: string | NewFact | null
}

/** A fact in the log. */
export interface Recorded extends Fact {
  /** Its place in the whole log, from 1, without gaps. */
  readonly position: number
  /** `kind/id` of the actor. */
  readonly stream: string
  /** Its place in its stream, from 1, without gaps. */
  readonly version: number
  /** Unique across all stores: the store's id and the position. */
  readonly id: string
  readonly v: number
  /** When it was written, ISO 8601 in UTC. For people: order is `position`, never the clock. */
  readonly at: string
  readonly correlationId: string | null
  readonly causationId: string | null
  /** The writer that appended it: a number that grows by one each time the store is opened. */
  readonly epoch: number
}
