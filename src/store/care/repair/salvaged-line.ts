/** The output of the salvage process: a line of JSON for each useful entry of a damaged store, and a file of values. */
import type { CommitEntry } from '../../level/entries.ts'

/** The location of a value in the file of values. */
export interface ValueSpan {
  readonly offset: number
  readonly length: number
}

/** A fact whose own hash matches, with what the plan of a repair needs. */
export interface SalvagedRecord {
  readonly kind: 'record'
  readonly position: number
  /** Of two records with the same position, the one with the larger number was written later. */
  readonly sequence: number
  readonly hash: string
  readonly previousHash: string
  readonly stream: string
  readonly version: number
  readonly type: string
  /** Whether it has a commit note: it is then the last fact of its append. */
  readonly noted: boolean
  /** The file it was found in. */
  readonly file: string
  readonly value: ValueSpan
}

/** A value under the key of a fact that is not what was written. */
export interface DamagedRecord {
  readonly kind: 'damaged'
  readonly key: string
  readonly problem: string
  readonly file: string
  readonly value: ValueSpan
}

/** What intact index entries tell about lost facts. */
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

/** The two output files. */
export const LINES_FILE = 'entries.ndjson'
export const VALUES_FILE = 'values'
