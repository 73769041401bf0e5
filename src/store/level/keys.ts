/** The keys of the log's database: a prefix per kind of entry, then names and zero-padded numbers, which sort as bytes. */

/** Wide enough for every safe integer. */
const DIGITS = 16

/** The first two characters of a key: the kind of its entry. */
export const KEY_PREFIX = {
  record: 'e!',
  pointers: 's!',
  head: 'h!',
  open: 'o!',
  commit: 'c!',
  snapshot: 'n!',
  lostBody: 'b!',
  store: 'm!',
  checkpoint: 'k!',
} as const

const padded = (number: number) => String(number).padStart(DIGITS, '0')

/** A fact, by its position. The index derives from these entries. */
export const recordKey = (position: number) => `${KEY_PREFIX.record}${padded(position)}`

/** The positions of consecutive versions of a stream, by the last version. */
export const pointersKey = (stream: string, lastVersion: number) =>
  `${KEY_PREFIX.pointers}${stream}!${padded(lastVersion)}`

/** A stream's version and summary. */
export const headKey = (stream: string) => `${KEY_PREFIX.head}${stream}`

/** Present while a stream's summary is open. */
export const openKey = (stream: string) => `${KEY_PREFIX.open}${stream}`

/** What a commit id wrote. */
export const commitKey = (commitId: string) => `${KEY_PREFIX.commit}${commitId}`

/** The snapshot of a stream. */
export const snapshotKey = (stream: string) => `${KEY_PREFIX.snapshot}${stream}`

/** A body that was lost before a repair created this store. */
export const lostBodyKey = (sha256: string) => `${KEY_PREFIX.lostBody}${sha256}`

/** The store's id, so that a log moved into another store's directory is detected. */
export const STORE_KEY = 'm!store'
/** The last writer's epoch, and the position at which it started. */
export const EPOCH_KEY = 'm!epoch'

/** How many streams of each kind are there, as of the last checkpoint. */
export const COUNTS_KEY = 'm!counts'

/** The facts up to this position are indexed on disk, those after the last checkpoint only in memory. */
export const checkpointKey = (position: number) => `${KEY_PREFIX.checkpoint}${padded(position)}`

/** The range of keys with a prefix. Names in keys are ASCII, so DEL sorts after all of them. */
export const startingWith = (prefix: string) => ({ gte: prefix, lt: `${prefix}\x7f` })

/** The number at the end of a key: the position of `e!` and `k!`, the last version of `s!`. */
export const numberIn = (key: string) => Number(key.slice(-DIGITS))

/** The name after the prefix: the stream of `h!` and `o!`, the commit id of `c!`, the hash of `b!`. */
export const nameIn = (key: string) => key.slice(2)

/** The stream of an `s!` key. */
export const streamOfPointers = (key: string) => key.slice(2, -DIGITS - 1)
