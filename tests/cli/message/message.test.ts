/** `message` as a user types it: the words, the JSON contract, and the exit codes. */
import { expect, test } from 'vitest'
import { quickCommandLine } from '../command.ts'

test('message send and list print the contract, read stdin, and say what is wrong', async () => {
  const { run } = await quickCommandLine()
  const nothing = await run(['message', 'send', 'critic', 'Hello.'])
  expect([nothing.exitCode, nothing.stderr]).toEqual([1, expect.stringContaining('critic')])
  await run(['agent', 'create', 'writer', 'You write.'])
  await run(['agent', 'create', 'critic', 'You review.', '--on-message', 'queue'])
  const sent = await run(['message', 'send', 'critic', 'The draft is ready.', '--from', 'writer', '--json'])
  expect(sent.values).toEqual([{ messageId: expect.any(String) }])
  const named = ['message', 'send', 'critic', '-', '--message-id', 'm2']
  for (let times = 0; times < 2; times += 1) expect((await run(named, 'Be kind.')).stdout).toBe('m2')
  const piped = await run(['message', 'send', 'critic', 'See:'], 'a, b')
  expect(piped.exitCode).toBe(0)
  expect(piped.stderr).toContain('claude-agents message list critic')
  expect((await run(['agent', 'show', 'critic'])).stdout).toMatch(
    /^unread +3 messages: claude-agents message list critic$/m,
  )
  const listed = await run(['message', 'list', 'critic', '--json'])
  const at = expect.stringMatching(/Z$/)
  expect(listed.values).toEqual([
    { ...sent.values[0], from: 'writer', to: 'critic', text: 'The draft is ready.', at, status: 'queued' },
    { messageId: 'm2', from: null, to: 'critic', text: 'Be kind.', at, status: 'queued' },
    { messageId: expect.any(String), from: null, to: 'critic', text: 'See:\n\na, b', at, status: 'queued' },
  ])
  expect((await run(['message', 'list', 'critic'])).stdout).toMatch(/^AT +FROM +TO +STATUS +TEXT\n/)
  expect((await run(['message', 'list', 'writer', '--json'])).values).toMatchObject([{ to: 'critic' }])
  const missing = await run(['message', 'send', 'critik', 'Hello?', '--from', 'writer', '--json'])
  expect(missing.exitCode).toBe(1)
  expect(missing.stderr).toContain('UndeliverableError')
  expect(missing.stderr).not.toContain('?.')
  expect((await run(['message', 'list', 'writer', '--json'])).values[1]).toMatchObject({
    ...{ to: 'critik', status: 'undeliverable', reason: expect.stringContaining('No agent "critik"') },
  })
  expect((await run(['message', 'send', 'critic', 'Hello?', '--from', 'nobody'])).exitCode).toBe(1)
  expect((await run(['message', 'send', 'critic'])).exitCode).toBe(2)
})
