/** Runs whose orchestrator closes. */
import { expect, test } from 'vitest'
import { ClaudeAgentError } from '../../../src/events/errors/base.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import type { Pattern } from '../../../src/patterns/pattern.ts'
import { race } from '../../../src/patterns/race.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
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

const PATTERNS: Readonly<Record<string, Pattern>> = {
  'a race': race(['a', 'b']),
  'a race that accepts nothing': race(['a', 'b'], { accept: () => false }),
  'a sequence of a race and a fan-out': sequential([race(['a', 'b']), parallel(['a', 'b'])]),
}

test.each(Object.keys(PATTERNS))(
  '%s, closed at any moment, rejects with an error of this package',
  async (name) => {
    const untyped: unknown[] = []
    for (let turns = 0; turns < 120; turns++) {
      const clock = virtualClock()
      const orchestrator = await Orchestrator.open({
        store: memoryStore(),
        clock,
        runner: scriptedRunner({ clock }),
        agents: ['a', 'b'].map((id) => ({ id, systemPrompt: 'x' })),
      })
      const run = orchestrator.run(PATTERNS[name] ?? race(['a']), 'x')
      const outcome = run.then(
        () => undefined,
        (error: unknown) => error,
      )
      for (let turn = 0; turn < turns; turn++) await null
      await orchestrator.close()
      const error = await outcome
      if (error !== undefined && !(error instanceof ClaudeAgentError)) untyped.push(turns, error)
    }
    expect(untyped).toEqual([])
  },
)
