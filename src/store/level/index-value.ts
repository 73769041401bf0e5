/** The values of the index and of the store's own notes: JSON after a checksum over the key and the JSON. */
import { crc32 } from 'node:zlib'
import { CorruptRecord } from '../../events/errors/store.ts'
import type { StreamSummary } from '../event-store.ts'

/** `h!`: where a stream stands. */
export interface HeadEntry {
  readonly version: number
  readonly position: number
  readonly summary: StreamSummary | null
}

/** `s!`: the positions of a run of versions. */
export type PointersEntry = readonly number[]

/** `c!`: what a commit id wrote. */
export interface CommitEntry {
  readonly first: number
  readonly count: number
}

export interface EpochEntry {
  readonly epoch: number
  readonly position: number
}

/** `k!`: which checkpoint came before, so that a lost one is noticed. */
export interface CheckpointEntry {
  readonly previous: number
}

/** `b!`: how long the body was. */
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

/** Reads an index value back, or throws {@link CorruptRecord}. */
export function decodeIndexValue<Entry>(key: string, value: string, file: string): Entry {
  const json = value.slice(CHECKSUM_LENGTH)
  if (checksum(key, json) !== value.slice(0, CHECKSUM_LENGTH)) {
    throw new CorruptRecord({ position: null, key, file, problem: 'its checksum does not match' })
  }
  return JSON.parse(json) as Entry
}
