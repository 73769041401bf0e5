/** Waiting for a state of an actor. */
import { ClosedError } from '../../events/errors/usage.ts'

interface Observed<Context> {
  readonly snapshot: { readonly context: Context }
  /** Returns what ends it. */
  observe(look: () => void): () => void
}

/**
 * Resolves once the state of an actor is so.
 *
 * @param closing Aborts when its owner closes. Throws ClosedError then, also if that was before.
 */
export function untilState<Context>(
  actor: Observed<Context>,
  closing: AbortSignal,
  isSo: (context: Context) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      unobserve()
      closing.removeEventListener('abort', closed)
      settle()
    }
    const closed = () => end(() => reject(new ClosedError({ what: 'orchestrator' })))
    const look = () => {
      if (isSo(actor.snapshot.context)) end(resolve)
    }
    const unobserve = actor.observe(look)
    closing.addEventListener('abort', closed)
    look()
    if (closing.aborted) closed()
  })
}
