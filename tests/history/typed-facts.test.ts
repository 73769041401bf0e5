import { firstValueFrom, take, toArray } from 'rxjs'
import { expect, expectTypeOf, test } from 'vitest'
import type { Recorded } from '../../src/events/envelope.ts'
import { currentFact, ofType, type RecordedFact } from '../../src/history/typed-facts.ts'
import { ECHO, world } from '../actors/world.ts'

test('ofType passes on facts of its types, with typed data', async () => {
  const here = await world()
  const { orchestrator } = await here.open({}, { agents: [ECHO] })
  await orchestrator.sendTask('echo', 'hello')
  const found = firstValueFrom(orchestrator.events().pipe(ofType('CallSucceeded', 'AgentCreated'), toArray()))
  await orchestrator.close()
  const [created, succeeded] = await found
  expect([created?.type, succeeded?.type]).toEqual(['AgentCreated', 'CallSucceeded'])
  expectTypeOf<RecordedFact<'CallSucceeded'>['data']['costUsd']>().toEqualTypeOf<number>()
  expectTypeOf<RecordedFact<'AgentCreated' | 'TaskFailed'>['type']>().toEqualTypeOf<
    'AgentCreated' | 'TaskFailed'
  >()
  if (created?.type === 'AgentCreated') expect(created.data.config.systemPrompt).toBe(ECHO.systemPrompt)
})

test('events are told apart by their type, and have their data as the newest version writes it', async () => {
  const here = await world()
  const { orchestrator } = await here.open({}, { agents: [ECHO] })
  await orchestrator.sendTask('echo', 'hello')
  let costUsd = -1
  for await (const fact of orchestrator.events()) {
    if (fact.type !== 'CallSucceeded') continue
    expectTypeOf(fact.data.costUsd).toEqualTypeOf<number>()
    costUsd = fact.data.costUsd
    break
  }
  expect(costUsd).toBeGreaterThanOrEqual(0)
  const [created] = await firstValueFrom(orchestrator.events().pipe(take(1), toArray()))
  const { permissions, ...older } = (created as RecordedFact<'AgentCreated'>).data.config
  const old = { ...created, v: 1, data: { config: older } } as unknown as Recorded
  expect(currentFact(old)).toMatchObject({ v: 2, data: { config: { permissions: 'workspace' } } })
  // What is not known here stays as it was written.
  for (const other of [
    { ...old, stream: 'counter/c', type: 'Counted' },
    { ...old, type: 'FromTheFuture' },
    { ...old, v: 99 },
  ])
    expect(currentFact(other)).toBe(other)
})
