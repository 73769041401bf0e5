/** How calls fail with the real `claude`: each in one typed error that says what to do, leaving nothing running. */
import { randomUUID } from 'node:crypto'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { linuxProcessTable } from '../../src/claude/process/table.ts'
import type { Call } from '../../src/claude/runner.ts'
import { answer, type ModelAnswer } from '../../src/testing/model/answer.ts'
import { type SimulatedModelOptions, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { prepareDirectories } from '../../src/workspaces/lifecycle.ts'
import { everyCase, few } from '../repetitions.ts'
import { collect, REAL_CLAUDE, testAgent } from './calls.ts'

const PROMPT = 'A prompt that no error may repeat'

/** 2.1.332 adds up to a quarter to what the service asks for, so that not all clients come back at once. */
const waitOf = (ms: number) => expect.toSatisfy((told: number) => told >= ms && told <= 1.25 * ms)

async function failWith(reply: SimulatedModelOptions['reply'] & {}, change: Partial<Call> = {}) {
  await using model = await simulatedModel({ reply })
  const agent = await testAgent()
  const environment = { ...model.environment, CLAUDE_CODE_MAX_RETRIES: '1' }
  const runner = claudeCli({ path: REAL_CLAUDE, environment })
  const collected = await collect(runner, agent.call(PROMPT, change))
  return { ...collected, requestCount: model.requestCount }
}

const REFUSALS = few<[string, ModelAnswer, object]>(1, [
  ['an unknown model', answer.failure(404), { _tag: 'ModelNotFoundError', retryable: false }],
  ['an account without credit', answer.failure(402), { _tag: 'BillingError', retryable: false }],
  ['a prompt that is too large', answer.failure(413), { _tag: 'PromptTooLargeError', retryable: false }],
  ['a bad request', answer.failure(400), { _tag: 'InvalidRequestError', retryable: false }],
])

test.each(REFUSALS)('%s is a typed error', async (_, reply, expected) => {
  const { error, result } = await failWith(() => reply)
  expect(result).toBeNull()
  expect(error).toMatchObject(expected)
  expect(String(error)).not.toContain(PROMPT)
})

const NOT_NOW = few<[string, ModelAnswer, object]>(1, [
  [
    'a rate limit',
    answer.rateLimited(7),
    { _tag: 'RateLimitedError', retryable: true, details: { retryAfterMs: waitOf(7_000) } },
  ],
  ['a rejected key', answer.failure(401), { _tag: 'AuthenticationError', retryable: false }],
  ['an overloaded service', answer.overloaded(), { _tag: 'OverloadedError', retryable: true }],
])

test.each(NOT_NOW)('%s is reported after one request: the CLI does not retry', async (_, reply, expected) => {
  await using model = await simulatedModel({ reply: () => reply })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const { error, result } = await collect(runner, agent.call(PROMPT))
  expect(result).toBeNull()
  expect(error).toMatchObject(expected)
  expect(String(error)).not.toContain(PROMPT)
  expect(model.requestCount).toBe(1)
})

test.runIf(everyCase)(
  'in the middle of a call the CLI retries, so that the work so far is not lost',
  async () => {
    await using model = await simulatedModel({
      reply: [answer.toolUse('Read', { file_path: 'a.txt' }), answer.rateLimited(1), 'Done all the same.'],
    })
    const agent = await testAgent()
    const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
    const { result, messages } = await collect(runner, agent.call(PROMPT))
    expect(result?.text).toBe('Done all the same.')
    expect(messages.find((message) => message.type === 'retry')).toMatchObject({
      status: 429,
      retryAfterMs: waitOf(1_000),
    })
  },
)

test.runIf(everyCase)('an unreachable service is a typed error', async () => {
  const model = await simulatedModel()
  await model.close()
  const agent = await testAgent()
  const runner = claudeCli({
    path: REAL_CLAUDE,
    environment: { ...model.environment, CLAUDE_CODE_MAX_RETRIES: '0' },
  })
  const { error } = await collect(runner, agent.call(PROMPT))
  expect(error).toMatchObject({ _tag: 'ApiUnavailableError', retryable: true })
})

test.runIf(everyCase)(
  'the CLI retries a server error, reports it as progress, and then fails with a typed error',
  async () => {
    const { error, messages, requestCount } = await failWith([answer.failure(500), answer.failure(500)])
    expect(error).toMatchObject({ _tag: 'ApiUnavailableError', retryable: true, details: { status: 500 } })
    expect(requestCount).toBe(2)
    expect(messages.find((message) => message.type === 'retry')).toMatchObject({ attempt: 1, maxAttempts: 1 })
  },
)

test.runIf(everyCase)('a transient server error is retried until it is answered', async () => {
  const { error, result } = await failWith([answer.failure(500), 'Answered after all.'])
  expect(error).toBeNull()
  expect(result?.text).toBe('Answered after all.')
})

test('without a login nothing is sent, and the error says how to log in', async () => {
  await using model = await simulatedModel()
  const agent = await testAgent()
  const { ANTHROPIC_BASE_URL = '' } = model.environment
  const runner = claudeCli({ path: REAL_CLAUDE, environment: { ANTHROPIC_BASE_URL } })
  const { error } = await collect(runner, agent.call(PROMPT))
  expect(error).toMatchObject({
    _tag: 'AuthenticationError',
    hint: expect.stringContaining('ANTHROPIC_API_KEY'),
  })
  expect(model.requestCount).toBe(0)
})

test('a session that does not exist cannot be resumed', async () => {
  const { error, requestCount } = await failWith([], { parentSessionId: randomUUID() })
  expect(error).toMatchObject({ _tag: 'SessionNotFoundError', retryable: false })
  expect(requestCount).toBe(0)
})

test.runIf(everyCase)('a session id that is already used is rejected', async () => {
  await using model = await simulatedModel()
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const call = agent.call('First')
  await collect(runner, call)
  expect((await collect(runner, { ...call, callId: randomUUID() })).error).toMatchObject({
    _tag: 'SessionInUseError',
  })
  expect(model.requestCount).toBe(1)
})

test.runIf(everyCase)('a call that runs out of turns says so', async () => {
  const { error } = await failWith([answer.toolUse('Read', { file_path: 'a.txt' })], {
    settings: { systemPrompt: '', maxTurns: 1, model: 'claude-sonnet-4-5' },
  })
  expect(error).toMatchObject({ _tag: 'MaxTurnsError' })
})

test('an abort during the answer ends the process before the iteration ends', async () => {
  await using model = await simulatedModel({ reply: [answer.hanging(undefined, { afterChunks: 1 })] })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const abort = new AbortController()
  let pid = 0
  const { error } = await collect(runner, agent.call(PROMPT), {
    signal: abort.signal,
    onMessage(message) {
      if (message.type === 'process') pid = message.pid
      if (message.type === 'text') abort.abort()
    },
  })
  expect(error).toMatchObject({ _tag: 'CallCancelledError' })
  expect(await linuxProcessTable.entry(pid)).toBeNull()
})

test.runIf(everyCase)('an abort whose reason is a timeout is a timeout', async () => {
  const agent = await testAgent()
  const abort = new AbortController()
  abort.abort(new DOMException('late', 'TimeoutError'))
  const { error, messages } = await collect(claudeCli({ path: REAL_CLAUDE }), agent.call(PROMPT), {
    signal: abort.signal,
  })
  expect(error).toMatchObject({ _tag: 'CallTimeoutError' })
  expect(messages).toEqual([])
})

test('leaving the iteration ends the call', async () => {
  await using model = await simulatedModel({ reply: [answer.hanging()] })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  let pid = 0
  for await (const message of runner.start(agent.call(PROMPT), { signal: new AbortController().signal })) {
    if (message.type === 'process') pid = message.pid
    break
  }
  expect(pid).toBeGreaterThan(0)
  expect(await linuxProcessTable.entry(pid)).toBeNull()
  expect(model.requestCount).toBe(0)
})

test('nothing is sent before the consumer has handled the start', async () => {
  await using model = await simulatedModel({ reply: ['Late, but answered.'] })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  // The CLI gives up if its stdin stays empty for 3 seconds: a log on a slow disk may take longer.
  const { result, error } = await collect(runner, agent.call(PROMPT), {
    onMessage: async (message) => {
      if (message.type === 'process') await new Promise((resolve) => setTimeout(resolve, 4_500))
      if (message.type === 'process') expect(model.requestCount).toBe(0)
    },
  })
  expect(error).toBeNull()
  expect(result?.text).toBe('Late, but answered.')
})

test('a workspace that was replaced by a link is rejected', async () => {
  const agent = await testAgent()
  const { workspace, home } = agent.directories
  await prepareDirectories({ workspace: join(home, 'elsewhere'), home })
  await symlink('/etc', workspace)
  const { error } = await collect(claudeCli({ path: REAL_CLAUDE }), agent.call(PROMPT))
  expect(error).toMatchObject({
    _tag: 'StartupRefusedError',
    message: expect.stringContaining('symbolic link'),
  })
})
