/** Parsing the output of `claude`: captured runs of two versions, cut anywhere, and unexpected lines. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { callResult } from '../../../src/claude/process/call-ending.ts'
import type { ProcessMessage } from '../../../src/claude/process/call-run.ts'
import { lineSplitter } from '../../../src/claude/stream/line-splitter.ts'
import { streamParser } from '../../../src/claude/stream/parser.ts'

const same = (text: string) => text
const captured = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/streams', name))

function parse(chunks: readonly Uint8Array[]) {
  const [lines, parser] = [lineSplitter(), streamParser(same)]
  const messages: ProcessMessage[] = []
  for (const chunk of chunks) for (const line of lines.push(chunk)) messages.push(...parser.read(line))
  for (const line of lines.end()) messages.push(...parser.read(line))
  return { messages, facts: parser.facts }
}

const read = (...records: object[]) =>
  parse([Buffer.from(records.map((record) => JSON.stringify(record)).join('\n'))])
const texts = (messages: readonly ProcessMessage[]) =>
  messages.flatMap((message) => (message.type === 'text' ? [message.text] : []))
const delta = (text: string, more = {}) => ({
  type: 'stream_event',
  event: { type: 'content_block_delta', delta: { type: 'text_delta', text } },
  ...more,
})
const start = (id: string) => ({ type: 'stream_event', event: { type: 'message_start', message: { id } } })
const assistant = (id: string, text: string, more = {}) => ({
  type: 'assistant',
  message: { id, model: 'm', content: [{ type: 'text', text }] },
  ...more,
})

const stopped = (stop_reason: string) => ({
  type: 'stream_event',
  event: { type: 'message_delta', delta: { stop_reason } },
})
const told = (text: string, more = {}) => ({
  type: 'user',
  message: { role: 'user', content: [{ type: 'text', text }] },
  isSynthetic: true,
  ...more,
})
const RESUME =
  'Your response above was cut off mid-stream. Resume directly from where it stops — no apology, no recap.'
const AGAIN = 'Your response above was cut off mid-stream. Write the complete response again from the start.'

describe('an answer in two messages', () => {
  const one = [start('1'), assistant('1', 'One half, ')]
  const other = [start('2'), assistant('2', 'the other.'), stopped('end_turn')]
  test.each([
    ['cut off at the limit of tokens', [...one, stopped('max_tokens'), ...other], 'One half, '],
    [
      'cut off at the limit, and asked for the rest',
      [...one, stopped('max_tokens'), told(RESUME), ...other],
      'One half, ',
    ],
    ['cut off by its connection, and asked for the rest', [...one, told(RESUME), ...other], 'One half, '],
    ['cut off before it said anything', [start('1'), told(RESUME), ...other], ''],
    ['asked for all of it again', [...one, stopped('max_tokens'), told(AGAIN), ...other], ''],
    ['repeated', [...one, ...other], ''],
    ['about a tool first', [...one, stopped('tool_use'), ...other], ''],
    [
      'not streamed',
      [assistant('1', 'One half, '), told(RESUME), assistant('2', 'the other.')],
      'One half, ',
    ],
    ['what a subagent was told', [...one, told(RESUME, { parent_tool_use_id: 't' }), ...other], ''],
    ['what the user says', [...one, told(RESUME, { isSynthetic: false }), ...other], ''],
  ])('%s', (_, records, begun) => {
    const { facts } = read(...records)
    const result = { result: 'the other.' }
    expect(callResult(result, facts, { costBefore: 0, redact: same }).text).toBe(`${begun}the other.`)
  })

  test.each([
    ['has no end', one, true],
    ['has one', [...one, stopped('end_turn')], false],
    [
      'has one in its whole message',
      [start('1'), { type: 'assistant', message: { id: '1', stop_reason: 'end_turn' } }],
      false,
    ],
    ['is repeated without streaming', [...one, assistant('2', 'All.')], false],
    ['was never streamed', [assistant('1', 'All.')], false],
  ])('the last of them %s', (_, records, endsOpen) => {
    expect(read(...records).facts.endsOpen).toBe(endsOpen)
  })

  test('is structured output without what was said before it', () => {
    const { facts } = read(...one, stopped('max_tokens'), ...other)
    const result = { result: 'the other.', structured_output: { a: 1 } }
    expect(callResult(result, facts, { costBefore: 0, redact: same }).text).toBe('{"a":1}')
  })
})

describe.each(['2.1.197', '2.1.330'])('output of version %s', (version) => {
  test('an answer streams, and ends with a result', () => {
    const { messages, facts } = parse([captured(`${version}-answer.ndjson`)])
    expect(messages[0]).toMatchObject({ type: 'init', version, model: 'claude-sonnet-4-5' })
    expect(texts(messages)).toEqual(['part0 ', 'part1 ', 'part2 '])
    expect(facts.unknown.size).toBe(0)
    expect(facts.requested).toBe(true)
    expect(callResult(facts.result ?? {}, facts, { costBefore: 0, redact: same })).toMatchObject({
      text: 'part0 part1 part2 ',
      costUsd: 0.00014685,
      usage: { inputTokens: 10, outputTokens: 7, cacheReadTokens: 2, cacheCreationTokens: 3 },
      turns: 1,
      model: 'claude-sonnet-4-5',
      permissionDenials: [],
    })
  })

  test('a tool use is reported once', () => {
    const { messages } = parse([captured(`${version}-tool.ndjson`)])
    expect(messages.filter((message) => message.type === 'tool')).toEqual([
      { type: 'tool', name: 'Bash', toolUseId: expect.any(String) },
    ])
  })

  test('the text of an API error is not text of the model', () => {
    const { messages, facts } = parse([captured(`${version}-refused.ndjson`)])
    expect(texts(messages)).toEqual([])
    expect(facts.assistantError).toBe('authentication_failed')
  })

  test('permission denials are kept with the call', () => {
    const { facts } = parse([captured(`${version}-max-turns.ndjson`)])
    const { permissionDenials } = callResult(facts.result ?? {}, facts, { costBefore: 0, redact: same })
    expect(permissionDenials).toEqual([{ tool: 'Write', input: expect.stringContaining('x.txt') }])
  })

  test('it does not matter where the output is split into chunks', () => {
    const bytes = captured(`${version}-tool.ndjson`)
    const whole = parse([bytes])
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
        const places = [0, ...cuts.sort((one, other) => one - other), bytes.length]
        const chunks = places.slice(1).map((place, index) => bytes.subarray(places[index], place))
        expect(parse(chunks)).toEqual(whole)
      }),
      { numRuns: 100 },
    )
  })
})

test('any text arrives unchanged, split anywhere, even inside a character', () => {
  const text = fc.string({ unit: 'binary', maxLength: 50 })
  fc.assert(
    fc.property(fc.array(text), fc.integer({ min: 1, max: 7 }), (said, size) => {
      const bytes = Buffer.from(said.map((one) => `${JSON.stringify(delta(one))}\n`).join(''))
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      )
      const wellFormed = (one: string) => Buffer.from(JSON.stringify(one)).toString()
      expect(texts(parse(chunks).messages)).toEqual(
        said.filter((one) => one !== '').map((one) => JSON.parse(wellFormed(one)) as string),
      )
    }),
  )
})

test('the parser never throws, whatever is printed', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.json(), fc.string(), fc.constant('{"type":"system"}'))), (lines) => {
      parse([Buffer.from(lines.join('\n'))])
    }),
  )
})

test('a Unicode line separator does not end a line', () => {
  expect(
    texts(
      parse([Buffer.from(`{"type":"assistant","message":{"content":[{"type":"text","text":"a\u2028b"}]}}\n`)])
        .messages,
    ),
  ).toEqual(['a\u2028b'])
})

test('without partial messages, the text comes with the whole message', () => {
  expect(texts(read(assistant('1', 'Hello')).messages)).toEqual(['Hello'])
})

test('a message that was streamed is not repeated, one that was not is reported', () => {
  const { messages } = read(
    start('1'),
    delta('Hel'),
    delta('lo'),
    assistant('1', 'Hello'),
    assistant('2', 'Again'),
  )
  expect(texts(messages)).toEqual(['Hel', 'lo', 'Again'])
})

/** What is left of the text that was told, once what was taken back is left out. */
const kept = (messages: readonly ProcessMessage[]) =>
  messages.reduce((said, message) => {
    if (message.type === 'text') return said + message.text
    return message.type === 'retract' ? said.slice(0, said.length - message.characters) : said
  }, '')
