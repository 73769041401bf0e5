/** One entry of the database as its files hold it: with its number in the order of writing. */

export interface Entry {
  readonly key: string
  /** The larger one of two with the same key is the newer one. */
  readonly sequence: number
  /** null: the key was removed. */
  readonly value: Buffer | null
}

export const VALUE = 1
export const REMOVAL = 0
