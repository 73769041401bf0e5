/** How actors end, and what a supervisor needs from something that can end. */
import type { Failure } from '../../events/agent-facts.ts'
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { callListener } from '../../events/listener.ts'
import type { ExitReason } from '../../events/supervisor-facts.ts'

/** How an actor ended. */
export interface Exit {
  /** `normal`: its work was done. `shutdown`: it was told to end. `crashed` and `killed` are abnormal. */
  readonly reason: ExitReason
  /** Why it crashed; null otherwise. */
  readonly error: Failure | null
}

/** Something that runs and can be watched and ended: an actor of your own, an agent, a supervisor, anything else. */
export interface Supervised {
  /** Calls back once, when it ends; at once if it has ended. Returns the function that stops watching. */
  watch(ended: (exit: Exit) => void): () => void
  /** Shuts it down gracefully. Resolves when it has ended. */
  stop(reason?: 'normal' | 'shutdown'): Promise<void>
  /** Ends it at once: whatever it still does no longer counts. Resolves without waiting for that. */
  kill(): Promise<void>
  /** Called when its supervisor will not restart it by itself. */
  released?(): void
}

export const crashedBy = (error: unknown): Exit => ({ reason: 'crashed', error: failureOf(error) })

/** The end of an agent that was removed: it is not replaced. */
export const removedAgent = (agent: string): Exit => ({
  reason: 'normal',
  error: failureOf(new AgentNotFoundError({ agent, nearest: null })),
})

/** Any error in the form that facts hold. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ClaudeAgentError) return callErrorData(error)
  const [tag, message] = error instanceof Error ? [error.name, error.message] : ['Error', String(error)]
  return { tag, message, hint: '', retryable: false, details: {} }
}

export const SHUTDOWN: Exit = { reason: 'shutdown', error: null }
export const KILLED: Exit = { reason: 'killed', error: null }

/** An end that comes once, and its watchers. */
export class Ending {
  readonly #watchers = new Set<(exit: Exit) => void>()
  #exit: Exit | undefined

  get exit(): Exit | undefined {
    return this.#exit
  }

  /** Whether anything waits for it. */
  get isWatched(): boolean {
    return this.#watchers.size > 0
  }

  watch(ended: (exit: Exit) => void): () => void {
    if (this.#exit) {
      callListener(ended, this.#exit)
      return () => {}
    }
    this.#watchers.add(ended)
    return () => this.#watchers.delete(ended)
  }

  /** Only the first call counts. */
  end(exit: Exit): void {
    if (this.#exit) return
    this.#exit = exit
    for (const ended of this.#watchers) callListener(ended, exit)
    this.#watchers.clear()
  }
}
