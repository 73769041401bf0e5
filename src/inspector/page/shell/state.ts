/** What every place knows: how far the log has grown, whether the server answers, and what has gone wrong. */
import { signal } from '@preact/signals'

/** The last position of the log. */
export const head = signal(0)
/** The last position that the server has indexed. */
export const indexed = signal(0)
export const connected = signal(true)
/** Why what is shown may be out of date; empty if it is not. */
export const problem = signal('')
export const helpOpen = signal(false)

/** Notes how far the log and the index have grown. */
export function noteGrowth(lastPosition: number, lastIndexed: number): void {
  head.value = Math.max(lastPosition, head.peek())
  indexed.value = Math.max(lastIndexed, indexed.peek())
}
