/** The way to the runs that workers execute: a run is asked for where it is, and again when that has moved. */
import { randomUUID } from 'node:crypto'
import { pause, systemClock } from '../clock.ts'
import { StillWantedError } from '../events/errors/owner.ts'
import { ClosedError } from '../events/errors/usage.ts'
import { streamName } from '../events/ids.ts'
import type { RunDriver } from '../patterns/runs/options.ts'
import type { InterruptionReason, RunPlacement } from '../patterns/runs/run.ts'
import { followed, type RunLine, type RunWay, sealed } from '../remote/run.ts'
import type { EventStore } from '../store/event-store.ts'
import type { WorkflowReference } from '../workflows/pattern.ts'
import type { ClusterClient } from './client.ts'
import { ToldSteps } from './told-steps.ts'

/** Between two tries to reach a run that moves. */
const AGAIN_MS = 100

interface ClusterRunsEnvironment extends Pick<RunPlacement, 'owns' | 'execute' | 'drivers'> {
  readonly client: ClusterClient
  readonly store: Pick<EventStore, 'head'>
}

/** All runs that any process can build are executed by workers. */
export const clusterRuns = ({ client, store, ...own }: ClusterRunsEnvironment): RunPlacement => ({
  ...own,
  async begin({ runId, workflow, input, options, signal }) {
    // Resolved here: a worker may have another working directory.
    const reference =
      workflow === null ? { workflow, hash: null } : await sealed(workflow as WorkflowReference)
    const after = await store.head(streamName('run', runId))
    const way = new ClusterRunWay(client, runId, after, signal)
    return followed(way, { runId, ...reference, input, options })
  },
  cancel: async (runId, reason, verdict) =>
    void (await client.runCommand(runId, 'cancel', [reason, verdict])),
})

/** A run that nothing executes has no driver. */
export const noDrivers = async (): Promise<ReadonlyMap<string, RunDriver>> => new Map()

class ClusterRunWay implements RunWay {
  readonly #client: ClusterClient
  readonly #runId: string
  readonly #after: number
  readonly #signal: AbortSignal | undefined
  readonly #ask = randomUUID()
  /** Others want it still: it is not followed any more. */
  readonly #leaving = new AbortController()
  #isOver = false

  constructor(client: ClusterClient, runId: string, after: number, signal: AbortSignal | undefined) {
    this.#client = client
    this.#runId = runId
    this.#after = after
    this.#signal = signal
  }

  async *lines(request: Parameters<RunWay['lines']>[0]): AsyncGenerator<RunLine> {
    const abort = () =>
      void this.interrupt({ paused: true, reason: String(this.#signal?.reason) }, false).catch(() => {})
    this.#signal?.addEventListener('abort', abort, { once: true })
    if (this.#signal?.aborted) abort()
    const left = new Promise<{ done: true; value: undefined }>((resolve) =>
      this.#leaving.signal.addEventListener('abort', () => resolve({ done: true, value: undefined })),
    )
    const told = new ToldSteps()
    const lines = this.#client.run(this.#runId, { ...request, ask: this.#ask, after: this.#after })
    try {
      for (;;) {
        const next = await Promise.race([lines.next(), left])
        if (next.done) return
        yield* told.next(next.value as RunLine)
      }
    } finally {
      this.#isOver = true
      this.#signal?.removeEventListener('abort', abort)
      void lines.return(undefined).catch(() => {})
    }
  }

  /** @param forAll Whether it ends for all that have asked for it. Otherwise it continues while others want it. */
  async interrupt({ paused, reason, by }: InterruptionReason, forAll = true): Promise<void> {
    if (!paused) return void (await this.#client.runCommand(this.#runId, 'cancel', [reason, { by }]))
    while (!this.#isOver) {
      const interruption = { ask: this.#ask, reason, forAll }
      const ends = await this.#client.runCommand(this.#runId, 'interrupt', [interruption])
      if (ends === false) this.#leaving.abort()
      // It has moved, or is not begun yet.
      if (ends !== null) return
      await pause(systemClock, AGAIN_MS)
    }
  }

  failure(error: unknown): unknown {
    return error
  }

  unanswered(): Error {
    if (!this.#leaving.signal.aborted) return new ClosedError({ what: 'cluster' })
    const end = `claude-agents workflow cancel ${this.#runId}`
    return new StillWantedError({ what: `Run ${this.#runId}`, end })
  }
}
