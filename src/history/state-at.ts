/** The state of an actor at a version, at a time, or now. */
import type { AnyKind } from '../actors/engine/definition.ts'
import { foldAt, lastVersion, type StateAt, type When } from '../actors/engine/fold-at.ts'
import { UnknownKindError } from '../events/errors/actor.ts'
import type { EventStore } from '../store/event-store.ts'
import { KINDS, kindOf } from './kinds.ts'

/**
 * Folds a stream up to that point, offline.
 *
 * @throws StreamNotFoundError, UnknownKindError, VersionNotFoundError, BeforeFirstFactError
 */
export async function stateAt(
  store: EventStore,
  stream: string,
  when?: When,
  kinds: readonly AnyKind[] = KINDS,
): Promise<StateAt> {
  const { kind } = await knownStream(store, stream, kinds)
  return foldAt(kind, store, stream, when)
}

/** The stream's kind and last version. Throws StreamNotFoundError if it has no facts, UnknownKindError. */
export async function knownStream(
  store: EventStore,
  stream: string,
  kinds: readonly AnyKind[],
): Promise<{ readonly kind: AnyKind; readonly last: number }> {
  const last = await lastVersion(store, stream)
  const kind = kindOf(stream, kinds)
  if (!kind) throw new UnknownKindError({ stream })
  return { kind, last }
}
