/** A run is a promise like any other: for the compiler, for those who await it, and for a failure that nobody awaits. */
import { expect, onTestFinished, test } from 'vitest'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { WorkflowResult } from '../../../src/patterns/runs/workflow-result.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'

async function team() {
  const orchestrator = await Orchestrator.open({ store: memoryStore(), runner: scriptedRunner({}) })
  onTestFinished(() => orchestrator.close())
  await orchestrator.createAgent({ id: 'a', systemPrompt: 's' })
  return orchestrator
}

/** What Node says of rejections that nobody handles. */
function unheard(): unknown[] {
  const heard: unknown[] = []
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (error) => heard.push(error))
  onTestFinished(() => {
    process.removeAllListeners('unhandledRejection')
    for (const other of others) process.on('unhandledRejection', other)
  })
  return heard
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

test('a run is a promise of its result', async () => {
  const orchestrator = await team()
  const promise: Promise<WorkflowResult> = orchestrator.run(sequential(['a']), 'go')
  let settled = 0
  expect(await promise.finally(() => (settled += 1))).toMatchObject({ success: true })
  expect(Object.prototype.toString.call(promise)).toBe('[object Run]')
  const refused: Promise<WorkflowResult> = orchestrator.run(sequential(['nobody']), 'go')
  expect(await refused.catch((error) => error._tag)).toBe('AgentNotFoundError')
  await expect(refused.finally(() => (settled += 1))).rejects.toMatchObject({ _tag: 'AgentNotFoundError' })
  expect(settled).toBe(2)
})

test('the failure of a run that nobody awaits is heard of', async () => {
  const heard = unheard()
  const orchestrator = await team()
  await orchestrator.run(sequential(['nobody']), 'go').ended
  await nextTurn()
  expect(heard).toMatchObject([{ _tag: 'AgentNotFoundError' }])
})

test('nothing is heard of a run that is awaited, that its handle or signal interrupts, or that is left on closing', async () => {
  const heard = unheard()
  const orchestrator = await team()
  const awaited = orchestrator.run(sequential(['nobody']), 'go')
  await expect(awaited).rejects.toMatchObject({ _tag: 'AgentNotFoundError' })
  await orchestrator.run(sequential(['a']), 'go').pause()
  await orchestrator.run(sequential(['a']), 'go').cancel()
  await orchestrator.run(sequential(['a']), 'go', { signal: AbortSignal.abort() }).ended
  const left = orchestrator.run(sequential(['a']), 'go')
  await orchestrator.close()
  await left.ended
  await nextTurn()
  expect(heard).toEqual([])
})
