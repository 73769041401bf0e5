/** Folding an actor's facts to its state, from the last snapshot where there is one that fits. */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import type { Json } from '../events/json.ts'
import type { EventStore } from '../store/event-store.ts'
import type { Snapshot } from '../store/snapshots.ts'
import type { ActorDefinition, Effect } from './definition.ts'
import { replay } from './replay.ts'

export interface Folded<M extends AnyStateMachine> {
  readonly snapshot: SnapshotFrom<M>
  readonly version: number
  /** Up to which version a snapshot is saved; 0 without one. */
  readonly savedVersion: number
}

/** The state that all of the stream's facts make. The same with and without a snapshot. */
export async function foldStream<M extends AnyStateMachine, E extends Effect>(
  definition: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
): Promise<Folded<M>> {
  const saved = await store.snapshots.load(stream)
  const fits = saved?.fingerprint === definition.fingerprint
  const resumed = saved && fits ? await foldAfter(definition, store, stream, saved) : undefined
  if (resumed) return resumed
  let folded = { snapshot: definition.fold.initial, version: 0, savedVersion: 0 }
  for await (const { recorded, after } of replay(definition, store, stream)) {
    folded = { snapshot: after, version: recorded.version, savedVersion: 0 }
  }
  return folded
}

/** Goes on from a snapshot; undefined when it is of another history than the stream's. */
async function foldAfter<M extends AnyStateMachine, E extends Effect>(
  { fold, facts }: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
  saved: Snapshot,
): Promise<Folded<M> | undefined> {
  let snapshot: SnapshotFrom<M> | undefined
  let version = saved.version
  for await (const recorded of store.read(stream, { after: saved.version - 1 })) {
    if (snapshot === undefined) {
      if (recorded.version !== saved.version || recorded.id !== saved.factId) return undefined
      snapshot = fold.restore(saved.state)
    } else {
      snapshot = fold.transition(snapshot, facts.read(recorded))
      version = recorded.version
    }
  }
  return snapshot && { snapshot, version, savedVersion: saved.version }
}

/** A state as JSON: where the machine is, and what it knows. */
export function stateOf(snapshot: object): Json {
  const { value, context } = snapshot as { value: Json; context: Json }
  return { value, context }
}
