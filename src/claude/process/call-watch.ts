/** Watches the time of a call: how long it has said nothing, and how long it takes in all. */
import { type Clock, pause } from '../../clock.ts'
import { CallStalledError, CallTimeoutError, type ClaudeExecutionError } from '../../events/errors/call.ts'

export interface TimeLimits {
  /** How long it may print no line. */
  readonly idleMs: number
  /** How long it may take in all; null: as long as its owner lets it. */
  readonly callTimeoutMs: number | null
}

export interface CallWatch {
  /** It has said something. */
  heard(): void
}

/** Watches until `over` aborts, and tells when the time is up. */
export function watchCall(
  { idleMs, callTimeoutMs }: TimeLimits,
  clock: Clock,
  over: AbortSignal,
  fail: (error: ClaudeExecutionError) => void,
): CallWatch {
  let heardAt = clock.now()

  const silence = async () => {
    for (let left = idleMs; left > 0; left = heardAt + idleMs - clock.now()) {
      await pause(clock, left, over)
      if (over.aborted) return
    }
    fail(new CallStalledError({ said: `no output for ${idleMs} ms` }))
  }
  const length = async (limitMs: number) => {
    await pause(clock, limitMs, over)
    if (!over.aborted) fail(new CallTimeoutError({ said: `the limit is ${limitMs} ms` }))
  }

  void silence()
  if (callTimeoutMs !== null) void length(callTimeoutMs)
  return {
    heard() {
      heardAt = clock.now()
    },
  }
}
