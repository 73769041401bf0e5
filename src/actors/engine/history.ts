/** The history of an actor, fact by fact: the one loop under loading, states of the past, replays and hashes of states. */
import { hash } from 'node:crypto'
import type { AnyStateMachine, EventObject, SnapshotFrom } from 'xstate'
import type { FactCatalog } from '../../events/catalog.ts'
import type { Fact, Recorded } from '../../events/envelope.ts'
import { UnreadableFactError } from '../../events/errors/fact.ts'
import { canonicalText, type Json } from '../../events/json.ts'
import type { EventStore, ReadOptions, StreamSummary } from '../../store/event-store.ts'
import type { ActorDefinition, Effect } from './definition.ts'
import { type PlainState, plainFold } from './fold.ts'

/** One fact, with the state before and after it. */
export interface ReplayStep<M extends AnyStateMachine> {
  readonly recorded: Recorded
  readonly before: SnapshotFrom<M>
  readonly after: SnapshotFrom<M>
}

/** A replay step of any kind of actor. */
export type AnyReplayStep = ReplayStep<AnyStateMachine>

/** Where a fold stands. */
interface Folded {
  readonly state: PlainState
  /** The last fact that was folded; undefined if there is none. */
  readonly last: Recorded | undefined
}

export interface FoldedActor<M extends AnyStateMachine> {
  readonly snapshot: SnapshotFrom<M>
  readonly version: number
  /** The version of the saved snapshot; 0 without one. */
  readonly savedVersion: number
}

type ReadsFacts = { readonly facts: Pick<FactCatalog<Fact<string, unknown>>, 'read'> }

/**
 * The state after a fact; undefined if the state does not expect it.
 *
 * @throws UnknownFactError, UnreadableFactError: it names the fact
 */
export function foldFact<State, Next>(
  transition: (state: State, fact: EventObject) => Next,
  state: State,
  { facts }: ReadsFacts,
  recorded: Recorded,
): Next {
  const fact = facts.read(recorded)
  try {
    return transition(state, fact)
  } catch (cause) {
    const { stream, version, type } = recorded
    const problem = cause instanceof Error ? cause.message : String(cause)
    throw new UnreadableFactError({ stream, version, type, step: 'folded', problem }, { cause })
  }
}

/** Folds the facts of a stream, all of them or a range, from the beginning. */
export async function history<M extends AnyStateMachine, E extends Effect>(
  kind: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
  range: ReadOptions = {},
): Promise<Folded> {
  const { initial, transition } = plainFold(kind.fold)
  let state = initial
  let last: Recorded | undefined
  for await (const recorded of store.read(stream, range)) {
    state = foldFact(transition, state, kind, recorded) ?? state
    last = recorded
  }
  return { state, last }
}

/**
 * Replays a stream, or a range of it, step by step, folded by XState itself. All other folds use the tables of
 * `fold.ts`; a property test checks that both lead to the same states. Runs no effects and needs no clock.
 */
export async function* replaySteps<M extends AnyStateMachine, E extends Effect>(
  kind: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
  range: ReadOptions = {},
): AsyncGenerator<ReplayStep<M>> {
  let before = kind.fold.initial
  for await (const recorded of store.read(stream, range)) {
    const after = foldFact(kind.fold.transition, before, kind, recorded)
    yield { recorded, before, after }
    before = after
  }
}

/** Loads a state: folds the facts of a stream, from the last snapshot if it fits. Leads to the same state without one. */
export async function foldStream<M extends AnyStateMachine, E extends Effect>(
  kind: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
): Promise<FoldedActor<M>> {
  // Only a cache: if it cannot be loaded or used, the facts decide, and tell what is wrong.
  const resumed = await foldSnapshot(kind, store, stream).catch(() => undefined)
  if (resumed) return resumed
  const { state, last } = await history(kind, store, stream)
  if (!last) return { snapshot: kind.fold.initial, version: 0, savedVersion: 0 }
  return { snapshot: restored(kind, state), version: last.version, savedVersion: 0 }
}

/** Folds from the snapshot; undefined if there is none that fits, or if it belongs to another history of the stream. */
async function foldSnapshot<M extends AnyStateMachine, E extends Effect>(
  kind: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
): Promise<FoldedActor<M> | undefined> {
  const saved = await store.snapshots.load(stream)
  if (saved?.fingerprint !== kind.fingerprint) return undefined
  const { transition } = plainFold(kind.fold)
  let state = kind.fold.restore(saved.state) as unknown as PlainState
  let version = 0
  // Its own fact comes first, and says whether it is of this history.
  for await (const recorded of store.read(stream, { after: saved.version - 1 })) {
    if (version > 0) state = foldFact(transition, state, kind, recorded) ?? state
    else if (recorded.id !== saved.factId) return undefined
    version = recorded.version
  }
  return version > 0 ? { snapshot: restored(kind, state), version, savedVersion: saved.version } : undefined
}

/** A plain state as a snapshot of XState. */
function restored<M extends AnyStateMachine, E extends Effect>(
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

const DIGITS = 16

/** The first digits of a fingerprint: enough to tell two apart, and written with every commit. */
export const foldName = (fingerprint: string) => fingerprint.slice(0, DIGITS)

/** A hash of the whole state: of its canonical JSON. */
export function stateDigest(state: object): string {
  const text = canonicalText(plainStateOf(state), (part) => canonicalText(part, knownText))
  return hash('sha256', text as string, 'base64url').slice(0, DIGITS)
}

/** Assigns are pure: a part that one state takes over from another is the same text, such as an agent's configuration. */
function knownText(part: unknown): string | undefined {
  if (typeof part !== 'object' || part === null) return canonicalText(part)
  const known = texts.get(part)
  if (known !== undefined) return known
  const text = canonicalText(part)
  if (text !== undefined && text.length >= WORTH_KNOWING) texts.set(part, text)
  return text
}

const texts = new WeakMap<object, string>()

/** In characters. */
const WORTH_KNOWING = 128

/**
 * The summary and the name of the fold; at rest also a hash of the whole state. A working actor's state contains the
 * bodies of its tasks, which may be dropped later, and hashing them at each commit would cost too much.
 */
export function recordedState<M extends AnyStateMachine, E extends Effect>(
  { summarize, fingerprint, holdsFactIds }: ActorDefinition<M, E>,
  snapshot: SnapshotFrom<M>,
): StreamSummary {
  const summary = summarize(snapshot)
  const fold = foldName(fingerprint)
  const isFinal = !summary.open && !holdsFactIds?.(snapshot)
  return isFinal ? { fold, state: stateDigest(snapshot as object), ...summary } : { fold, ...summary }
}
