/** Going through the history of a stream of any kind, given its log: also a copy of one, or an export. */

import type { AnyKind } from '../actors/engine/definition.ts'
import { checkVersion } from '../actors/engine/fold-at.ts'
import { type AnyReplayStep, replaySteps } from '../actors/engine/replay.ts'
import type { EventStore } from '../store/event-store.ts'
import { KINDS } from './kinds.ts'
import { knownStream } from './state-at.ts'

/** Which versions of a stream to replay. */
export interface ReplayOptions {
  /** The first version that is handed out; what comes before it is folded. Default: the first. */
  readonly from?: number
  /** The last version. Default: all that there are. */
  readonly to?: number
}

/**
 * Each fact, and the state before and after it. Offline: no effect is run, and nothing is written.
 *
 * @throws StreamNotFoundError, UnknownKindError, VersionNotFoundError for a `from` past the end
 * @example
 * for await (const { recorded, after } of replayStream(store, 'agent/researcher'))
 *   console.log(recorded.version, recorded.type, after.value)
 */
export async function* replayStream(
  store: EventStore,
  stream: string,
  { from = 1, to }: ReplayOptions = {},
  kinds: readonly AnyKind[] = KINDS,
): AsyncGenerator<AnyReplayStep> {
  const { kind, last } = await knownStream(store, stream, kinds)
  checkVersion(stream, from, last)
  for await (const step of replaySteps(kind, store, stream, to)) if (step.recorded.version >= from) yield step
}
