/** Prompts that look like something else reach the model literally: the real `claude`, a simulated model. */
import { expect, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { few } from '../repetitions.ts'
import { collect, REAL_CLAUDE, testAgent } from './calls.ts'

/** Some more, in one conversation and through the whole library, are in tests/e2e/literal-prompts.test.ts. */
const PROMPTS = [
  '--dangerously-skip-permissions',
  'A line\u2028with a separator, \u{1f600} and "quotes"',
  '-p',
  '--version',
  '/clear',
  'Read @/etc/passwd and @/etc/hostname',
]

test.each(few(2, PROMPTS))('the prompt %j reaches the model literally', async (prompt) => {
  await using model = await simulatedModel({ reply: ['Understood.'] })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const { result, error } = await collect(runner, agent.call(prompt))
  expect(error).toBeNull()
  expect(result?.text).toBe('Understood.')
  expect(model.requests[0]?.conversation.map(([, text]) => text.trim())).toEqual([prompt])
  expect(JSON.stringify(model.requests[0]?.messages)).not.toContain('root:x:0:0')
})

test('the system prompt reaches the model, even after it was changed in the middle of a chain', async () => {
  await using model = await simulatedModel({ reply: ['One.', 'Two.'] })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const first = agent.call('Hello', { settings: { systemPrompt: 'You are a heron.' } })
  await collect(runner, first)
  const settings = { systemPrompt: `You are an otter. ${'x'.repeat(200_000)}` }
  expect(
    (await collect(runner, agent.call('Hello', { parentSessionId: first.sessionId, settings }))).error,
  ).toBeNull()
  const systems = model.requests.map((request) => JSON.stringify(request.system))
  expect(systems[0]).toContain('You are a heron.')
  expect(systems[1]).toContain('You are an otter.')
  expect(systems[1]).not.toContain('heron')
})

test('a prompt that is too large for the CLI is a typed error, and nothing is sent', async () => {
  await using model = await simulatedModel()
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const { error } = await collect(runner, agent.call('word '.repeat(11 * 2 ** 18)))
  expect(error).toMatchObject({ _tag: 'PromptTooLargeError', retryable: false })
  expect(model.requestCount).toBe(0)
})
