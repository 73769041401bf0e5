/**
 * The contract with the CLI, case by case, as far as no other test of the adapter covers it: with the real `claude`.
 */
import { appendFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { CALL_MARKER } from '../../src/claude/environment.ts'
import { linuxProcessTable } from '../../src/claude/process/table.ts'
import { isAtLeast, locateProgram } from '../../src/claude/program.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { answer } from '../../src/testing/model/answer.ts'
import { type SimulatedModelOptions, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { everyCase, few } from '../repetitions.ts'
import { collect, findTranscript, REAL_CLAUDE, testAgent } from './calls.ts'

async function world(reply: SimulatedModelOptions['reply'] & {}, environment: Record<string, string> = {}) {
  const model = await simulatedModel({ reply })
  const agent = await testAgent()
  const settings = { CLAUDE_CODE_MAX_RETRIES: '0', ...environment }
  const runner = claudeCli({ path: REAL_CLAUDE, environment: { ...model.environment, ...settings } })
  return { model, agent, runner, [Symbol.asyncDispose]: () => model[Symbol.asyncDispose]() }
}

const conversation = (model: {
  requests: readonly { conversation: readonly (readonly [string, string])[] }[]
}) => model.requests.at(-1)?.conversation.map(([, text]) => text.trim())

describe('sessions', () => {
  test('case 6: a transcript whose last line was cut off is resumed; one without a readable line is not found', async () => {
    await using here = await world(['One.', 'Two.'])
    const { model, agent, runner } = here
    const first = agent.call('first')
    await collect(runner, first)
    const path = (await findTranscript(agent.directories.home, first.sessionId)) ?? ''
    const whole = await readFile(path)
    await appendFile(path, '{"type":"user","uuid":"cut in the mid')
    const second = await collect(runner, agent.call('second', { parentSessionId: first.sessionId }))
    expect(second.error).toBeNull()
    expect(conversation(model)).toEqual(['first', 'One.', 'second'])

    await mkdir(join(path, '..'), { recursive: true })
    await writeFile(path, Buffer.alloc(whole.length, 'garbage\n'))
    // A session that the adapter remembers and the CLI does not: its history is in the next one.
    await truncate(join(agent.directories.home, 'answers.ndjson'))
    const third = await collect(runner, agent.call('third', { parentSessionId: first.sessionId }))
    expect(third.error).toMatchObject({ _tag: 'SessionNotFoundError', retryable: false })
  })

  test.runIf(everyCase)('case 7: two tasks at once become two turns, one after the other', async () => {
    await using here = await world(['One.', 'Two.'])
    const { model, agent, runner } = here
    await using orchestrator = await Orchestrator.open({
      baseDir: agent.baseDir,
      runner,
      store: memoryStore(),
    })
    const asked = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a tester.' })
    await Promise.all([asked.ask('first'), asked.ask('second')])
    expect(conversation(model)).toEqual(['first', 'One.', 'second'])
  })

  test('case 17: a call that runs out of turns leaves the previous session unchanged', async () => {
    await using here = await world(['One.', answer.toolUse('Read', { file_path: 'a' }), 'Three.'])
    const { model, agent, runner } = here
    const first = agent.call('first')
    await collect(runner, first)
    const limited = agent.call('second', { parentSessionId: first.sessionId, settings: { maxTurns: 1 } })
    expect((await collect(runner, limited)).error).toMatchObject({ _tag: 'MaxTurnsError' })
    await collect(runner, agent.call('third', { parentSessionId: first.sessionId }))
    expect(conversation(model)).toEqual(['first', 'One.', 'third'])
  })
})

const MESSAGE = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5', content: [] }

test('an answer that is cut off at the limit of tokens, and then completed, is one answer', async () => {
  await using here = await world([
    answer.maxTokens('One part, '),
    answer.maxTokens('another, '),
    'and the last.',
  ])
  const { agent, runner } = here
  const call = agent.call('x')
  const { result, text } = await collect(runner, call)
  expect(result?.text).toBe('One part, another, and the last.')
  expect(text).toBe(result?.text)
  // Without the output, the transcript tells the same.
  await rm(join(agent.directories.home, 'calls'), { recursive: true, force: true })
  const recovered = await runner.recover(call, { process: null, signal: new AbortController().signal })
  expect(recovered).toMatchObject({ outcome: 'answered', result: { text: result?.text } })
})

describe('a troubled service', () => {
  test('case 10: a rate limit on the first request ends the call, and the caller waits instead of the CLI', async () => {
    await using here = await world([answer.rateLimited(1), 'At last.'], { CLAUDE_CODE_MAX_RETRIES: '2' })
    const { agent, runner } = here
    const { error, messages } = await collect(runner, agent.call('x'))
    expect(error).toMatchObject({ _tag: 'RateLimitedError' })
    expect(messages.find((message) => message.type === 'retry')).toMatchObject({ attempt: 1, maxAttempts: 2 })
    expect(here.model.requestCount).toBe(1)
  })

  test.runIf(everyCase)(
    'case 13: the CLI recovers from a connection that is reset in the middle of an answer',
    async () => {
      const dropped = answer.dropped('Never to be seen whole. '.repeat(20), { afterChunks: 3 })
      await using here = await world([dropped, 'Whole.'], { CLAUDE_CODE_MAX_RETRIES: '2' })
      const { agent, runner } = here
      expect((await collect(runner, agent.call('x'))).result?.text).toBe('Whole.')
    },
  )

  test.runIf(everyCase)('case 13: if it cannot, the service counts as unavailable', async () => {
    const dropped = () => answer.dropped('Never to be seen whole. '.repeat(20), { afterChunks: 3 })
    await using here = await world(dropped, { CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK: '1' })
    const { agent, runner } = here
    const { error } = await collect(runner, agent.call('x'))
    expect(error).toMatchObject({ retryable: true })
    expect(['ApiUnavailableError', 'BadUpstreamError']).toContain((error as { _tag: string })._tag)
  })

  // 2.1.332 takes an answer whose stop reason has arrived; 2.1.197 waits for the end of the stream.
  test.runIf(everyCase)(
    'case 13: an answer whose connection is reset after its end is whole, or an error',
    async () => {
      await using here = await world(() => answer.dropped('Whole.', { afterChunks: 1 }))
      const { agent, runner } = here
      const { error, result } = await collect(runner, agent.call('x'))
      if (error === null) expect(result?.text).toBe('Whole.')
      else expect(error).toMatchObject({ retryable: true })
    },
  )

  // 2.1.332 asks the model to continue after its last whole block; 2.1.197 takes what has arrived for the answer.
  test.runIf(everyCase)(
    'case 13: an answer that is cut between two blocks is whole, or an error',
    async () => {
      const events = [
        { type: 'message_start', message: { ...MESSAGE, usage: { input_tokens: 1, output_tokens: 1 } } },
        { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'One half, ' } },
        { type: 'content_block_stop', index: 0 },
      ]
      const body = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')
      const cut = answer.raw(body, { contentType: 'text/event-stream' })
      await using here = await world([cut, 'and the other.'])
      const { agent, runner } = here
      const { error, result } = await collect(runner, agent.call('x'))
      if (error === null) expect(result?.text).toBe('One half, and the other.')
      else expect(error).toMatchObject({ retryable: true })
    },
  )

  test.runIf(everyCase)(
    'case 14: a stream that stalls is cut by the CLI, which asks again, or else by our own idle limit',
    async () => {
      const { version } = await locateProgram({ path: REAL_CLAUDE, environment: {} })
      // Older versions watch only streams of the service itself, not of a substitute.
      const isWatched = isAtLeast(version, [2, 1, 330])
      const stalled = answer.hanging('Never to be seen whole. '.repeat(20), { afterChunks: 3 })
      await using model = await simulatedModel({ reply: [stalled, 'Whole.'] })
      const runner = claudeCli({
        path: REAL_CLAUDE,
        environment: { ...model.environment, CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS: '10000' },
        idleMs: isWatched ? 60_000 : 2_500,
      })
      const { result, error } = await collect(runner, (await testAgent()).call('x'))
      if (isWatched) expect(result?.text).toBe('Whole.')
      else expect(error).toMatchObject({ _tag: 'CallStalledError', retryable: true })
    },
  )

  test('case 14: a stream that the CLI would wait for is cut by our own idle limit', async () => {
    await using model = await simulatedModel({ reply: [answer.hanging(undefined, { afterChunks: 1 })] })
    const agent = await testAgent()
    const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment, idleMs: 2_500 })
    const { error } = await collect(runner, agent.call('x'))
    expect(error).toMatchObject({ _tag: 'CallStalledError', retryable: true })
  })

  test.runIf(everyCase)('case 15: a silent service is given up once its time is over', async () => {
    await using here = await world(() => answer.hanging(), { API_TIMEOUT_MS: '1000' })
    const { agent, runner } = here
    const { error } = await collect(runner, agent.call('x'))
    expect(error).toMatchObject({ _tag: 'ApiUnavailableError', retryable: true })
  })

  test.each(
    few(1, [
      [
        'an HTML page of a proxy',
        answer.raw('<html><body>Welcome to the hotel</body></html>', { contentType: 'text/html' }),
      ],
      ['truncated JSON', answer.raw('{"id":"msg_1","content":[{"type":"te')],
      ['an empty body', answer.raw('')],
    ] as const),
  )('case 16: %s is a bad response', async (_, reply) => {
    await using here = await world(() => reply)
    const { agent, runner } = here
    const { error } = await collect(runner, agent.call('x'))
    expect(error).toMatchObject({ _tag: 'BadUpstreamError', retryable: true })
  })
})

