/** States of the past: folds an actor's facts up to a version or a time. */

import type { Recorded } from '../../events/envelope.ts'
import {
  BeforeFirstFactError,
  StreamNotFoundError,
  VersionNotFoundError,
} from '../../events/errors/history.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { checkStreamName } from '../../events/ids.ts'
import type { Json } from '../../events/json.ts'
import { nearestName } from '../../events/nearest-name.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import type { EventStore } from '../../store/event-store.ts'
import { plainFold } from './compiled-fold.ts'
import type { AnyKind } from './definition.ts'
import { foldFact } from './fold-fact.ts'
import { plainStateOf } from './fold-stream.ts'

/** A version of the stream, or a time (inclusive). */
export type When = number | Date

/** A state as JSON, with its version and time. */
export interface StateAt {
  readonly stream: string
  /** Of the last fact folded into the state; 0 before the first one. */
  readonly version: number
  /** Of that fact; null before the first one. */
  readonly position: number | null
  readonly at: string | null
  readonly state: { readonly value: Json; readonly context: Json }
}

/**
 * The state of a stream of this kind at that moment (by default now).
 *
 * @throws StreamNotFoundError, VersionNotFoundError, BeforeFirstFactError
 */
export async function foldAt(
  kind: AnyKind,
  store: EventStore,
  stream: string,
  when?: When,
): Promise<StateAt> {
  const last = await lastVersion(store, stream)
  const to = await versionAt(store, stream, when ?? last, last)
  const { initial, transition } = plainFold(kind.fold)
  let state = initial
  let newest: Recorded | undefined
  for await (const recorded of store.read(stream, { to })) {
    state = foldFact(transition, state, kind.facts, recorded) ?? state
    newest = recorded
  }
  const { version = 0, position = null, at = null } = newest ?? {}
  return { stream, version, position, at, state: plainStateOf(state) as unknown as StateAt['state'] }
}

/** Throws InvalidIdError for an invalid stream name, StreamNotFoundError for a stream without facts. */
export async function lastVersion(store: EventStore, stream: string): Promise<number> {
  checkArgument('The store', store, 'a store')
  const last = await store.head(checkStreamName(stream))
  if (last === 0) throw await unknownStream(store, stream)
  return last
}

/** The error for a stream without facts, with the name that was probably meant. */
export async function unknownStream(store: EventStore, stream: string): Promise<StreamNotFoundError> {
  const known: string[] = []
  for await (const one of store.streams()) known.push(one.stream)
  return new StreamNotFoundError({ stream, nearest: nearestName(stream, known) })
}

/** Throws VersionNotFoundError. */
export function checkVersion(stream: string, version: number, last: number): number {
  if (Number.isSafeInteger(version) && version >= 0 && version <= last) return version
  throw new VersionNotFoundError({ stream, version, last })
}

async function versionAt(store: EventStore, stream: string, when: When, last: number): Promise<number> {
  if (typeof when === 'number') return checkVersion(stream, when, last)
  const time = when.getTime()
  if (Number.isNaN(time)) throw new InvalidInputError({ what: 'The time', problem: 'it is not a valid date' })
  let first: string | undefined
  // The clock may have been set back, so times are not sorted: the last fact that is not later counts.
  for await (const { version, at } of store.read(stream, { direction: 'backwards' })) {
    if (Date.parse(at) <= time) return version
    first = at
  }
  throw new BeforeFirstFactError({ stream, time: when.toISOString(), first: first ?? '' })
}