const stop = { type: 'stream_event', event: { type: 'message_stop' } }

test('a stream that breaks and is repeated takes back what it said, and no more', () => {
  const whole = [start('1'), delta('Let me see.'), assistant('1', 'Let me see.'), stop]
  const broken = [start('2'), delta('First half of '), delta('a wrong answer')]
  const repeated = [assistant('3', 'The right answer.')]
  const streamed = [
    start('3'),
    delta('The right'),
    delta(' answer.'),
    assistant('3', 'The right answer.'),
    stop,
  ]
  for (const again of [repeated, streamed]) {
    const { messages } = read(...whole, ...broken, ...again)
    expect(kept(messages)).toBe('Let me see.The right answer.')
    expect(messages.filter(({ type }) => type === 'retract')).toEqual([{ type: 'retract', characters: 28 }])
  }
  expect(kept(read(...whole, ...streamed).messages)).toBe('Let me see.The right answer.')
})

test('a stream that newer versions end where it broke takes back the block that is not whole', () => {
  const broken = { ...stop, abandoned_blocks: { from_block_index: 1 } }
  const whole = [start('1'), delta('one, '), assistant('1', 'one, ')]
  const { messages, facts } = read(
    ...whole,
    delta('tw'),
    broken,
    told(RESUME),
    start('2'),
    delta('two'),
    stop,
  )
  expect(kept(messages)).toBe('one, two')
  expect(facts.begun).toBe('one, ')
  expect(kept(read(start('1'), delta('on'), broken, start('2'), delta('one'), stop).messages)).toBe('one')
})

