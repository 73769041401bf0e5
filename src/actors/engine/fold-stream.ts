/** Loads a state: folds the facts of a stream, from the last snapshot if it fits. */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import type { Json } from '../../events/json.ts'
import type { EventStore } from '../../store/event-store.ts'
import type { Snapshot } from '../../store/snapshots.ts'
import { type PlainState, plainFold } from './compiled-fold.ts'
import type { ActorDefinition, Effect } from './definition.ts'
import { foldFact } from './fold-fact.ts'

export interface FoldedActor<M extends AnyStateMachine> {
  readonly snapshot: SnapshotFrom<M>
  readonly version: number
  /** The version of the saved snapshot; 0 without one. */
  readonly savedVersion: number
}

/** Folds all facts of the stream. Leads to the same state with and without a snapshot. */
export async function foldStream<M extends AnyStateMachine, E extends Effect>(
  definition: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
): Promise<FoldedActor<M>> {
  // Only a cache: if it cannot be loaded or used, the facts decide, and tell what is wrong.
  const resumed = await foldSnapshot(definition, store, stream).catch(() => undefined)
  if (resumed) return resumed
  const { facts, fold } = definition
  const { initial, transition } = plainFold(fold)
  let state = initial
  let version = 0
  for await (const recorded of store.read(stream)) {
    state = foldFact(transition, state, facts, recorded) ?? state
    version = recorded.version
  }
  return { snapshot: version === 0 ? fold.initial : restored(definition, state), version, savedVersion: 0 }
}

/** Folds from the snapshot; undefined if there is none that fits. */
async function foldSnapshot<M extends AnyStateMachine, E extends Effect>(
  definition: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
): Promise<FoldedActor<M> | undefined> {
  const saved = await store.snapshots.load(stream)
  const fits = saved?.fingerprint === definition.fingerprint
  return saved && fits ? foldAfter(definition, store, stream, saved) : undefined
}

/** Folds the facts after a snapshot; undefined if the snapshot belongs to another history of the stream. */
async function foldAfter<M extends AnyStateMachine, E extends Effect>(
  definition: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
  saved: Snapshot,
): Promise<FoldedActor<M> | undefined> {
  const { fold, facts } = definition
  const { transition } = plainFold(fold)
  let state: PlainState | undefined
  let version = saved.version
  for await (const recorded of store.read(stream, { after: saved.version - 1 })) {
    if (state === undefined) {
      if (recorded.version !== saved.version || recorded.id !== saved.factId) return undefined
      state = fold.restore(saved.state) as unknown as PlainState
    } else {
      state = foldFact(transition, state, facts, recorded) ?? state
      version = recorded.version
    }
  }
  return state && { snapshot: restored(definition, state), version, savedVersion: saved.version }
}

/** A plain state as a snapshot of XState. */
export function restored<M extends AnyStateMachine, E extends Effect>(
  { fold }: ActorDefinition<M, E>,
  state: PlainState,
): SnapshotFrom<M> {
  return 'machine' in state ? (state as unknown as SnapshotFrom<M>) : fold.restore(plainStateOf(state))
}

/** A state as JSON. */
export function plainStateOf(snapshot: object): Json {
  const { value, context } = snapshot as { value: Json; context: Json }
  return { value, context }
}
