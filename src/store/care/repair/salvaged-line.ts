/** What the reading of a damaged store says to the writing of a new one: a line of JSON for each entry worth knowing. */
import type { CommitEntry } from '../../level/index-value.ts'

/** Where the value of an entry is, in the file of values. */
export interface ValuePlace {
  readonly offset: number
  readonly length: number
}

/** A fact that vouches for itself, as far as the plan of a repair has to know it. */
export interface SalvagedRecord {
  readonly kind: 'record'
  readonly position: number
  /** Of two with the same position the one with the larger number was written later. */
  readonly sequence: number
  readonly hash: string
  readonly previousHash: string
  readonly stream: string
  readonly version: number
  readonly type: string
  /** Whether something was noted with it: it is then the last one of its append. */
  readonly noted: boolean
  /** Where it was found. */
  readonly file: string
  readonly value: ValuePlace
}

/** Something under the key of a fact that is not what was written there. */
export interface DamagedRecord {
  readonly kind: 'damaged'
  readonly key: string
  readonly problem: string
  readonly file: string
  readonly value: ValuePlace
}

/** Entries of the index that are whole: they tell what was lost. */
export type Knowledge =
  | { readonly kind: 'store'; readonly storeId: string }
  | {
      readonly kind: 'pointers'
      readonly stream: string
      readonly last: number
      readonly positions: readonly number[]
    }
  | { readonly kind: 'head'; readonly stream: string; readonly version: number; readonly position: number }
  | ({ readonly kind: 'commit' } & CommitEntry)

export type SalvagedLine = SalvagedRecord | DamagedRecord | Knowledge

/** The two files that the reading leaves. */
export const LINES_FILE = 'entries.ndjson'
export const VALUES_FILE = 'values'
