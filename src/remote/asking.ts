/** A request for work that takes its time: it can be interrupted, and it continues when this process goes. */
import { randomUUID } from 'node:crypto'
import { ClaudeAgentError } from '../events/errors/base.ts'
import { type OwnerUnavailable, StillWantedError } from '../events/errors/owner.ts'
import { abortedBecause } from '../events/errors/phrases.ts'
import type { InterruptRequest } from '../owner/commands.ts'
import type { OwnerClient } from './client.ts'

export class Asking {
  readonly #client: OwnerClient
  readonly #address: string
  readonly #ask = randomUUID()
  readonly #leaving = new AbortController()
  #accept = () => {}
  /** Resolves when the owner has the request, or will not get it. */
  readonly accepted = new Promise<void>((resolve) => {
    this.#accept = resolve
  })

  constructor(client: OwnerClient, address: string) {
    this.#client = client
    this.#address = address
  }

  /** What the owner tells of it. Ends without an outcome if it was interrupted here and others want it. */
  async *lines(request: object, signal: AbortSignal | undefined): AsyncGenerator<unknown> {
    const abort = () => void this.interrupt(abortedBecause(signal?.reason)).catch(() => {})
    signal?.addEventListener('abort', abort, { once: true })
    if (signal?.aborted) abort()
    const options = { accepted: this.#accept, signal: this.#leaving.signal }
    try {
      yield* this.#client.post(this.#address, { ...request, ask: this.#ask }, options)
    } finally {
      this.#accept()
      signal?.removeEventListener('abort', abort)
    }
  }

  /** Ends it, unless others have asked for it as well. */
  async interrupt(reason: string, { forAll = false }: { readonly forAll?: boolean } = {}): Promise<void> {
    await this.accepted
    const interruption: InterruptRequest = { ask: this.#ask, reason, forAll }
    if (!(await this.#client.result('/interruptions', interruption))) this.#leaving.abort()
  }

  /** Why there is no outcome. */
  unanswered(what: string, end: string): OwnerUnavailable | StillWantedError {
    if (this.#leaving.signal.aborted) return new StillWantedError({ what, end })
    return this.#client.unavailable('gave no answer')
  }
}

/** If the owner has gone, the work has not failed: the next owner resumes it, and the hint says how to get its outcome. */
export function ownersFailure(client: OwnerClient, what: string, hint: string, error: unknown): unknown {
  const tag = error instanceof ClaudeAgentError ? error._tag : ''
  if (tag !== 'ClosedError' && tag !== 'OwnerUnavailable') return error
  const problem = tag === 'ClosedError' ? `closed it before ${what} ended` : `ended before ${what} did`
  return client.unavailable(problem, hint, error)
}
