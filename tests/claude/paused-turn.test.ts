/** A turn that the service pauses is continued, in the same session, until the answer is whole. */
import { expect, test } from 'vitest'
import { withContinuations } from '../../src/claude/paused-turn.ts'
import type { Call, CallMessage, CallResult, CallSpending } from '../../src/claude/runner.ts'
import { CliCrashedError } from '../../src/events/errors/call.ts'

const call = {
  ...{ callId: 'c', taskId: 't', agent: 'a', attempt: 1, sessionId: 'own', parentSessionId: 'parent' },
  ...{ prompt: 'Find it.', settings: { systemPrompt: '' }, directories: { workspace: '/w', home: '/h' } },
} satisfies Call

const part = (text: string, stopReason: string): CallResult => ({
  ...{ text, stopReason, costUsd: 0.5, durationMs: 10, turns: 1, model: 'm', permissionDenials: [] },
  usage: { inputTokens: 1, outputTokens: 2, cacheReadTokens: 3, cacheCreationTokens: 4 },
})

/** What a call comes to if its runs give these results. */
async function run(
  parts: readonly (CallResult | Error | (CallSpending & { readonly error: Error }))[],
  asked: Call = call,
  { cancelledAt }: { readonly cancelledAt?: number } = {},
) {
  const calls: Call[] = []
  const stop = new AbortController()
  const start = withContinuations(async function* started(next) {
    const given = parts[calls.length] ?? parts.at(-1)
    calls.push(next)
    if (calls.length === cancelledAt) stop.abort()
    if (given instanceof Error) throw given
    if (given && 'error' in given) {
      yield { type: 'spent', costUsd: given.costUsd, usage: given.usage }
      throw given.error
    }
    if (given) yield { type: 'result', result: given }
  })
  const messages: CallMessage[] = []
  let error: unknown = null
  try {
    for await (const message of start(asked, { signal: stop.signal })) messages.push(message)
  } catch (thrown) {
    error = thrown
  }
  return { calls, messages, error }
}

test('a whole answer takes one run', async () => {
  const { calls, messages } = await run([part('all of it', 'end_turn')])
  expect(calls).toEqual([call])
  expect(messages).toEqual([{ type: 'result', result: part('all of it', 'end_turn') }])
})

test('the parts of a paused turn are one answer, with the cost of all of them', async () => {
  const { calls, messages } = await run([part('half, ', 'pause_turn'), part('and the rest', 'end_turn')])
  expect(calls.map(({ sessionId, parentSessionId }) => [sessionId, parentSessionId])).toEqual([
    ['own', 'parent'],
    ['own', 'own'],
  ])
  expect(calls[1]?.prompt).not.toContain('Find it.')
  expect(messages).toEqual([
    {
      type: 'result',
      result: {
        ...part('half, and the rest', 'end_turn'),
        ...{ costUsd: 1, durationMs: 20, turns: 2 },
        usage: { inputTokens: 2, outputTokens: 4, cacheReadTokens: 6, cacheCreationTokens: 8 },
      },
    },
  ])
})

test('a turn that pauses for ever ends as a result that says so', async () => {
  const { calls, messages } = await run([part('.', 'pause_turn')])
  expect(calls).toHaveLength(6)
  expect(messages).toMatchObject([{ result: { text: '......', stopReason: 'pause_turn' } }])
})

test('half an answer is kept if it cannot be continued', async () => {
  const { messages } = await run([part('half', 'pause_turn'), new CliCrashedError()])
  expect(messages).toMatchObject([
    { type: 'warning', message: expect.stringContaining('could not be continued') },
    { result: { text: 'half', stopReason: 'pause_turn' } },
  ])
})

test('the cost of a part that could not be continued counts', async () => {
  const spent = { costUsd: 0.25, usage: part('', '').usage }
  const { messages } = await run([part('half', 'pause_turn'), { ...spent, error: new CliCrashedError() }])
  expect(messages).toMatchObject([
    { type: 'warning' },
    { result: { text: 'half', costUsd: 0.75, usage: { inputTokens: 2 } } },
  ])
})

test('a paused turn that is cancelled tells what it has cost so far', async () => {
  const { messages, error } = await run([part('half', 'pause_turn'), new CliCrashedError()], call, {
    cancelledAt: 2,
  })
  expect(error).toBeInstanceOf(CliCrashedError)
  expect(messages).toEqual([{ type: 'spent', costUsd: 0.5, usage: part('', '').usage }])
})

test('structured output is that of the last part', async () => {
  const structured = { ...call, settings: { ...call.settings, outputSchema: { type: 'object' } } }
  const { messages } = await run([part('{"a":', 'pause_turn'), part('{"a":1}', 'end_turn')], structured)
  expect(messages).toMatchObject([{ result: { text: '{"a":1}' } }])
})
