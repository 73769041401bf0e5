/** A world for tests of agents: a virtual clock, fixed randomness, and a log that outlives the orchestrator. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../src/orchestrator-options.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { levelStore } from '../../src/store/level/store.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { atEndOfFile } from '../end-of-file.ts'

export async function world() {
  const clock = virtualClock()
  const directory = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  const store = await levelStore(directory, { clock })
  onTestFinished(async () => {
    await store[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })
  return {
    clock,
    directory,
    store,
    /** Opens an orchestrator on this world's log; closing it leaves the log open for the next one. */
    async open(script: ScriptedRunnerOptions = {}, options: OrchestratorOptions = {}) {
      const runner = scriptedRunner({ clock, ...script })
      const orchestrator = await Orchestrator.open({
        store: undying(store),
        runner,
        clock,
        random: () => 1,
        ...options,
      })
      return { orchestrator, runner }
    },
    /** The types of an agent's facts, in order. */
    async types(agent: string) {
      const types: string[] = []
      for await (const { type } of store.read(`agent/${agent}`)) types.push(type)
      return types
    },
  }
}

/** The same store, but closing it does nothing. */
function undying(store: EventStore): EventStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === Symbol.asyncDispose) return async () => {}
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** What is in memory needs no more turns. */
const TURNS = 100

const waiting = new Set<() => boolean>()

/**
 * Resolves when the condition holds. Checks on each turn of the event loop at first, and then once a millisecond: what is
 * waited for needs the processor, too.
 */
export async function until(holds: () => boolean): Promise<void> {
  waiting.add(holds)
  for (let turn = 0; !holds(); turn++) await (turn < TURNS ? setImmediate() : setTimeout(1))
  waiting.delete(holds)
}

atEndOfFile(async () => {
  const [left] = waiting
  waiting.clear()
  if (left) throw new Error(`The file has ended, and something still waits until ${left}.`)
})

export const ECHO = { id: 'echo', systemPrompt: 'You repeat what you hear.' }
