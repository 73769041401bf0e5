/** A runner that does not heed its signal: nothing else waits for it for ever. */
import type { Clock } from '../../clock.ts'

/** How long a runner may take to end a call that is no longer wanted, in ms. `claude` is killed within 15 s. */
const DEAF_AFTER_MS = 20_000

export const DEAF = Symbol('the runner does not heed its signal')

/** Settles as the work of a runner does; resolves with DEAF if that has not ended some time after its signal aborts. */
export function unlessDeaf<T>(work: Promise<T>, signal: AbortSignal, clock: Clock): Promise<T | typeof DEAF> {
  return new Promise((resolve, reject) => {
    let cancel = () => {}
    const wait = () => {
      cancel = clock.after(DEAF_AFTER_MS, () => resolve(DEAF))
    }
    const end = () => {
      cancel()
      signal.removeEventListener('abort', wait)
    }
    if (signal.aborted) wait()
    else signal.addEventListener('abort', wait, { once: true })
    work.finally(end).then(resolve, reject)
  })
}
