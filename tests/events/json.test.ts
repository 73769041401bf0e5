/** JSON as text. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson, type Json, textOfJson } from '../../src/events/json.ts'

test('equal values have one canonical text, in whatever order their fields were set', () => {
  expect(canonicalJson({ b: 1, a: [{ d: 2, c: { f: 3, e: 4 } }] })).toBe(
    '{"a":[{"c":{"e":4,"f":3},"d":2}],"b":1}',
  )
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value)
      expect(canonicalJson(reversed(value))).toBe(text)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('the order of a list is part of its value', () => {
  expect(canonicalJson([2, 1])).not.toBe(canonicalJson([1, 2]))
})

test('is the text that logs of older versions have hashes of', () => {
  const values = fc.oneof(
    fc.jsonValue(),
    fc.anything({ withDate: true, withNullPrototype: true, withSparseArray: true, withObjectString: true }),
  )
  const sorted = (_: string, part: unknown) => {
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part
    const copy = Object.create(null)
    for (const name of Object.keys(part).sort()) copy[name] = (part as Record<string, unknown>)[name]
    return copy
  }
  fc.assert(
    fc.property(values, (value) => {
      expect(canonicalJson(value)).toBe(JSON.stringify(value, sorted))
    }),
    { numRuns: 1000 },
  )
})

test('JSON is written as JSON.stringify writes it, its long texts too', () => {
  const common = fc.constantFrom('a word ', '"', '\\', '\n', '\t', '\x7f', '\u2028', 'é')
  const seldom = fc.constantFrom('\r', '\0', '\x1f', '\ud800', '\udc00', '😀')
  const text = fc.oneof(
    fc.array(common, { minLength: 100, maxLength: 150 }),
    fc.array(fc.oneof({ weight: 9, arbitrary: common }, seldom), { maxLength: 150, size: 'max' }),
  )
  const named = fc.dictionary(fc.oneof(fc.string(), text.map(joined)), text.map(joined))
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), text.map(joined), named), (value) => {
      expect(textOfJson(value as Json)).toBe(JSON.stringify(value))
    }),
    { numRuns: 1000 },
  )
})

const joined = (parts: readonly string[]): string => parts.join('')

/** The same value with the fields of its objects set in the reverse order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, field]) => [name, reversed(field)]),
  )
}
