/**
 * The record of a fact in the database: text with a hash over itself and the previous record.
 *
 * value = kind, hash of the previous record, own hash, text. The own hash covers the key, the kind, the previous hash
 * and the text. The text is the fact as JSON, followed by the commit note on a line of its own if there is one.
 * A fact whose bodies were dropped keeps its original hash, because the next record names it, and gets a seal, a second
 * hash over what is left: value = kind, hash of the previous record, own hash, seal, text.
 * LevelDB does not verify what it reads, so a record that fails here is never passed on.
 */
import { hash } from 'node:crypto'
import type { Recorded } from '../../events/envelope.ts'
import { CorruptRecord } from '../../events/errors/store.ts'
import type { StreamSummary } from '../event-store.ts'
import { parseStored } from '../fact-text.ts'
import { recordKey } from './keys.ts'

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
