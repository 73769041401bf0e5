/** Lines that are longer than memory allows: what a tool read is skipped, and the result of the call is kept. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lineSplitter, recordTypeScanner } from '../../../src/claude/stream/line-splitter.ts'
import { longRecord } from '../../../src/claude/stream/parser.ts'

const LIMITS = { lineBytes: 50, callBytes: 100, resultBytes: 200 }
const line = (record: object) => `${JSON.stringify(record)}\n`
const splitter = () => lineSplitter(LIMITS, longRecord)

/** The lines of the output, which arrives in pieces of this size. */
function split(output: string, size = 7, into = splitter()): string[] {
  const bytes = Buffer.from(output)
  const lines: string[] = []
  for (let start = 0; start < bytes.length; start += size) {
    // One buffer for all pieces, as a file is read.
    const piece = Buffer.from(bytes.subarray(start, start + size))
    lines.push(...into.push(piece))
    piece.fill('?')
  }
  return [...lines, ...into.end()]
}

test('what a tool read may be of any length and come any number of times', () => {
  const read = line({ type: 'user', message: 'A'.repeat(5000) })
  const result = line({ type: 'result', result: 'done' })
  expect(split(read.repeat(50) + result)).toEqual([result.trimEnd()])
})

test.each(['user', 'system', 'tool_progress', 'keep_alive'])(
  'what no call needs may be of any length: %s',
  (type) => {
    const silent = line({ type, content: 'A'.repeat(5000) })
    expect(split(silent + line({ type: 'result' }))).toEqual(['{"type":"result"}'])
  },
)

test.each([
  ['first', { type: 'result', result: 'x'.repeat(100) }],
  ['last', { result: 'x'.repeat(100), type: 'result' }],
  [
    'after another type inside',
    { usage: { type: 'user' }, more: ['type'], text: '"type":"user"', type: 'result' },
  ],
])('a long result is kept, with its type %s', (_, record) => {
  expect(split(line(record))).toEqual([JSON.stringify(record)])
})

test.each([
  { type: 'result', result: 'x'.repeat(300) },
  { result: 'x'.repeat(300), type: 'result' },
])('a result that is too long even for a result is an error that says so: %#', (record) => {
  expect(() => split(line(record))).toThrow(/the result exceeds 200 bytes/)
})

test('a record whose type comes last is skipped, however long it is', () => {
  const read = line({ message: 'A'.repeat(5000), type: 'user' })
  expect(split(read + line({ type: 'result' }))).toEqual(['{"type":"result"}'])
})

test('a long line that is no record, or of an unknown type, counts against the limit of the call', () => {
  expect(() => split('x'.repeat(101))).toThrow(/the output exceeds 100 bytes/)
  expect(() => split(line({ type: 'noise', text: 'x'.repeat(200) }))).toThrow(/the output exceeds 100 bytes/)
})

test('the type of a record is found wherever its bytes are cut', () => {
  const keys = fc.constantFrom('type', 'a', 'b"', '\\', '{')
  const values = fc.oneof(fc.string(), fc.integer(), fc.constantFrom('user', 'result'), fc.jsonValue())
  fc.assert(
    fc.property(fc.dictionary(keys, values), fc.integer({ min: 1, max: 9 }), (record, size) => {
      const bytes = Buffer.from(JSON.stringify(record))
      const scanner = recordTypeScanner()
      for (let start = 0; start < bytes.length; start += size)
        scanner.push(bytes.subarray(start, start + size))
      const { type } = record
      const isPlain = typeof type === 'string' && /^[\w ]{0,50}$/.test(type)
      if (isPlain) expect(scanner.type).toBe(type)
      else if (typeof type !== 'string') expect(scanner.type).toBeNull()
    }),
  )
})
