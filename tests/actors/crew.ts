/** Children under a test's control, with a supervisor on a virtual clock. */
import { setImmediate } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { Ending, type Exit, KILLED, type Supervised } from '../../src/actors/engine/exit.ts'
import type { FatalError } from '../../src/actors/supervision/downfall.ts'
import type {
  ChildSpecification,
  SupervisorSpecification,
} from '../../src/actors/supervision/specification.ts'
import type { Supervisor } from '../../src/actors/supervision/supervisor.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../src/orchestrator-options.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'

/** One run of a child; each start makes a new one. */
export interface Member extends Supervised {
  readonly id: string
  /** Ends by itself. */
  exit(reason: Exit['reason']): void
}

const BOOM = { tag: 'RangeError', message: 'boom', hint: '', retryable: false, details: {} }

export type StopKind = 'at-once' | 'never' | number

export function crew(options: Partial<OrchestratorOptions> = {}) {
  const clock = virtualClock()
  const store = options.store ?? memoryStore()
  /** What was started and ended, in order: `+a`, `-a`, `!a` (killed), `?a` (could not start). */
  const events: string[] = []
  const running = new Map<string, Member>()
  const failing = new Map<string, { left: number; readonly meanwhile: () => void }>()
  const failures: FatalError[] = []
  let starts = 0

  function member(id: string, stops: StopKind): Member {
    const ending = new Ending()
    const end = (sign: string, exit: Exit) => {
      if (ending.exit) return
      events.push(`${sign}${id}`)
      if (running.get(id) === self) running.delete(id)
      ending.end(exit)
    }
    const self: Member = {
      id,
      watch: (ended) => ending.watch(ended),
      async stop(reason = 'shutdown') {
        if (stops === 'never') return new Promise(() => {})
        if (typeof stops === 'number') await new Promise<void>((resolve) => clock.after(stops, resolve))
        end('-', { reason, error: null })
      },
      async kill() {
        end('!', KILLED)
      },
      exit: (reason) => end('x', { reason, error: reason === 'crashed' ? BOOM : null }),
    }
    return self
  }

  /** A child that the test can end, or make fail to start. */
  function child(id: string, rest: ChildSpecification = {}, stops: StopKind = 'at-once'): ChildSpecification {
    return { id, start: ({ id: name }) => start(name, stops), ...rest }
  }

  function start(id: string, stops: StopKind = 'at-once'): Member {
    starts += 1
    const failure = failing.get(id)
    if (failure && failure.left > 0) {
      failure.left -= 1
      events.push(`?${id}`)
      failure.meanwhile()
      throw new Error(`${id} does not start`)
    }
    events.push(`+${id}`)
    const started = member(id, stops)
    running.set(id, started)
    return started
  }

  async function open() {
    const orchestrator = await Orchestrator.open({
      store: { ...store, [Symbol.asyncDispose]: async () => {} },
      runner: scriptedRunner({ clock }),
      clock,
      random: () => 0,
      onFailure: (error) => failures.push(error),
      ...options,
    })
    onTestFinished(() => orchestrator.close())
    return orchestrator
  }

  return {
    clock,
    store,
    events,
    running,
    failures,
    child,
    start,
    open,
    /** Makes the next starts of a child fail. @param meanwhile What else each of them does. */
    failStarts: (id: string, times = Number.POSITIVE_INFINITY, meanwhile = () => {}) =>
      failing.set(id, { left: times, meanwhile }),
    /** Whether the next start of a child fails. */
    fails: (id: string) => (failing.get(id)?.left ?? 0) > 0,
    get starts() {
      return starts
    },
    /** What happened since the last call. */
    heard: () => events.splice(0).join(' '),
    async supervise(
      children: readonly ChildSpecification[],
      rest: Partial<SupervisorSpecification> = {},
    ): Promise<Supervisor> {
      const orchestrator = await open()
      const intensity = { maxRestarts: 2, withinMs: 3600_000 }
      return orchestrator.supervise({ id: 'top', intensity, children, ...rest })
    },
    /** Ends a child by itself; resolves when everything that follows has happened. */
    async exits(id: string, reason: Exit['reason'] = 'crashed') {
      running.get(id)?.exit(reason)
      await quiet()
    },
    /** The types of a supervisor's facts, in order. */
    async types(supervisor = 'top') {
      const types: string[] = []
      for await (const { type } of store.read(`supervisor/${supervisor}`)) types.push(type)
      return types
    },
  }
}

/** Resolves when everything that needs no time to pass has happened. */
export async function quiet(): Promise<void> {
  for (let round = 0; round < 20; round++) await setImmediate()
}

export const statuses = (supervisor: Supervisor) =>
  supervisor
    .children()
    .map(({ id, status }) => `${id} ${status}`)
    .join(', ')
