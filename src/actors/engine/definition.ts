/** A kind of actor, as data and pure functions: what tells an agent from a supervisor, or from an actor of a user's. */
import { hash } from 'node:crypto'
import type { AnyStateMachine, EventFromLogic, SnapshotFrom } from 'xstate'
import type { FactCatalog } from '../../events/catalog.ts'
import type { StreamSummary } from '../../store/event-store.ts'
import { type LiveFold, liveFold } from './compiled-fold.ts'
import { type Fold, replayable } from './replayable.ts'

/** Something that should be going on in a state. The key is its identity: same key, same effect, started once. */
export interface Effect {
  readonly key: string
}

/** The facts that a machine folds: its events, before the log gave them an id. */
export type FactOfMachine<M extends AnyStateMachine> = WithoutId<EventFromLogic<M>>
type WithoutId<E> = E extends { type: infer T extends string; data: infer D }
  ? { readonly type: T; readonly data: D }
  : never

/** A kind of actor, as data and pure functions. */
export interface ActorDefinition<M extends AnyStateMachine, E extends Effect> {
  readonly kind: string
  readonly facts: FactCatalog<FactOfMachine<M>>
  readonly fold: Fold<M>
  /** The same, as live actors do it. */
  readonly live: LiveFold<M>
  /** Changes whenever the fold may give another state: snapshots of another one are not used. */
  readonly fingerprint: string
  /** What should be going on in this state. */
  effects(snapshot: SnapshotFrom<M>): readonly E[]
  summarize(snapshot: SnapshotFrom<M>): StreamSummary
  /** After how many facts the state is saved again; default 100. More where a state is large, as all of it is written. */
  factsBetweenSnapshots?(snapshot: SnapshotFrom<M>): number
}

/** Time and chance as they are when something is decided. */
export interface Circumstances {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** From 0 to 1. */
  readonly random: number
}

/** A kind of actor, whatever its machine. */
export type AnyKind = ActorDefinition<AnyStateMachine, Effect>

/** The kind that a stream is of, by its name; undefined where none of these has it. */
export const kindIn = (kinds: readonly AnyKind[], stream: string): AnyKind | undefined =>
  kinds.find(({ kind }) => stream.startsWith(`${kind}/`))

/**
 * By kind, and only in the bundle of the command: the text of a bundled function is another one, and a log is read by the
 * command and by programs that have the library.
 */
declare const FINGERPRINTS: Readonly<Record<string, string>> | undefined
const bundled = typeof FINGERPRINTS === 'undefined' ? {} : FINGERPRINTS

/**
 * Defines a kind of actor. Throws NotReplayableError when the machine has effects of its own.
 *
 * @param sources What the machine's functions call to fold a fact: part of the fingerprint, as its code decides the state.
 */
export function defineKind<M extends AnyStateMachine, E extends Effect>(
  kind: string,
  machine: M,
  parts: Omit<ActorDefinition<M, E>, 'kind' | 'fold' | 'live' | 'fingerprint'>,
  sources: readonly object[] = [],
): ActorDefinition<M, E> {
  const fingerprint =
    bundled[kind] ??
    fingerprintOf([machine.config, machine.implementations, parts.facts.versions, ...sources])
  const fold = replayable(machine)
  return { kind, fold, live: liveFold(fold), fingerprint, ...parts }
}

/** A hash over data and the text of functions: another build of the same code may have another one, and that is fine. */
function fingerprintOf(parts: readonly object[]): string {
  const text = JSON.stringify(parts, (_, value) => (typeof value === 'function' ? String(value) : value))
  return hash('sha256', text, 'base64url')
}
