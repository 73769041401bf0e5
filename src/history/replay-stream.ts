/** Replays a stream of any kind from a log, a copy of one, or an export. */

import type { AnyKind } from '../actors/engine/definition.ts'
import { checkVersion } from '../actors/engine/fold-at.ts'
import { type AnyReplayStep, replaySteps } from '../actors/engine/history.ts'
import { defined } from '../events/json.ts'
import type { EventStore } from '../store/event-store.ts'
import { KINDS } from './kinds.ts'
import { knownStream } from './state-at.ts'

/** Which versions of a stream to replay. */
export interface ReplayOptions {
  /** The first version to yield; earlier ones are only folded. Default: 1. */
  readonly from?: number
  /** The last version. Default: the last one in the log. */
  readonly to?: number
}

/**
 * Yields each fact with the states before and after it. Offline: runs no effects and writes nothing.
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
  for await (const step of replaySteps(kind, store, stream, defined({ to })))
    if (step.recorded.version >= from) yield step
}
