/** Removing an agent: its files first, then the fact, and again after a failure. */
import { expect, test } from 'vitest'
import { memoryStore, Orchestrator } from '../../../src/index.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'

async function world(fails: number) {
  const done: string[] = []
  let left = fails
  const runner = {
    ...scriptedRunner(),
    prepare: async () => void done.push('prepare'),
    async discard() {
      left -= 1
      if (left >= 0) throw new Error('a file is immutable')
      done.push('discard')
    },
  }
  const store = memoryStore()
  const orchestrator = await Orchestrator.open({ store, runner })
  const types = async () => {
    const found: string[] = []
    for await (const { type } of orchestrator.history.log()) found.push(type)
    return found
  }
  return { orchestrator, done, types }
}

test('a removal is recorded when the files are gone, and can be repeated until then', async () => {
  const { orchestrator, types } = await world(1)
  await orchestrator.createAgent({ id: 'a', systemPrompt: 's' })
  await expect(orchestrator.removeAgent('a')).rejects.toThrow('a file is immutable')
  expect(await types()).not.toContain('AgentRemoved')
  expect((await orchestrator.agents()).map(({ id }) => id)).toEqual(['a'])
  await orchestrator.removeAgent('a')
  expect((await types()).at(-1)).toBe('AgentRemoved')
  expect(await orchestrator.agents()).toEqual([])
  await orchestrator.close()
})

test('an agent under a name used before gets none of the files of the one before', async () => {
  const { orchestrator, done } = await world(0)
  await orchestrator.createAgent({ id: 'a', systemPrompt: 's' })
  await orchestrator.removeAgent('a')
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'another' })
  expect(done).toEqual(['prepare', 'discard', 'discard', 'prepare'])
  await orchestrator.close()
})
