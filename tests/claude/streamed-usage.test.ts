/** What a call without a result has cost is estimated by what it had streamed. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { reportedSpending } from '../../src/claude/process/call-ending.ts'
import { streamParser } from '../../src/claude/stream/parser.ts'

const captured = (name: string) =>
  readFileSync(join(import.meta.dirname, 'fixtures/streams', name), 'utf8').split('\n')

function parsed(lines: readonly (string | object)[]) {
  const parser = streamParser((text) => text)
  for (const line of lines) parser.read(typeof line === 'string' ? line : JSON.stringify(line))
  return parser
}

const event = (event: object, parent: string | null = null) => ({
  type: 'stream_event',
  event,
  parent_tool_use_id: parent,
})
const start = (id: string, usage?: object, model = 'claude-sonnet-4-5') =>
  event({ type: 'message_start', message: { id, model, usage } })
const delta = (text: string, parent: string | null = null) =>
  event({ type: 'content_block_delta', delta: { type: 'text_delta', text } }, parent)
const NOTHING = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 }

describe('The estimate of a call that is cut off', () => {
  test.each(['2.1.197-answer', '2.1.197-tool', '2.1.330-answer'])(
    'right before its result is what the result says: %s',
    (name) => {
      const { facts, streamed } = parsed(captured(`${name}.ndjson`))
      const told = reportedSpending(facts.result ?? {}, facts.model, 0)
      expect(streamed.spending('')).toEqual({
        costUsd: expect.closeTo(told?.costUsd ?? -1, 9),
        usage: told?.usage,
        estimated: true,
      })
    },
  )

  test('in the middle of a message counts its input as the service does, and its output by length', () => {
    const usage = { input_tokens: 10, cache_creation_input_tokens: 1000, output_tokens: 1 }
    const { streamed } = parsed([start('m', usage), delta('a'.repeat(30)), delta('é'.repeat(5))])
    expect(streamed.spending('not counted')).toMatchObject({
      usage: { ...NOTHING, inputTokens: 10, outputTokens: 10, cacheCreationTokens: 1000 },
    })
  })

  test('adds what subagents have said, and what a broken stream had said before', () => {
    const { streamed } = parsed([
      start('one'),
      delta('a'.repeat(40)),
      delta('b'.repeat(80), 'subagent'),
      start('two'),
      delta('c'.repeat(4)),
    ])
    expect(streamed.spending('12345678')?.usage).toEqual({ ...NOTHING, inputTokens: 2, outputTokens: 31 })
  })

  test('counts a message once that streams and is then printed whole', () => {
    const whole = {
      type: 'assistant',
      message: { id: 'm', content: [{ type: 'text', text: 'a'.repeat(40) }] },
    }
    const { streamed } = parsed([start('m'), delta('a'.repeat(40)), whole])
    expect(streamed.spending('')?.usage.outputTokens).toBe(10)
    expect(parsed([whole, whole]).streamed.spending('')?.usage.outputTokens).toBe(20)
  })

  test('is none before the model has said anything, nor for what the CLI wrote itself', () => {
    const synthetic = {
      type: 'assistant',
      message: { model: '<synthetic>', content: [{ type: 'text', text: 'API Error' }] },
    }
    const { streamed } = parsed([{ type: 'system', subtype: 'status', status: 'requesting' }, synthetic])
    expect(streamed.spending('a prompt')).toBeUndefined()
  })

  test('holds a handful of messages, however many there are', () => {
    const { streamed } = parsed(
      Array.from({ length: 1000 }, (_, index) => delta('a'.repeat(4), `subagent-${index}`)),
    )
    expect(streamed.spending('')?.usage.outputTokens).toBe(1000)
  })

  test('depends on the model', () => {
    const costOf = (model: string) =>
      parsed([start('m', { output_tokens: 1e6 }, model)]).streamed.spending('')?.costUsd
    expect(['claude-opus-4-1', 'claude-opus-4-6', 'claude-haiku-4-5', 'someone-elses'].map(costOf)).toEqual([
      75, 25, 5, 15,
    ])
  })
})
