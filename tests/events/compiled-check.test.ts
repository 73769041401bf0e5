import * as Schema from 'effect/Schema'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { agentFacts } from '../../src/events/agent-facts.ts'
import { InvalidFactError } from '../../src/events/errors/fact.ts'
import { compiledCheck } from '../../src/events/options/compiled-check.ts'

type AnySchema = Schema.Codec<unknown, unknown>

const leaf: fc.Arbitrary<AnySchema> = fc.constantFrom<AnySchema[]>(
  ...[Schema.String, Schema.Int, Schema.Finite, Schema.Boolean, Schema.Null, Schema.Literal('a')],
  ...[Schema.Literals(['a', 'b']), Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)), Schema.JsonObject],
  Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(3)),
)

/** Schemas of every kind that facts are made of. */
const { schema } = fc.letrec<{ schema: AnySchema }>((tie) => ({
  schema: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    tie('schema').map((item) => Schema.Array(item)),
    tie('schema').map((item) => Schema.Record(Schema.String, item)),
    tie('schema').map((item) => Schema.NullOr(item)),
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((members) => Schema.Union(members)),
    fc
      .dictionary(fc.constantFrom('a', 'b', 'c'), fc.tuple(tie('schema'), fc.boolean()), { minKeys: 1 })
      .map((fields) =>
        Schema.Struct(
          Object.fromEntries(
            Object.entries(fields).map(([name, [field, isOptional]]) => [
              name,
              isOptional ? Schema.optionalKey(field) : field,
            ]),
          ),
        ),
      ),
  ),
}))

/** Values that are often near a schema of these. */
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(...['a', 'b', '', 'long text', 0, 1, -1, 1.5, Number.NaN, true, null, undefined, 1n]),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', '__proto__'), tie('value'), { maxKeys: 4 }),
    fc.constantFrom({ [Symbol('a')]: 1 }, new Map(), Object.create({ a: 'a' })),
  ),
}))

test('A compiled check never accepts what its schema refuses', () => {
  let accepted = 0
  fc.assert(
    fc.property(schema, fc.array(value, { minLength: 5, maxLength: 20 }), (checked, values) => {
      const isValid = compiledCheck(checked)
      const decode = Schema.decodeUnknownSync(checked, { onExcessProperty: 'error' })
      for (const one of values) {
        if (!isValid(one)) continue
        accepted++
        expect(() => decode(one)).not.toThrow()
      }
    }),
    { numRuns: 2000 },
  )
  expect(accepted).toBeGreaterThan(500)
})

test('A fact that is refused says why, in the words of its schema', () => {
  const write = (data: object) => () => agentFacts.write({ type: 'TaskCancelled', data } as never)
  expect(write({ taskId: 't', reason: 'r' })()).toEqual({
    type: 'TaskCancelled',
    v: 1,
    data: { taskId: 't', reason: 'r' },
  })
  expect(write({ taskId: 't' })).toThrow(InvalidFactError)
  expect(write({ taskId: 't' })).toThrow(/reason/)
  expect(write({ taskId: 't', reason: 'r', more: 1 })).toThrow(/more/)
})
