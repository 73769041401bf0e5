/** The values of all entries that are not records: JSON, preceded by a checksum over the key and the JSON. */
import { crc32 } from 'node:zlib'
import { CorruptRecord } from '../../events/errors/store.ts'
import type { CommitPlace } from '../append-request.ts'
import type { StreamSummary } from '../event-store.ts'

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
