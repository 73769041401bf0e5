/** A team whose log an inspector shows. */
import { onTestFinished } from 'vitest'
import { inspector } from '../../src/inspector/inspector.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { parallel } from '../../src/patterns/parallel.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../src/testing/scripted-runner.ts'

/** An orchestrator with a team, and an inspector of it. */
export async function inspected(
  names: readonly string[],
  reply: NonNullable<ScriptedRunnerOptions['reply']>,
) {
  const store = memoryStore()
  const orchestrator = await Orchestrator.open({ store, runner: scriptedRunner({ reply }), random: () => 0 })
  for (const id of names) {
    await orchestrator.createAgent({
      id,
      systemPrompt: `You are ${id}.`,
      retry: { minDelayMs: 1, maxDelayMs: 1 },
    })
  }
  const serving = await inspector(orchestrator)
  onTestFinished(async () => {
    await serving.close()
    await orchestrator.close()
  })
  const positionOf = async (type: string, stream?: string): Promise<number> => {
    for await (const recorded of store.readAll()) {
      if (recorded.type === type && (stream === undefined || recorded.stream === stream))
        return recorded.position
    }
    throw new Error(`there is no ${type}`)
  }
  return { orchestrator, store, url: serving.url, positionOf }
}

export const review = sequential([parallel(['security', 'performance']), 'lead'])
export const team = ['security', 'performance', 'lead']
