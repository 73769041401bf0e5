/**
 * The entries of the log's database: their keys, the records of facts, and the values of everything else.
 *
 * A key is a prefix for the kind of its entry, then names and zero-padded numbers, which sort as bytes.
 *
 * A record is text with a hash over itself and the previous record: value = kind, hash of the previous record, own hash,
 * text. The own hash covers the key, the kind, the previous hash and the text. The text is the fact as JSON, followed by the
 * commit note on a line of its own if there is one. A fact whose bodies were dropped keeps its original hash, because the
 * next record names it, and gets a seal, a second hash over what is left: value = kind, hash of the previous record, own
 * hash, seal, text. LevelDB does not verify what it reads, so a record that fails here is never passed on.
 *
 * Any other value is JSON, preceded by a checksum over the key and the JSON.
 */
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Recorded } from '../../events/envelope.ts'
import { CorruptRecord } from '../../events/errors/store.ts'
import type { AppendRequest, CommitPlace } from '../append-request.ts'
import type { StreamSummary } from '../event-store.ts'
import { parseStored } from '../fact-text.ts'

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

/** The last record of the log. */
export interface LogEnd {
  readonly position: number
  readonly hash: string
}

/** A complete fact. */
const WHOLE = 'r'
/** A fact whose bodies were dropped. */
const REDUCED = 'd'
/** SHA-256 in base64url. */
const HASH_LENGTH = 43
const PREVIOUS_END = WHOLE.length + HASH_LENGTH
const HASH_END = PREVIOUS_END + HASH_LENGTH
const SEAL_END = HASH_END + HASH_LENGTH

/** What is committed with the last fact of an append, so that the index can be rebuilt from the records alone. */
export interface CommitNote {
  readonly commitId?: string
  /** The number of facts in the commit; this one is the last. */
  readonly count?: number
  readonly summary?: StreamSummary
}

export interface DecodedRecord {
  readonly recorded: Recorded
  readonly note: CommitNote | null
  readonly previousHash: string
  readonly hash: string
  /** The hash over what is left of a fact whose bodies were dropped; null for a complete one. */
  readonly seal: string | null
  /** The fact and its note, as covered by the hash or the seal. */
  readonly text: string
  /** The length of the text, in characters. */
  readonly length: number
}

const sha256 = (text: string) => hash('sha256', text, 'base64url')

/** The previous hash of the first record: unique to the store. */
export const genesisHash = (storeId: string) => sha256(`store ${storeId}`)

export function encodeRecord(
  key: string,
  previousHash: string,
  text: string,
): { readonly value: string; readonly hash: string } {
  const chained = `${WHOLE}${previousHash}${text}`
  const own = sha256(key + chained)
  return { value: `${WHOLE}${previousHash}${own}${text}`, hash: own }
}

/** Encodes a fact whose bodies were dropped; `hash` is that of the complete fact. */
export function encodeReduced(
  key: string,
  previousHash: string,
  hash: string,
  text: string,
): { readonly value: string; readonly seal: string } {
  const chained = `${REDUCED}${previousHash}${hash}`
  const seal = sha256(`${key}${chained}${text}`)
  return { value: `${chained}${seal}${text}`, seal }
}

/** Where a record was read from. */
export interface RecordSource {
  readonly storeId: string
  /** For error messages. */
  readonly path: string
}

/** @throws CorruptRecord */
export function decodeRecord(source: RecordSource, position: number, value: string): DecodedRecord {
  const { storeId, path: file } = source
  const key = recordKey(position)
  const kind = value[0]
  if (kind !== WHOLE && kind !== REDUCED)
    throw new CorruptRecord({ position, key, file, problem: 'it is of an unknown kind' })
  const previousHash = value.slice(WHOLE.length, PREVIOUS_END)
  const own = value.slice(PREVIOUS_END, HASH_END)
  const seal = kind === REDUCED ? value.slice(HASH_END, SEAL_END) : null
  const text = value.slice(seal === null ? HASH_END : SEAL_END)
  const covered = seal === null ? `${key}${WHOLE}${previousHash}` : `${key}${REDUCED}${previousHash}${own}`
  if (sha256(covered + text) !== (seal ?? own))
    throw new CorruptRecord({ position, key, file, problem: 'its hash does not match' })
  const lineEnd = text.indexOf('\n')
  const recorded = parseStored(storeId, position, lineEnd < 0 ? text : text.slice(0, lineEnd))
  return new StoredRecord(recorded, previousHash, own, seal, text)
}

