/** What a call reports is made safe to record before it reaches the log, on every way in. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { callResult } from '../../src/claude/process/call-ending.ts'
import { recordable } from '../../src/claude/recordable.ts'
import { answerReader } from '../../src/claude/recovery.ts'
import type { AgentRunner, CallResult } from '../../src/claude/runner.ts'
import { streamParser } from '../../src/claude/stream/parser.ts'
import { agentFacts } from '../../src/events/agent-facts.ts'
import { CallStalledError, OverloadedError } from '../../src/events/errors/call.ts'
import { errorData } from '../../src/events/errors/recorded.ts'
import { memoryStore, Orchestrator } from '../../src/index.ts'

const redact = (text: string) => text
const good: CallResult = {
  text: 'paid answer',
  costUsd: 0.5,
  usage: { inputTokens: 1, outputTokens: 2, cacheReadTokens: 3, cacheCreationTokens: 4 },
  durationMs: 10,
  turns: 1,
  model: 'm',
  permissionDenials: [{ tool: 'Write', input: '{}' }],
}

test('a good result is not changed', () => {
  expect(recordable(good)).toEqual(good)
})

/** A fact that the schema refuses could not be recorded, and its task would wait until its deadline. */
const check = (result: CallResult) => {
  const data = {
    taskId: 't',
    callId: 'c',
    attempt: 1,
    sessionId: 's',
    parentSessionId: null,
    harvested: false,
  }
  const fact = { type: 'CallSucceeded', data: { ...data, ...result } } as const
  expect(JSON.stringify(agentFacts.write(fact as never)).length).toBeLessThan(2 ** 20)
}

test('any result with a text can be recorded, whatever its other fields are', () => {
  const anything = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.bigInt(),
    fc.anything(),
    fc.constantFrom(NaN, -1, 1e300, 1.5),
  )
  const usage = fc.record(
    { inputTokens: anything, outputTokens: anything, cacheReadTokens: anything, more: anything },
    { requiredKeys: [] },
  )
  const result = fc.record(
    {
      text: fc.string(),
      costUsd: anything,
      usage: fc.oneof(usage, anything),
      durationMs: anything,
      turns: anything,
      model: fc.oneof(anything, fc.string()),
      permissionDenials: fc.oneof(anything, fc.array(fc.record({ tool: anything, input: anything }))),
      reasoningTokens: anything,
    },
    { requiredKeys: ['text'] },
  )
  fc.assert(fc.property(result, (given) => check(recordable(given as never))))
})

test.each([
  ['tokens with a fraction', { usage: { ...good.usage, inputTokens: 10.5 } }, { usage: { inputTokens: 11 } }],
  ['a negative count', { usage: { ...good.usage, inputTokens: -1 } }, { usage: { inputTokens: 0 } }],
  ['a count beyond 2^53', { usage: { ...good.usage, inputTokens: 1e17 } }, { usage: { inputTokens: 1e12 } }],
  ['turns with a fraction', { turns: 1.5 }, { turns: 2 }],
  ['a cost that is NaN', { costUsd: Number.NaN }, { costUsd: 0 }],
  ['an infinite cost', { costUsd: Number.POSITIVE_INFINITY }, { costUsd: 1e9 }],
  ['no usage', { usage: undefined }, { usage: { inputTokens: 0, outputTokens: 0 } }],
])('%s: the answer counts', (_, given, expected) => {
  expect(recordable({ ...good, ...given } as never)).toMatchObject({ text: 'paid answer', ...expected })
})

test('more usage fields than a fact has are left out', () => {
  const usage = { ...good.usage, reasoningTokens: 5 }
  expect(recordable({ ...good, usage }).usage).toEqual(good.usage)
})

test('1,300 denied tool uses and names of a megabyte are cut', () => {
  const long = 'x'.repeat(2 ** 20)
  const denials = Array.from({ length: 1300 }, () => ({ tool_name: long, tool_input: { content: long } }))
  const facts = streamParser(redact).facts
  const result = callResult({ result: 'paid', permission_denials: denials }, facts, { costBefore: 0, redact })
  expect(result.permissionDenials).toHaveLength(100)
  check(result)
  check(
    recordable({ ...good, model: long, permissionDenials: denials.map(() => ({ tool: long, input: long })) }),
  )
})

test('counts in a transcript are made safe as well', () => {
  const own = [
    { uuid: '1', type: 'user', message: { content: 'go' } },
    {
      ...{ uuid: '2', type: 'assistant' },
      message: {
        ...{ id: 'm', model: 'm', stop_reason: 'end_turn', content: [{ type: 'text', text: 'paid' }] },
        usage: { input_tokens: 1.5, output_tokens: -3 },
      },
    },
  ]
  const answer = answerReader('go', { before: new Set(), costBefore: 0 })
  for (const line of own) answer.add(JSON.stringify(line))
  expect(answer.result()).toMatchObject({
    text: 'paid',
    usage: { inputTokens: 2, outputTokens: 0 },
  })
})

test('an error of any length, with any details, can be recorded', () => {
  const error = new CallStalledError({ said: 'x'.repeat(2 ** 21), status: Number.NaN })
  const data = errorData(error)
  expect(data.details).toEqual({ said: expect.stringMatching(/^x+\.\.\.$/) })
  expect(JSON.stringify(data).length).toBeLessThan(50_000)
  expect(errorData(Object.assign(new OverloadedError(), { details: undefined })).details).toEqual({})
})

const runnerThat = (result: unknown): AgentRunner => ({
  async *start() {
    yield { type: 'result', result } as never
  },
  recover: async () => ({ outcome: 'unsent' }),
})

async function ask(result: unknown) {
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner: runnerThat(result) })
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 's' })
  try {
    const { text, costUsd } = await agent.ask('x')
    return { text, costUsd }
  } catch (error) {
    return error
  }
}

test('a custom runner that miscounts has its answer recorded', async () => {
  expect(await ask({ ...good, costUsd: Number.NaN, turns: undefined, usage: null })).toEqual({
    text: 'paid answer',
    costUsd: 0,
  })
})

test.each([
  [{ ...good, text: { a: 1 } }, /result\.text is object/],
  [null, /not an object/],
])(
  'a custom runner without an answer fails its task at once, naming the field: %#',
  async (result, message) => {
    expect(await ask(result)).toMatchObject({
      _tag: 'InvalidResultError',
      message: expect.stringMatching(message),
    })
  },
)
