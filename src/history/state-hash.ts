/** Hashes of states, to compare logs: one for the state that each stream folds to, and one over all of them. */

import { hash } from 'node:crypto'
import type { AnyKind } from '../actors/engine/definition.ts'
import { history, plainStateOf } from '../actors/engine/history.ts'
import { canonicalJson } from '../events/json.ts'
import type { EventStore } from '../store/event-store.ts'
import { kindOf } from './kinds.ts'

/** The hash of one stream. */
export interface StreamHash {
  readonly stream: string
  readonly version: number
  /** SHA-256 of the folded state as canonical JSON, in hex. */
  readonly hash: string
  /** Whether the stream was folded: if its kind is unknown, its facts are hashed instead. */
  readonly folded: boolean
}

/** The hash of a whole log. */
export interface StateHash {
  /** SHA-256 over the hashes of all streams, in hex. */
  readonly hash: string
  readonly streams: number
  /** The last position of the log. */
  readonly position: number
}

/** The hash of each stream, by name. Every stream is folded from its first fact: snapshots are not used. */
export async function* streamHashes(
  store: EventStore,
  kinds: readonly AnyKind[],
): AsyncGenerator<StreamHash, void, undefined> {
  for await (const { stream, version } of store.streams()) {
    const definition = kindOf(stream, kinds)
    const state = definition
      ? plainStateOf((await history(definition, store, stream)).state)
      : await facts(store, stream)
    yield { stream, version, hash: sha256(state), folded: definition !== undefined }
  }
}

/** The hash of the whole log, from those of its streams. */
export async function hashStates(
  store: EventStore,
  kinds: readonly AnyKind[],
  onStream: (stream: StreamHash) => void = () => {},
): Promise<StateHash> {
  const all: unknown[] = []
  const position = await store.head()
  for await (const one of streamHashes(store, kinds)) {
    onStream(one)
    all.push([one.stream, one.version, one.hash])
  }
  return { hash: sha256(all), streams: all.length, position }
}

async function facts(store: EventStore, stream: string): Promise<unknown> {
  const found: unknown[] = []
  for await (const { type, v, data } of store.read(stream)) found.push({ type, v, data })
  return found
}

const sha256 = (value: unknown) => hash('sha256', canonicalJson(value), 'hex')
