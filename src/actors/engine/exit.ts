/** The end of an actor, and what a supervisor needs of something that can come to one. */
import type { Failure } from '../../events/agent-facts.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import type { ExitReason } from '../../events/supervisor-facts.ts'

/** How an actor ended. */
export interface Exit {
  /** `normal`: it was done. `shutdown`: it was told to. `crashed` and `killed` are abnormal. */
  readonly reason: ExitReason
  /** Why, where it crashed. */
  readonly error: Failure | null
}

/** Something that runs, can be watched and can be ended: an actor of yours, an agent, a supervisor, anything else. */
export interface Supervised {
  /** Calls back once, when it ends; at once where it has ended. Returns how to stop listening. */
  watch(ended: (exit: Exit) => void): () => void
  /** Ends it in an orderly way. Resolves when it has ended. */
  stop(reason?: 'normal' | 'shutdown'): Promise<void>
  /** Ends it at once: what it still does counts no more. Resolves without waiting for that. */
  kill(): Promise<void>
  /** Told that its supervisor will not start it again by itself. */
  released?(): void
}

export const crashedBy = (error: unknown): Exit => ({ reason: 'crashed', error: failureOf(error) })

/** Any error as a fact holds it. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ClaudeAgentError) return callErrorData(error)
  const [tag, message] = error instanceof Error ? [error.name, error.message] : ['Error', String(error)]
  return { tag, message, hint: '', retryable: false, details: {} }
}

export const SHUTDOWN: Exit = { reason: 'shutdown', error: null }
export const KILLED: Exit = { reason: 'killed', error: null }

/** Who waits for the end of something that ends once. */
export class Ending {
  readonly #watchers = new Set<(exit: Exit) => void>()
  #exit: Exit | undefined

  get exit(): Exit | undefined {
    return this.#exit
  }

  watch(ended: (exit: Exit) => void): () => void {
    if (this.#exit) {
      ended(this.#exit)
      return () => {}
    }
    this.#watchers.add(ended)
    return () => this.#watchers.delete(ended)
  }

  /** It has ended. Only the first time counts. */
  end(exit: Exit): void {
    if (this.#exit) return
    this.#exit = exit
    for (const ended of this.#watchers) ended(exit)
    this.#watchers.clear()
  }
}
