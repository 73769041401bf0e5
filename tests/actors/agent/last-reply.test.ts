/** The reply to a task that an agent has answered costs what the task takes in the log, not what the agent ever did. */
import { expect, test } from 'vitest'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { EventStore, ReadOptions } from '../../../src/store/event-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { ECHO } from '../world.ts'

/** Counts the facts that are read from one stream after another. */
function counting(store: EventStore) {
  const counted = { reads: 0 }
  const read = async function* (stream: string, options?: ReadOptions) {
    for await (const recorded of store.read(stream, options)) {
      counted.reads += 1
      yield recorded
    }
  }
  return { counted, store: { ...store, read } as EventStore }
}

test('The reply to the last of many tasks reads the facts of that task alone', async () => {
  const { counted, store } = counting(memoryStore())
  await using orchestrator = await Orchestrator.open({ store, runner: scriptedRunner() })
  const agent = await orchestrator.createAgent(ECHO)
  for (let task = 0; task < 50; task++) await agent.ask(`task ${task}`, { taskId: `task-${task}` })
  counted.reads = 0
  expect((await agent.reply('task-49')).text).toBe('echo: task 49')
  expect(counted.reads).toBeLessThanOrEqual(4)
})
