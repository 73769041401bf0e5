/** `note`, `topic` and `message publish` as a user types them: the words, the JSON contract, and the exit codes. */
import { expect, test } from 'vitest'
import { quickCommandLine } from '../command.ts'

test('note write, read, list and history print the contract, and refuse a version that is gone', async () => {
  const { run } = await quickCommandLine()
  expect((await run(['note', 'list'])).exitCode).toBe(0)
  const missing = await run(['note', 'read', 'plan'])
  expect([missing.exitCode, missing.stderr]).toEqual([1, expect.stringContaining('plan')])
  const written = await run(['note', 'write', 'plan', 'First.', '--expect', '0', '--json'])
  const at = expect.stringMatching(/Z$/)
  const first = { note: 'plan', version: 1, from: null, by: expect.anything(), at }
  expect(written.values).toEqual([first])
  expect((await run(['note', 'write', 'plan', '-', '--expect', '1'], 'Second.')).stdout).toContain(
    'version 2',
  )
  const conflict = await run(['note', 'write', 'plan', 'Third.', '--expect', '1'])
  expect([conflict.exitCode, conflict.stderr]).toEqual([1, expect.stringContaining('at version 2, not 1')])
  expect((await run(['note', 'read', 'plan'])).stdout).toBe('Second.')
  const old = await run(['note', 'read', 'plan', '--at', '1', '--json'])
  expect(old.values).toEqual([{ ...first, text: 'First.' }])
  expect((await run(['note', 'list', '--json'])).values).toEqual([
    { note: 'plan', version: 2, from: null, bytes: 7 },
  ])
  expect((await run(['note', 'list'])).stdout).toMatch(/^NOTE +VERSION +BYTES +FROM\n/)
  expect((await run(['note', 'history', 'plan'])).stdout).toMatch(/^VERSION +AT +BY +TEXT\n/)
  expect((await run(['state', 'notes/plan'])).stdout).toContain('Second.')
  expect((await run(['note', 'write', 'plan', 'x', '--expect', 'two'])).exitCode).toBe(2)
})

test('topic subscribe and list, and message publish, print the contract, and name who has not received it', async () => {
  const { run } = await quickCommandLine()
  for (const id of ['critic', 'writer']) await run(['agent', 'create', id, 'You work.'])
  expect((await run(['topic', 'subscribe', 'news', 'nobody'])).exitCode).toBe(1)
  expect((await run(['topic', 'subscribe', 'news', 'critic', '--json'])).values).toEqual([
    { topic: 'news', subscribers: ['critic'], published: 0 },
  ])
  await run(['topic', 'subscribe', 'news', 'writer'])
  await run(['agent', 'remove', 'writer'])
  const published = await run(['message', 'publish', 'news', 'It rains.', '--message-id', 'm1', '--json'])
  expect(published.values).toEqual([
    { messageId: 'm1', delivered: 1, undelivered: [{ to: 'writer', reason: expect.any(String) }] },
  ])
  expect((await run(['message', 'list', 'critic', '--json'])).values).toMatchObject([
    { messageId: 'news#m1', text: 'It rains.', status: 'queued' },
  ])
  expect((await run(['message', 'list', 'topic/news', '--json'])).values).toMatchObject([
    { messageId: 'm1', to: 'topic/news', status: 'answered', reason: expect.stringContaining('writer') },
  ])
  expect((await run(['topic', 'unsubscribe', 'news', 'writer'])).stdout).toBe('news: critic')
  expect((await run(['message', 'publish', 'nwes', 'It rains.'])).stderr).toBe(
    '0 subscribers received it.\nTo subscribe an agent: claude-agents topic subscribe nwes ID',
  )
  expect((await run(['topic', 'list'])).stdout).toMatch(/^TOPIC +PUBLISHED +SUBSCRIBERS\n/)
})
