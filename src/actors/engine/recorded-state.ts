/** What is written down about a state with the facts that led to it, so that a replay can be held against it. */
import { hash } from 'node:crypto'
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import { canonicalJson } from '../../events/canonical-json.ts'
import type { StreamSummary } from '../../store/event-store.ts'
import type { ActorDefinition, Effect } from './definition.ts'
import { plainStateOf } from './fold-stream.ts'

const DIGITS = 16

/** The beginning of a fingerprint is enough to tell two apart, and is written with every commit. */
export const foldName = (fingerprint: string) => fingerprint.slice(0, DIGITS)

/** A hash of the whole state. */
export const stateDigest = (state: object) =>
  hash('sha256', canonicalJson(plainStateOf(state)), 'base64url').slice(0, DIGITS)

/**
 * A summary, with the fold that made it; of an actor at rest also with a hash of all that it knows. While it works it
 * knows the bodies of its tasks, which may be dropped later, and hashing those each time would cost too much.
 */
export function recordedState<M extends AnyStateMachine, E extends Effect>(
  { summarize, fingerprint }: ActorDefinition<M, E>,
  snapshot: SnapshotFrom<M>,
): StreamSummary {
  const summary = summarize(snapshot)
  const fold = foldName(fingerprint)
  return summary.open ? { ...summary, fold } : { ...summary, fold, state: stateDigest(snapshot as object) }
}
