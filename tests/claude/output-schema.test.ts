/** Schemas of answers: whatever a library makes of a form is asked for as `claude` accepts it, or refused at once. */
import * as Schema from 'effect/Schema'
import { describe, expect, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { outputSchema } from '../../src/claude/output-schema.ts'
import type { JsonObject } from '../../src/events/json.ts'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { few } from '../repetitions.ts'
import { collect, REAL_CLAUDE, testAgent } from './calls.ts'

describe('a schema', () => {
  test('loses what claude does not know, and nothing else', () => {
    const given = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'https://example.org/city',
      type: 'object',
      description: 'A city',
      properties: {
        name: { type: 'string', format: 'email', examples: ['Rome'], 'x-note': 1, minLength: 1 },
        // Names of properties, and data, are not keywords.
        format: { type: 'string', enum: ['x-note', 'format'] },
        examples: { const: { format: 'kept', examples: ['kept'] } },
      },
      required: ['name'],
      additionalProperties: false,
      'x-origin': { type: 'string' },
    }
    expect(outputSchema(given).schema).toEqual({
      type: 'object',
      description: 'A city',
      properties: {
        name: { type: 'string', minLength: 1 },
        format: { type: 'string', enum: ['x-note', 'format'] },
        examples: { const: { format: 'kept', examples: ['kept'] } },
      },
      required: ['name'],
      additionalProperties: false,
    })
  })

  test('of a later draft becomes one of draft-07', () => {
    const given = {
      type: 'object',
      properties: { pair: { type: 'array', prefixItems: [{ type: 'string', format: 'uri' }], items: false } },
      dependentRequired: { a: ['b'] },
      dependentSchemas: { c: { required: ['d'], unevaluatedProperties: false } },
    }
    expect(outputSchema(given).schema).toEqual({
      type: 'object',
      properties: { pair: { type: 'array', items: [{ type: 'string' }], additionalItems: false } },
      dependencies: { a: ['b'], c: { required: ['d'] } },
    })
  })

  test.each<JsonObject>([
    { type: 'array', items: { type: 'string' } },
    { type: 'string', enum: ['yes', 'no'] },
    { type: ['object', 'null'] },
    { anyOf: [{ type: 'object' }, { type: 'string' }] },
    {},
  ])('of anything but an object is wrapped in one, and the answer unwrapped: %j', (given) => {
    const { schema, unwrap } = outputSchema(given)
    expect(schema).toEqual({
      type: 'object',
      properties: { value: given },
      required: ['value'],
      additionalProperties: false,
    })
    expect(unwrap({ value: ['a'] })).toEqual(['a'])
    expect(unwrap('prose')).toBeUndefined()
  })

  test('keeps its references when it is wrapped', () => {
    const tree = { type: 'object', properties: { next: { $ref: '#/$defs/Tree' } } }
    expect(outputSchema({ $ref: '#/$defs/Tree', $defs: { Tree: tree } }).schema).toMatchObject({
      properties: { value: { $ref: '#/$defs/Tree' } },
      $defs: { Tree: tree },
    })
    expect(outputSchema({ type: 'array', items: { $ref: '#' } }).schema).toMatchObject({
      properties: { value: { items: { $ref: '#/properties/value' } } },
    })
  })

  test.each<[JsonObject, string]>([
    [{ type: 'nonsense' }, '"type" cannot be "nonsense"'],
    [{ type: 'object', properties: { a: { $ref: 'https://example.org/a' } } }, 'which is not in it'],
    [{ type: 'object', required: 'a' }, '"required" cannot be "a"'],
    [{ type: 'object', properties: { a: { type: 'string', pattern: '(' } } }, '"pattern" cannot be "("'],
  ])('that no version accepts is refused: %j', (given, message) => {
    expect(() => outputSchema(given)).toThrow(message)
  })

  test('of a schema library is accepted', () => {
    const City = Schema.Struct({
      name: Schema.String,
      people: Schema.Int,
      twins: Schema.Array(Schema.String),
    })
    const { jsonSchema } = Schema.toStandardJSONSchemaV1(Schema.toStandardSchemaV1(City))['~standard']
    expect(outputSchema(jsonSchema.input({ target: 'draft-07' }) as JsonObject).schema).toMatchObject({
      type: 'object',
    })
  })
})

/** What the real claude makes of a schema, if the model gives this output. */
async function ask(schema: JsonObject, output: unknown) {
  await using model = await simulatedModel({
    reply: ({ conversation }) =>
      conversation.length > 1 ? answer.text('done') : answer.toolUse('StructuredOutput', output as never),
  })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const collected = await collect(runner, agent.call('x', { settings: { outputSchema: schema } }))
  return { ...collected, requests: model.requests.length }
}

const FORMS: readonly [schema: JsonObject, output: unknown, expected: unknown][] = [
  [
    { $ref: '#/$defs/N', $defs: { N: { type: 'object', properties: { next: { $ref: '#/$defs/N' } } } } },
    { value: { next: {} } },
    { next: {} },
  ],
  [
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { mail: { type: 'string', format: 'email', examples: ['a@b.c'], 'x-note': 1 } },
      required: ['mail'],
    },
    { mail: 'x@y.z' },
    { mail: 'x@y.z' },
  ],
  [{ type: 'array', items: { type: 'string' } }, { value: ['a', 'b'] }, ['a', 'b']],
  [{ type: 'integer' }, { value: 7 }, 7],
]

describe('the real claude', () => {
  test.each(few(2, FORMS))('answers in the form of %j', async (schema, output, expected) => {
    const { error, result } = await ask(schema, output)
    expect(error).toBeNull()
    expect(JSON.parse(result?.text ?? '')).toEqual(expected)
  })

  test('is not asked with a schema that it would refuse or ignore', async () => {
    const { error, requests } = await ask({ type: 'nonsense' }, {})
    expect(error).toMatchObject({ _tag: 'OutputSchemaError', retryable: false })
    expect(requests).toBe(0)
  })
})
