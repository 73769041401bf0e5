/** A run that is about to begin when its orchestrator closes. */
import { expect, test } from 'vitest'
import { sequential } from '../../../src/patterns/sequential.ts'
import { ECHO, world } from '../../actors/world.ts'

test('a run that has not begun when the orchestrator closes has not failed, and can be resumed', async () => {
  const here = await world()
  const { orchestrator, runner } = await here.open()
  await orchestrator.createAgent(ECHO)
  const run = orchestrator.run(sequential(['echo']), 'one', { id: 'r' })
  const closed = orchestrator.close()
  await expect(run).rejects.toMatchObject({ _tag: 'ClosedError' })
  await closed
  expect(runner.calls).toEqual([])
  const types: string[] = []
  for await (const { type } of here.store.read('run/r')) types.push(type)
  expect(types).not.toContain('RunFailed')
  const next = await here.open()
  expect((await next.orchestrator.run(sequential(['echo']), 'one', { id: 'r' })).success).toBe(true)
  await next.orchestrator.close()
})
