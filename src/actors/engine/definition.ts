/** A kind of actor as data and pure functions: what makes an agent different from a supervisor or a user's own actor. */
import { hash } from 'node:crypto'
import type { AnyStateMachine, EventFromLogic, SnapshotFrom } from 'xstate'
import type { FactCatalog } from '../../events/catalog.ts'
import type { StreamSummary } from '../../store/event-store.ts'
import { type Fold, hasHistoryStates, type LiveFold, liveFold, replayable } from './fold.ts'

/** Something that should run while the actor is in a state. The key is its identity: the same key is started once. */
export interface Effect {
  readonly key: string
}

/** The facts that a machine folds: its events, before the log gives them an id. */
export type FactOfMachine<M extends AnyStateMachine> = WithoutId<EventFromLogic<M>>
type WithoutId<E> = E extends { type: infer T extends string; data: infer D }
  ? { readonly type: T; readonly data: D }
  : never

/** A kind of actor, as data and pure functions. */
export interface ActorDefinition<M extends AnyStateMachine, E extends Effect> {
  readonly kind: string
  readonly facts: FactCatalog<FactOfMachine<M>>
  readonly fold: Fold<M>
  /** The same fold over XState's snapshots, for live actors. */
  readonly live: LiveFold<M>
  /** Changes whenever the fold may lead to another state. A snapshot with another fingerprint is not used. */
  readonly fingerprint: string
  /** What should run in this state. */
  effects(snapshot: SnapshotFrom<M>): readonly E[]
  summarize(snapshot: SnapshotFrom<M>): StreamSummary
  /**
   * Whether a state without open work has ids of facts in it: that of the newest is not known before it is written, so no hash of
   * such a state is recorded. Default: it has none.
   */
  holdsFactIds?(snapshot: SnapshotFrom<M>): boolean
  /** The facts between two snapshots; default 50. More where the state is large, as a snapshot writes all of it. */
  factsBetweenSnapshots?(snapshot: SnapshotFrom<M>): number
}

/** Time and chance at the moment of a decision. */
export interface Circumstances {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** From 0 to 1. */
  readonly random: number
}

/** A kind of actor with any machine. */
export type AnyKind = ActorDefinition<AnyStateMachine, Effect>

/** The kind of a stream, by the stream's name; undefined if it is none of these. */
export const kindIn = (kinds: readonly AnyKind[], stream: string): AnyKind | undefined =>
  kinds.find(({ kind }) => stream.startsWith(`${kind}/`))

/**
 * Fingerprints by kind, defined only in the bundle of the command. Bundling changes the text of functions, and the same
 * log is read by the command and by programs that use the library.
 */
declare const FINGERPRINTS: Readonly<Record<string, string>> | undefined
const bundled = typeof FINGERPRINTS === 'undefined' ? {} : FINGERPRINTS

/**
 * Defines a kind of actor. Throws NotReplayableError if the machine has effects of its own.
 *
 * @param sources Functions that the machine calls to fold a fact. They decide the state, so they are in the fingerprint.
 */
export function defineKind<M extends AnyStateMachine, E extends Effect>(
  kind: string,
  machine: M,
  parts: Omit<ActorDefinition<M, E>, 'kind' | 'fold' | 'live' | 'fingerprint'>,
  sources: readonly object[] = [],
): ActorDefinition<M, E> {
  const fingerprint =
    (Object.hasOwn(bundled, kind) ? bundled[kind] : undefined) ??
    fingerprintOf([
      machine.config,
      machine.implementations,
      parts.facts.versions,
      ...sources,
      ...saving(machine),
    ])
  const fold = replayable(machine)
  return { kind, fold, live: liveFold(fold), fingerprint, ...parts }
}

/** Snapshots once lacked what history states remember: those are not used. */
const saving = (machine: AnyStateMachine) => (hasHistoryStates(machine) ? [{ saves: 'history' }] : [])

/** A hash of data and of the text of functions. Another build of the same code may have another one; that only costs snapshots. */
function fingerprintOf(parts: readonly object[]): string {
  const text = JSON.stringify(parts, (_, value) => (typeof value === 'function' ? String(value) : value))
  return hash('sha256', text, 'base64url')
}
