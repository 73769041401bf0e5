/** What each commit records about the state it led to, so that a replay can be checked against it. */
import { hash } from 'node:crypto'
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import { canonicalJson } from '../../events/json.ts'
import type { StreamSummary } from '../../store/event-store.ts'
import type { ActorDefinition, Effect } from './definition.ts'
import { plainStateOf } from './history.ts'

const DIGITS = 16

/** The first digits of a fingerprint: enough to tell two apart, and written with every commit. */
export const foldName = (fingerprint: string) => fingerprint.slice(0, DIGITS)

/** A hash of the whole state. */
export const stateDigest = (state: object) =>
  hash('sha256', canonicalJson(plainStateOf(state)), 'base64url').slice(0, DIGITS)

/**
 * The summary and the name of the fold; at rest also a hash of the whole state. A working actor's state contains the
 * bodies of its tasks, which may be dropped later, and hashing them at each commit would cost too much.
 */
export function recordedState<M extends AnyStateMachine, E extends Effect>(
  { summarize, fingerprint }: ActorDefinition<M, E>,
  snapshot: SnapshotFrom<M>,
): StreamSummary {
  const summary = summarize(snapshot)
  const fold = foldName(fingerprint)
  return summary.open ? { ...summary, fold } : { ...summary, fold, state: stateDigest(snapshot as object) }
}
