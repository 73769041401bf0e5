/** What each commit records about the state it led to, so that a replay can be checked against it. */
import { hash } from 'node:crypto'
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import { canonicalText } from '../../events/json.ts'
import type { StreamSummary } from '../../store/event-store.ts'
import type { ActorDefinition, Effect } from './definition.ts'
import { plainStateOf } from './history.ts'

const DIGITS = 16

/** The first digits of a fingerprint: enough to tell two apart, and written with every commit. */
export const foldName = (fingerprint: string) => fingerprint.slice(0, DIGITS)

/** A hash of the whole state: of its canonical JSON. */
export const stateDigest = (state: object) =>
  hash('sha256', textOfState(state) as string, 'base64url').slice(0, DIGITS)

const textOfState = (state: object) =>
  canonicalText(plainStateOf(state), (part) => canonicalText(part, knownText))

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
  { summarize, fingerprint }: ActorDefinition<M, E>,
  snapshot: SnapshotFrom<M>,
): StreamSummary {
  const summary = summarize(snapshot)
  const fold = foldName(fingerprint)
  return summary.open ? { ...summary, fold } : { ...summary, fold, state: stateDigest(snapshot as object) }
}
