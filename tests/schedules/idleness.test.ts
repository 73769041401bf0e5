/** How schedules count for an owner that ends by itself when it has nothing to do. */
import { expect, test } from 'vitest'
import { idleMs } from '../../src/cli/service/activity.ts'
import { scheduled } from './kit.ts'

test('An owner is not idle while a schedule is to fire, and is once it is paused', async () => {
  const { open, until, clock } = scheduled('2026-01-01T00:00Z')
  const orchestrator = await open()
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'You help.' })
  await orchestrator.schedules.add('s', { cron: '@yearly', timezone: 'UTC', agent: 'a', prompt: 'x' })
  const idle = () => idleMs(orchestrator, 0, clock.now())
  await until('2026-01-01T01:00Z')
  expect(await idle()).toBe(0)
  await orchestrator.schedules.pause('s')
  await until('2026-01-01T02:00Z')
  expect(await idle()).toBe(3_600_000)
})
