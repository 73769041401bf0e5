/** The keys of the log's database: a prefix for the kind of entry, then names and zero-padded numbers, so that byte order is the order wanted. */

/** Wide enough for every safe integer. */
const DIGITS = 16

const padded = (number: number) => String(number).padStart(DIGITS, '0')

/** A fact, by its position. The only entries that are not derived from others. */
export const recordKey = (position: number) => `e!${padded(position)}`

/** A run of a stream's positions, by the last version in it. */
export const pointersKey = (stream: string, lastVersion: number) => `s!${stream}!${padded(lastVersion)}`

/** A stream's version and summary. */
export const headKey = (stream: string) => `h!${stream}`

/** There while a stream's summary says that it has work to do. */
export const openKey = (stream: string) => `o!${stream}`

/** What a commit id wrote. */
export const commitKey = (commitId: string) => `c!${commitId}`

/** What a stream folded to at some version. */
export const snapshotKey = (stream: string) => `n!${stream}`

/** A body that was lost before a repair made this store. */
export const lostBodyKey = (sha256: string) => `b!${sha256}`

/** Which store this is, so that a log moved into another store's directory is noticed. */
export const STORE_KEY = 'm!store'
/** The last writer's epoch, and the position at which it began. */
export const EPOCH_KEY = 'm!epoch'

/** The facts up to this position are indexed on disk; those after the last checkpoint in memory only. */
export const checkpointKey = (position: number) => `k!${padded(position)}`

/** All the keys that begin with a prefix. Names in keys are ASCII, so DEL is above every one of them. */
export const startingWith = (prefix: string) => ({ gte: prefix, lt: `${prefix}\x7f` })

/** The number at the end of a key: the position of `e!` and `k!`, the last version of `s!`. */
export const numberIn = (key: string) => Number(key.slice(-DIGITS))

/** What follows a one-letter prefix: the stream of `h!` and `o!`, the hash of `b!`. */
export const nameIn = (key: string) => key.slice(2)
