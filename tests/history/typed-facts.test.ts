import { firstValueFrom, toArray } from 'rxjs'
import { expect, expectTypeOf, test } from 'vitest'
import { ofType, type RecordedFact } from '../../src/history/typed-facts.ts'
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
