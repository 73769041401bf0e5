/** Lost blobs: a task that needs one fails at once, and the others continue. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LARGEST_INLINE_BODY } from '../../../src/events/task-input.ts'
import { ECHO, until, world } from '../world.ts'

const LONG = 'x'.repeat(LARGEST_INLINE_BODY + 1)

test('A task whose prompt is lost fails at once, without a call and without waiting for its deadline', async () => {
  const { open, clock, directory } = await world()
  const { orchestrator, runner } = await open({ reply: () => ({ text: 'done', delayMs: 10 }) })
  const agent = await orchestrator.createAgent(ECHO)
  const first = agent.ask('first')
  const second = agent.ask(LONG)
  const third = agent.ask('third')
  const failure = second.then(
    () => null,
    (error: unknown) => error,
  )
  await until(() => agent.snapshot.context.queue.length === 2 && clock.pending >= 2)
  await rm(join(directory, 'blobs'), { recursive: true })
  await clock.advance(10)
  await first
  expect(await failure).toMatchObject({ _tag: 'CorruptBlob', message: expect.stringContaining('missing') })
  await until(() => runner.calls.length === 2 && clock.pending >= 2)
  await clock.advance(10)
  await third
  expect(runner.calls.map(({ prompt }) => prompt)).toEqual(['first', 'third'])
})

test('A lost answer is reported as lost when it is asked for again', async () => {
  const { open, directory } = await world()
  const { orchestrator } = await open({ reply: () => LONG })
  const agent = await orchestrator.createAgent(ECHO)
  await agent.ask('x', { taskId: 'one' })
  await rm(join(directory, 'blobs'), { recursive: true })
  await expect(agent.ask('x', { taskId: 'one' })).rejects.toMatchObject({ _tag: 'CorruptBlob' })
})
