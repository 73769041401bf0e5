/** How the adapter handles a misbehaving program: one answer or one typed error, and nothing left running. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { CALL_MARKER } from '../../src/claude/environment.ts'
import { linuxProcessTable } from '../../src/claude/process/table.ts'
import type { CallMessage } from '../../src/claude/runner.ts'
import { silentLogger } from '../../src/logger.ts'
import { collect, testAgent } from './calls.ts'

const FAKE = join(import.meta.dirname, 'fixtures/fake-claude.sh')
const NOTHING = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 }
const SECRET = 'sk-ant-this-is-the-key'

let lastCallId = ''

async function run(
  behaviour: string,
  options: { signal?: AbortSignal; onMessage?: (message: CallMessage) => unknown } = {},
) {
  const agent = await testAgent()
  const runner = claudeCli({
    path: FAKE,
    environment: { ANTHROPIC_API_KEY: SECRET },
    graceMs: 200,
    limits: { lineBytes: 2 ** 20, callBytes: 4 * 2 ** 20 },
  })
  const call = agent.call(behaviour)
  lastCallId = call.callId
  const collected = await collect(runner, call, options)
  return { ...collected, warnings: collected.messages.filter((message) => message.type === 'warning') }
}

afterEach(async () => {
  const entries = (await linuxProcessTable.entries()).filter((entry) => !entry.ended)
  const environments = await Promise.all(entries.map((entry) => linuxProcessTable.environment(entry.pid)))
  expect(environments.filter((environment) => environment?.get(CALL_MARKER) === lastCallId)).toEqual([])
})

test.each([
  ['a session limit', { window: 'five_hour', resetsAt: '2100-01-01T00:00:00.000Z' }],
  ['a weekly limit', { window: 'seven_day', resetsAt: expect.stringMatching(/^\d{4}-07-15T00:00:00.000Z$/) }],
])('%s is a rate limit that tells when it ends', async (behaviour, details) => {
  const { error } = await run(behaviour)
  expect(error).toMatchObject({ _tag: 'RateLimitedError', details })
})

test.each(['a spend limit', 'used-up credits'])('%s is what only a person can end', async (behaviour) => {
  const { error } = await run(behaviour)
  expect(error).toMatchObject({ _tag: 'BillingError', hint: expect.stringContaining('account resume') })
})

test('of two results, the last one counts', async () => {
  expect((await run('two results')).result?.text).toBe('second')
})

test('a line that is not JSON is a warning, and the answer stands', async () => {
  const { result, warnings, error } = await run('plain words')
  expect(error).toBeNull()
  expect(result?.text).toBe('fine')
  expect(warnings[0]).toEqual({ type: 'warning', message: expect.stringContaining('This is no JSON.') })
})

test('unknown message types are skipped', async () => {
  expect((await run('unknown types')).result?.text).toBe('fine')
})

test.each([
  ['no result', 'NoResultError'],
  ['half a line', 'JSONParseError'],
  ['die by a signal', 'ProcessKilledError'],
  ['crash', 'CliCrashedError'],
  ['unknown option', 'CliIncompatibleError'],
  ['endless line', 'OutputTooLargeError'],
  ['flood', 'OutputTooLargeError'],
])('%s is a %s', async (behaviour, tag) => {
  const { error, result } = await run(behaviour)
  expect(result).toBeNull()
  expect(error).toMatchObject({ _tag: tag })
})

test('what tools read costs a call nothing, neither one long line nor many', async () => {
  const { result, error } = await run('tool results beyond every limit')
  expect(error).toBeNull()
  expect(result?.text).toBe('fine')
})

test.each([
  [
    'use up all turns',
    'MaxTurnsError',
    { costUsd: 1.25, usage: { ...NOTHING, inputTokens: 10, outputTokens: 20, cacheCreationTokens: 30 } },
  ],
  [
    'run out of credit after a while',
    'BillingError',
    { costUsd: 0.75, usage: { ...NOTHING, inputTokens: 10, outputTokens: 20 } },
  ],
])('%s: the call fails, and tells what it has cost', async (behaviour, tag, spent) => {
  const { error, messages } = await run(behaviour)
  expect(error).toMatchObject({ _tag: tag })
  expect(messages.at(-1)).toEqual({ type: 'spent', ...spent })
})

test('a call that is cut off in its middle tells an estimate of what it has cost', async () => {
  const stop = new AbortController()
  const { error, messages } = await run('stream, then hang', {
    signal: stop.signal,
    onMessage: ({ type }) => type === 'text' && stop.abort(),
  })
  expect(error).toMatchObject({ _tag: 'CallCancelledError' })
  expect(messages.at(-1)).toEqual({
    type: 'spent',
    // 4,000 characters, and a prompt of 17, at the usual price.
    costUsd: expect.closeTo((1000 * 15 + 5 * 3) / 1e6, 9),
    usage: { ...NOTHING, inputTokens: 5, outputTokens: 1000 },
    estimated: true,
  })
})

test('a call that said nothing before it was cut off tells no cost', async () => {
  const stop = new AbortController()
  const { messages } = await run('ignore SIGTERM', {
    signal: stop.signal,
    onMessage: ({ type }) => type === 'init' && stop.abort(),
  })
  expect(messages.filter(({ type }) => type === 'spent')).toEqual([])
})

test('a key on stderr does not appear in the error', async () => {
  const { error } = await run('crash')
  expect(String(error)).toContain('Something broke')
  expect(JSON.stringify(error)).not.toContain(SECRET)
})

test('a program that keeps running after its result is terminated, and the answer stands', async () => {
  const { result, error } = await run('result, then hang')
  expect(error).toBeNull()
  expect(result?.text).toBe('fine')
})

test('a grandchild that keeps the output open delays nothing, and is killed', async () => {
  const { result, error } = await run('a grandchild that stays')
  expect(error).toBeNull()
  expect(result?.text).toBe('fine')
})

test.each(['ignore SIGTERM', 'a grandchild with its own session'])(
  '%s: it is killed when the call is cancelled',
  async (behaviour) => {
    const abort = new AbortController()
    const { error } = await run(behaviour, {
      signal: abort.signal,
      onMessage: (message) => message.type === 'init' && abort.abort(),
    })
    expect(error).toMatchObject({ _tag: 'CallCancelledError' })
  },
)

test('an abort before any output ends the call as well', async () => {
  const abort = new AbortController()
  const { error } = await run('hang', {
    signal: abort.signal,
    onMessage: (message) => message.type === 'process' && abort.abort(),
  })
  expect(error).toMatchObject({ _tag: 'CallCancelledError' })
})

test('a call inherits only what it needs from our environment', async () => {
  vi.stubEnv('CLAUDECODE', '1')
  vi.stubEnv('CLAUDE_CODE_SSE_PORT', '1234')
  vi.stubEnv('MY_DATABASE_PASSWORD', 'hunter2')
  const { result } = await run('environment')
  const environment = JSON.parse(result?.text ?? '{}') as Record<string, string>
  expect(environment).toMatchObject({
    CLAUDE_CODE_MAX_RETRIES: '2',
    PATH: process.env.PATH,
  })
  expect(Object.values(environment)).not.toContain(SECRET)
  expect(environment).not.toHaveProperty('CLAUDECODE')
  expect(environment).not.toHaveProperty('CLAUDE_CODE_SSE_PORT')
  expect(environment).not.toHaveProperty('MY_DATABASE_PASSWORD')
})

test('the prompt is not on the command line, and the system prompt is passed as a file', async () => {
  const agent = await testAgent()
  const { result } = await collect(claudeCli({ path: FAKE }), agent.call('arguments'))
  const given = JSON.parse(result?.text ?? '[]') as string[]
  expect(given).not.toContain('arguments')
  expect(given.join(' ')).not.toContain('You are a tester.')
  const file = given[given.indexOf('--append-system-prompt-file') + 1] ?? ''
  expect(await readFile(file, 'utf8')).toBe('You are a tester.')
})

test('a program that exits without reading its prompt delays nothing', async () => {
  const agent = await testAgent()
  const path = join(agent.baseDir, 'claude')
  await writeFile(path, '#!/bin/sh\n[ "$1" = --version ] && echo "2.1.197 (Claude Code)"\nexit 3\n', {
    mode: 0o755,
  })
  const { error } = await collect(claudeCli({ path }), agent.call('word '.repeat(2 ** 18)))
  expect(error).toMatchObject({ _tag: 'CliCrashedError' })
})

test('a transcript that was not saved is reported to the consumer and to the log', async () => {
  const agent = await testAgent()
  const warned: string[] = []
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warned.push(message) }
  const call = agent.call('answer')
  const { messages, result } = await collect(claudeCli({ path: FAKE, logger }), call)
  expect(result?.text).toBe('fine')
  const told = messages.flatMap((message) => (message.type === 'warning' ? [message.message] : []))
  expect(told).toEqual([expect.stringContaining(`no transcript of session ${call.sessionId}`)])
  expect(warned).toEqual(told)
})

test('only the output of the last call is kept', async () => {
  const agent = await testAgent()
  const runner = claudeCli({ path: FAKE })
  const [first, second] = [agent.call('answer'), agent.call('answer')]
  await collect(runner, first)
  await collect(runner, second)
  expect((await readdir(join(agent.directories.home, 'calls'))).sort()).toEqual([
    `${second.callId}.stderr`,
    `${second.callId}.stdout`,
  ])
})
