import * as Schema from 'effect/Schema'
import { describe, expect, test } from 'vitest'
import { pipeline } from '../../src/patterns/pipeline.ts'
import { world } from '../actors/world.ts'

const City = Schema.Struct({ name: Schema.String, people: Schema.Int })
const standard = Schema.toStandardJSONSchemaV1(Schema.toStandardSchemaV1(City))
const plain = {
  jsonSchema: { type: 'object', properties: { name: { type: 'string' } } },
  decode: Schema.decodeUnknownSync(City),
} as const

describe('a stage with a form', () => {
  test.each([
    ['of a schema library', standard],
    ['of two functions', plain],
  ])('%s binds the model to it, and passes on the decoded value', async (_, output) => {
    const { open } = await world()
    const { orchestrator, runner } = await open({
      reply: ({ agent, prompt }) => (agent === 'a' ? '{"name":"Lisbon","people":545796,"more":1}' : prompt),
    })
    for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: 'x' })
    const result = await orchestrator.run(pipeline([{ agent: 'a', output }, { agent: 'b' }]), 'a city')
    expect(runner.calls[0]?.settings.outputSchema).toMatchObject({ type: 'object' })
    expect(runner.calls[1]?.settings.outputSchema).toBe(undefined)
    expect(JSON.parse(result.metadata.finalOutput)).toMatchObject({ name: 'Lisbon', people: 545_796 })
  })

  test('asks once more after an invalid answer, with the reason', async () => {
    const { open } = await world()
    const { orchestrator, runner } = await open({
      reply: ({ prompt }) =>
        prompt.includes('not of the form') ? '{"name":"Lisbon","people":1}' : '{"name":"Lisbon"}',
    })
    await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
    const result = await orchestrator.run(pipeline([{ agent: 'a', output: standard }]), 'a city')
    expect(result).toMatchObject({ success: true, metadata: { finalOutput: '{"name":"Lisbon","people":1}' } })
    expect(runner.calls[1]?.prompt).toContain('people')
  })

  test('fails with JSONParseError if the second answer is invalid too', async () => {
    const { open } = await world()
    const { orchestrator, runner } = await open({ reply: () => 'no JSON at all' })
    await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
    const result = await orchestrator.run(pipeline([{ agent: 'a', output: plain }]), 'a city')
    expect(result).toMatchObject({ success: false, errors: [{ code: 'JSONParseError' }] })
    expect(runner.calls.length).toBe(2)
  })
})
