/** A log in memory that outlives its owners, for tests of messages. */
import { onTestFinished } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../src/orchestrator-options.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'

export function team() {
  const clock = virtualClock()
  const store: EventStore = { ...memoryStore({ clock }), [Symbol.asyncDispose]: async () => {} }
  let ids = 0
  return {
    clock,
    store,
    async open(script: ScriptedRunnerOptions = {}, options: OrchestratorOptions = {}) {
      const runner = scriptedRunner({ clock, ...script })
      const newId = () => `id-${++ids}`
      const orchestrator = await Orchestrator.open({
        ...{ store, runner, clock, random: () => 1, newId },
        ...options,
      })
      onTestFinished(() => orchestrator.close())
      return { orchestrator, runner }
    },
    /** The types of an agent's facts, in their order. */
    async types(agent: string) {
      const types: string[] = []
      for await (const { type } of store.read(`agent/${agent}`)) types.push(type)
      return types
    },
  }
}

export const agent = (id: string, options: object = {}) => ({
  id,
  systemPrompt: `You are ${id}.`,
  ...options,
})

/** The messages that a prompt has, one line of JSON each. */
export const messagesIn = (prompt: string): { from: string; messageId: string; text: string }[] =>
  prompt
    .split('\n')
    .filter((line) => line.startsWith('{"from":'))
    .map((line) => JSON.parse(line))

/** A promise that a test resolves. */
export function gate<T>() {
  let open: (value: T) => void = () => {}
  const opened = new Promise<T>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

export const idsIn = (prompt = '') => messagesIn(prompt).map(({ messageId }) => messageId)
