/** Statistics of a log in one pass: tasks, failures, retries, times, tokens and cost, by agent, run or day. */
import type { Recorded } from '../events/envelope.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { roundedUsd } from '../events/figures.ts'
import { checkArgument } from '../events/options/decoding.ts'
import { spendingIn } from '../events/spending.ts'
import type { EventStore } from '../store/event-store.ts'

/** What the figures are grouped by. */
export type Grouping = 'agent' | 'run' | 'day'

const GROUPINGS: readonly unknown[] = ['agent', 'run', 'day'] satisfies readonly Grouping[]

/** The figures of one agent, run or day. A task counts on the day, in UTC, on which it ended. */
export interface Statistics {
  /** The agent, run or day; null for tasks that no run asked. */
  readonly key: string | null
  readonly tasks: number
  readonly succeeded: number
  readonly failed: number
  readonly cancelled: number
  /** How many calls failed, by the tag of the error. */
  readonly failures: Readonly<Record<string, number>>
  readonly retries: number
  /** From acceptance to answer, in ms, with waiting and retries; null if nothing was answered. */
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  /** Of all calls, however they ended. */
  readonly inputTokens: number
  readonly outputTokens: number
  /** The same as budgets count them: with those written to the cache, and a share of those read from it. */
  readonly tokens: number
  readonly costUsd: number
  /** The part of the cost that is an estimate, because calls were cut off or reported no price. */
  readonly estimatedCostUsd: number
}

/** The statistics of all groups, ordered by key. */
export async function statistics(store: EventStore, by: Grouping): Promise<readonly Statistics[]> {
  checkArgument('The store', store, 'a store')
  if (!GROUPINGS.includes(by))
    throw new InvalidInputError({ what: 'The grouping', problem: `it must be ${GROUPINGS.join(', ')}` })
  const counting = new Counting(by)
  for await (const recorded of store.readAll())
    if (recorded.stream.startsWith('agent/')) counting.add(recorded)
  return counting.results()
}

interface OpenTask {
  readonly run: string | null
  readonly acceptedAt: number
}

interface Figures {
  succeeded: number
  failed: number
  cancelled: number
  readonly failures: Map<string, number>
  retries: number
  readonly times: number[]
  inputTokens: number
  outputTokens: number
  tokens: number
  costUsd: number
  estimatedCostUsd: number
}

class Counting {
  readonly #by: Grouping
  readonly #open = new Map<string, OpenTask>()
  readonly #groups = new Map<string | null, Figures>()

  constructor(by: Grouping) {
    this.#by = by
  }

  add(recorded: Recorded): void {
    const { stream, type, data, at, correlationId } = recorded
    if (typeof data.taskId !== 'string') return
    const key = `${stream} ${data.taskId}`
    if (type === 'TaskAccepted') {
      // The correlation id of a task that no run asked is its own id.
      const run = correlationId === data.taskId ? null : correlationId
      this.#open.set(key, { run, acceptedAt: Date.parse(at) })
      return
    }
    const task = this.#open.get(key)
    const figures = this.#figures(this.#keyOf(recorded, task))
    spend(figures, data)
    switch (type) {
      case 'CallFailed':
        count(figures.failures, tagOf(data.error))
        return
      case 'CallOutcomeUnknown':
        // One that ended after its task is counted with that.
        if (!data.late) count(figures.failures, 'OutcomeUnknownError')
        return
      case 'RetryScheduled':
        figures.retries++
        return
      // Its call may still tell what it has cost: the task is kept for its run.
      case 'TaskFailed':
        figures.failed++
        return
      case 'TaskCancelled':
        figures.cancelled++
        return
      case 'CallSucceeded': {
        figures.succeeded++
        // The clock may have been set back in between.
        if (task) figures.times.push(Math.max(0, Date.parse(at) - task.acceptedAt))
        this.#open.delete(key)
      }
    }
  }

  results(): readonly Statistics[] {
    return [...this.#groups]
      .filter(([, { succeeded, failed, cancelled, retries, failures, costUsd }]) =>
        Boolean(succeeded + failed + cancelled + retries + failures.size + costUsd),
      )
      .sort(([one], [other]) => ((one ?? '') < (other ?? '') ? -1 : 1))
      .map(([key, { failures, times, ...figures }]) => {
        const { succeeded, failed, cancelled } = figures
        const sorted = times.sort((one, other) => one - other)
        return {
          key,
          tasks: succeeded + failed + cancelled,
          ...figures,
          costUsd: roundedUsd(figures.costUsd),
          estimatedCostUsd: roundedUsd(figures.estimatedCostUsd),
          failures: Object.fromEntries([...failures].sort()),
          p50Ms: percentile(sorted, 0.5),
          p95Ms: percentile(sorted, 0.95),
        }
      })
  }

  #keyOf({ stream, at }: Recorded, task: OpenTask | undefined): string | null {
    if (this.#by === 'agent') return stream.slice('agent/'.length)
    return this.#by === 'day' ? at.slice(0, 10) : (task?.run ?? null)
  }

  #figures(key: string | null): Figures {
    const known = this.#groups.get(key)
    if (known) return known
    const figures: Figures = {
      succeeded: 0,
      failed: 0,
      cancelled: 0,
      failures: new Map(),
      retries: 0,
      times: [],
      inputTokens: 0,
      outputTokens: 0,
      tokens: 0,
      costUsd: 0,
      estimatedCostUsd: 0,
    }
    this.#groups.set(key, figures)
    return figures
  }
}

function spend(figures: Figures, data: object): void {
  const spending = spendingIn({ data })
  if (!spending) return
  figures.inputTokens += spending.usage.inputTokens
  figures.outputTokens += spending.usage.outputTokens
  figures.tokens += spending.tokens
  figures.costUsd += spending.costUsd
  if (spending.estimated) figures.estimatedCostUsd += spending.costUsd
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1)
}

const tagOf = (error: unknown) => String((error as { tag?: unknown } | null)?.tag ?? 'unknown')

/** By nearest rank: always a measured value, never an interpolated one. */
function percentile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null
}
