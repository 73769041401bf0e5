/** A log in memory that outlives its owners, with a virtual clock, for tests of schedules. */
import { onTestFinished } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../src/orchestrator-options.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'

export const DAY_MS = 86_400_000

/** @param start When it begins: `2026-03-28T00:00Z`. */
export function scheduled(start: string) {
  const clock = virtualClock(Date.parse(start))
  const store: EventStore = { ...memoryStore({ clock }), [Symbol.asyncDispose]: async () => {} }
  const turns = async () => {
    for (let rounds = 0; rounds < 20; rounds += 1) await clock.advance(0)
  }
  return {
    clock,
    store,
    /** An owner of the log. */
    async open(options: OrchestratorOptions = {}) {
      const orchestrator = await Orchestrator.open({
        ...{ store, runner: scriptedRunner({ clock }), clock, random: () => 1 },
        ...options,
      })
      onTestFinished(() => orchestrator.close())
      await turns()
      return orchestrator
    },
    /** Lets time pass, up to an instant, with everything that follows from it. */
    async until(instant: string) {
      await clock.advance(Date.parse(instant) - clock.now())
      await turns()
    },
    turns,
    /** The facts of a stream, as far as they have these types. */
    async facts(stream: string, ...types: readonly string[]) {
      const found: Record<string, unknown>[] = []
      for await (const { type, data } of store.read(stream))
        if (types.length === 0 || types.includes(type)) found.push({ type, ...data })
      return found
    },
    /** The instants at which a schedule has begun something. */
    async fired(name: string) {
      const announced = new Map<string, string>()
      const begun: string[] = []
      for await (const { type, data } of store.read(`schedule/${name}`)) {
        if (type === 'FiringAnnounced') announced.set(String(data.id), String(data.at))
        if (type === 'FiringAccepted') begun.push(announced.get(String(data.id)) ?? '')
      }
      return begun
    },
    /** The ids of the tasks that an agent has accepted. */
    async tasks(agent: string) {
      const ids: string[] = []
      for await (const { type, data } of store.read(`agent/${agent}`))
        if (type === 'TaskAccepted') ids.push(String(data.taskId))
      return ids
    },
  }
}
