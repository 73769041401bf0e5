/** The adapter with the real `claude` and a simulated model: answers, sessions, costs. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import type { Call } from '../../src/claude/runner.ts'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { collect, findTranscript, REAL_CLAUDE, testAgent } from './calls.ts'

test('a call streams its text and ends with one result', async () => {
  await using model = await simulatedModel({ reply: ['Hello, I am the answer.'], chunkSize: 5 })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const call = agent.call('Say hello')
  const { messages, result, text, error } = await collect(runner, call)
  expect(error).toBeNull()
  expect(messages[0]).toMatchObject({
    type: 'process',
    pid: expect.any(Number),
    startTime: expect.any(String),
  })
  expect(messages[1]).toMatchObject({
    type: 'init',
    sessionId: call.sessionId,
    version: expect.stringMatching(/^2\./),
  })
  expect(messages.filter((message) => message.type === 'text').length).toBeGreaterThan(2)
  expect(text).toBe('Hello, I am the answer.')
  expect(messages.at(-1)?.type).toBe('result')
  expect(result).toMatchObject({ text: 'Hello, I am the answer.', turns: 1, model: 'claude-sonnet-4-5' })
  expect(result?.costUsd).toBeGreaterThan(0)
  expect(result?.usage.outputTokens).toBeGreaterThan(0)
})

test('a second turn carries the history of the first, has its own id, and leaves the first unchanged', async () => {
  await using model = await simulatedModel({ reply: ['First answer.', 'Second answer.'] })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const first = agent.call('First question')
  expect((await collect(runner, first)).error).toBeNull()
  const path = await findTranscript(agent.directories.home, first.sessionId)
  const before = await readFile(path ?? '')

  const second = agent.call('Second question', { parentSessionId: first.sessionId })
  const during: Buffer[] = []
  const { result, error } = await collect(runner, second, {
    onMessage: async (message) => message.type === 'text' && during.push(await readFile(path ?? '')),
  })
  expect(error).toBeNull()
  expect(result?.text).toBe('Second answer.')
  expect(model.requestCount).toBe(2)
  expect(model.requests[1]?.conversation.map(([role, text]) => [role, text.trim()])).toEqual([
    ['user', 'First question'],
    ['assistant', 'First answer.'],
    ['user', 'Second question'],
  ])
  expect(await findTranscript(agent.directories.home, second.sessionId)).not.toBeNull()
  expect(during.length).toBeGreaterThan(0)
  expect(during.every((text) => text.equals(before))).toBe(true)
  expect((await readFile(path ?? '')).equals(before)).toBe(true)
})

test('the cost of a call is its own, not that of its chain', async () => {
  const usage = { inputTokens: 1_000, outputTokens: 100 }
  await using model = await simulatedModel({ reply: () => answer.text('The same every time.', { usage }) })
  const agent = await testAgent()
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  const costs: number[] = []
  let parentSessionId: string | null = null
  for (const prompt of ['One', 'Two', 'Three']) {
    const call: Call = agent.call(prompt, { parentSessionId })
    costs.push((await collect(runner, call)).result?.costUsd ?? 0)
    parentSessionId = call.sessionId
  }
  expect(costs[0]).toBeGreaterThan(0)
  expect(costs[1]).toBeCloseTo(costs[0] ?? 0, 8)
  expect(costs[2]).toBeCloseTo(costs[0] ?? 0, 8)
})