class StoredRecord implements DecodedRecord {
  readonly recorded: Recorded
  readonly previousHash: string
  readonly hash: string
  readonly seal: string | null
  readonly text: string

  constructor(recorded: Recorded, previousHash: string, hash: string, seal: string | null, text: string) {
    this.recorded = recorded
    this.previousHash = previousHash
    this.hash = hash
    this.seal = seal
    this.text = text
  }

  /** Parsed on demand: few readers need it. */
  get note(): CommitNote | null {
    return splitText(this.text).note
  }

  get length(): number {
    return this.text.length
  }
}

/** The value that a record was decoded from. */
export const recordValue = ({ previousHash, hash, seal, text }: DecodedRecord): string =>
  seal === null ? `${WHOLE}${previousHash}${hash}${text}` : `${REDUCED}${previousHash}${hash}${seal}${text}`

/** Splits what {@link joinText} joined. */
export function splitText(text: string): { readonly fact: string; readonly note: CommitNote | null } {
  const lineEnd = text.indexOf('\n')
  if (lineEnd < 0) return { fact: text, note: null }
  return { fact: text.slice(0, lineEnd), note: JSON.parse(text.slice(lineEnd + 1)) as CommitNote }
}

/** The text of a record: a fact, and its note on the next line. */
export const joinText = (fact: string, note: CommitNote | null): string =>
  note === null ? fact : `${fact}\n${JSON.stringify(note)}`

/** The note of an append. Most have neither a commit id nor a summary, and need none. */
export function noteOf({ facts, commitId, summary }: AppendRequest): CommitNote | null {
  if (commitId === null) return summary === null ? null : { summary }
  const { length: count } = facts
  return summary === null ? { commitId, count } : { commitId, count, summary }
}

/** What `joinText` writes behind the last fact of an append, of what is text already. */
export function noteLine({ facts, commitId, summary, summaryText }: AppendRequest): string {
  if (commitId === null && summary === null) return ''
  const commit = commitId === null ? '' : `"commitId":${JSON.stringify(commitId)},"count":${facts.length}`
  const state = summary === null ? '' : `"summary":${summaryText}`
  return `\n{${commit}${commit === '' || state === '' ? '' : ','}${state}}`
}

/** `h!`: the head of a stream. */
export interface HeadEntry {
  readonly version: number
  readonly position: number
  readonly summary: StreamSummary | null
}

/** `s!`: the positions of consecutive versions. */
export type PointersEntry = readonly number[]

/** `c!`: what a commit id wrote. */
export type CommitEntry = CommitPlace

export interface EpochEntry {
  readonly epoch: number
  readonly position: number
}

/** `k!`: the previous checkpoint, so that a lost one is detected. */
export interface CheckpointEntry {
  readonly previous: number
}

/** The streams that are there, by kind. Older versions do not write it: it counts only at its own checkpoint. */
export interface CountsEntry {
  readonly checkpoint: number
  readonly counts: Readonly<Record<string, number>>
}

/** `b!`: the size of a lost body. */
export interface LostBodyEntry {
  readonly bytes: number
}

export interface StoreEntry {
  readonly storeId: string
}

const CHECKSUM_LENGTH = 8

const checksum = (key: string, json: string) =>
  crc32(key + json)
    .toString(16)
    .padStart(CHECKSUM_LENGTH, '0')

export function encodeIndexValue(key: string, content: unknown): string {
  const json = JSON.stringify(content)
  return checksum(key, json) + json
}

/** @throws CorruptRecord if the checksum does not match */
export function decodeIndexValue<Entry>(key: string, value: string, file: string): Entry {
  const json = value.slice(CHECKSUM_LENGTH)
  if (checksum(key, json) !== value.slice(0, CHECKSUM_LENGTH)) {
    throw new CorruptRecord({ position: null, key, file, problem: 'its checksum does not match' })
  }
  return JSON.parse(json) as Entry
}