test('what a subagent says is not part of the answer', () => {
  const sub = { parent_tool_use_id: 'toolu_1' }
  expect(read(delta('secret', sub), assistant('1', 'secret', sub)).messages).toEqual([])
})

test('the retries of the CLI are reported', () => {
  const retry = { type: 'system', subtype: 'api_retry', attempt: 1, max_retries: 2, retry_delay_ms: 500 }
  expect(read({ ...retry, error_status: 529, error: 'overloaded' }).messages).toEqual([
    { type: 'retry', attempt: 1, maxAttempts: 2, delayMs: 500, problem: 'overloaded (529)', status: 529 },
  ])
})

test("a delay that the service requested is told from the CLI's own backoff", () => {
  const waits = [
    [1, 589.17, undefined],
    [2, 1232.88, undefined],
    [1, 20_000, 20_000],
    [2, 1_000, 1_000],
  ] as const
  for (const [attempt, retry_delay_ms, retryAfterMs] of waits) {
    const record = { type: 'system', subtype: 'api_retry', attempt, retry_delay_ms, error_status: 429 }
    expect(read(record).facts.retry?.retryAfterMs).toBe(retryAfterMs)
  }
})

test('of two results, the last one counts', () => {
  const { facts } = read({ type: 'result', result: 'a' }, { type: 'result', result: 'b' })
  expect(facts.result).toMatchObject({ result: 'b' })
})

test('a line that is too long is rejected, and so is too much output', () => {
  const splitter = lineSplitter({ lineBytes: 10, callBytes: 25 })
  expect(splitter.push(Buffer.from('123456789\n1'))).toEqual(['123456789'])
  expect(() => splitter.push(Buffer.from('2345678901'))).toThrow(/a line exceeds 10 bytes/)
  const other = lineSplitter({ lineBytes: 10, callBytes: 25 })
  expect(() => other.push(Buffer.from('12345\n'.repeat(5)))).toThrow(/the output exceeds 25 bytes/)
})
