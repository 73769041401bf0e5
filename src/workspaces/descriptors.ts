/** Waits while no file descriptor is left: others are closed all the time, and nothing is lost by trying again. */
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { type Clock, pause, systemClock } from '../clock.ts'
import { codeOf } from '../events/errors/phrases.ts'

export interface Waiting {
  readonly clock?: Clock
  /** Ends the waiting: the next error then counts. */
  readonly signal?: AbortSignal
}

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1_000
/** A process that has no descriptor left for so long has lost them for good. */
const TRIES = 60

/** Whether something failed for lack of descriptors. */
export const isLack = (error: unknown): boolean => ['EMFILE', 'ENFILE'].includes(codeOf(error))

/** Does the work, and tries again while it fails for lack of descriptors. */
export async function withDescriptors<Result>(
  work: () => Promise<Result> | Result,
  { clock = systemClock, signal }: Waiting = {},
): Promise<Result> {
  for (
    let tries = 1, pauseMs = FIRST_PAUSE_MS;
    ;
    tries += 1, pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
  ) {
    try {
      return await work()
    } catch (error) {
      if (!isLack(error) || tries === TRIES || signal?.aborted) throw error
      await pause(clock, pauseMs, signal)
    }
  }
}

/** A spawn takes up to three pipes and one for errors, two ends each; other threads may open files meanwhile. */
const FOR_A_SPAWN = 24

/**
 * Spawns once there are descriptors for its pipes: without them Node reports the failure as an event that nobody could
 * have listened for, which ends the host.
 */
export function spawnWhenPossible<Child>(
  spawn: () => Child,
  waiting: Waiting = {},
): Promise<{ readonly child: Child }> {
  return withDescriptors(() => {
    const held: number[] = []
    try {
      for (let count = 0; count < FOR_A_SPAWN; count += 1) held.push(openSync(devNull, 'r'))
    } finally {
      for (const descriptor of held) closeSync(descriptor)
    }
    // In the same turn, so that nothing of ours takes them. In an object: a child may be a promise.
    return { child: spawn() }
  }, waiting)
}
