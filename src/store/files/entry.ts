/** An entry of the database as stored in its files: a key, a value or a removal, and a sequence number. */

export interface Entry {
  readonly key: string
  /** Of two entries with the same key, the one with the larger number is newer. */
  readonly sequence: number
  /** null: the key was removed. */
  readonly value: Buffer | null
}

export const VALUE = 1
export const REMOVAL = 0