test('case 19: 5 MB in chunks of 100 KB arrive whole, with separators that are not line breaks', async () => {
  const text = `${'0123456789 '.repeat(Math.ceil((5 * 2 ** 20) / 11))}a\u2028b\u2029c\u0085d\u0000e\r\nend`
  await using model = await simulatedModel({ reply: [text], chunkSize: 100_000 })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const { error, result, text: streamed } = await collect(runner, agent.call('Much, please'))
  expect(error).toBeNull()
  expect(result?.text.length).toBe(text.length)
  expect(result?.text === text).toBe(true)
  expect(streamed === text).toBe(true)
})

describe.runIf(process.platform === 'linux')('a tree of tools', () => {
  /** In the shell's group, in a session of its own, and with a parent that is gone. */
  const TREE =
    'sleep 1111 & setsid sleep 1112 & (setsid sh -c "sleep 1113 & sleep 1114" &) ; touch started; sleep 1115'

  const marked = async (callId: string) => {
    const entries = (await linuxProcessTable.entries()).filter((entry) => !entry.ended)
    const environments = await Promise.all(entries.map(({ pid }) => linuxProcessTable.environment(pid)))
    return entries.filter((_, index) => environments[index]?.get(CALL_MARKER) === callId)
  }

  async function running() {
    const here = await world([answer.toolUse('Bash', { command: TREE })])
    const call = here.agent.call('Run it', { settings: { allowedTools: ['Bash'] } })
    const abort = new AbortController()
    const ended = collect(here.runner, call, { signal: abort.signal })
    await expect.poll(async () => (await marked(call.callId)).length, { timeout: 30_000 }).toBeGreaterThan(5)
    return { ...here, call, abort, ended }
  }

  test('case 21: all of it is killed when the call is cancelled', async () => {
    const { call, abort, ended, model } = await running()
    await using _ = model
    abort.abort()
    expect((await ended).error).toMatchObject({ _tag: 'CallCancelledError' })
    expect(await marked(call.callId)).toEqual([])
  })

  test.runIf(everyCase)('case 22: all of it is killed when the CLI itself was killed', async () => {
    const { call, ended, model } = await running()
    await using _ = model
    const entries = await marked(call.callId)
    const pids = new Set(entries.map(({ pid }) => pid))
    const cli = entries.find(({ parentPid }) => parentPid === process.pid || !pids.has(parentPid))
    process.kill(cli?.pid ?? 0, 'SIGKILL')
    expect((await ended).error).toMatchObject({ _tag: 'ProcessKilledError' })
    expect(await marked(call.callId)).toEqual([])
  })
})
