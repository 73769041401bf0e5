/** Removing an agent: its files first, then the fact, and again after a failure. */
import { expect, test } from 'vitest'
import { ASK_HUMAN } from '../../../src/events/options/tools.ts'
import { memoryStore, Orchestrator } from '../../../src/index.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { gate } from '../../messages/kit.ts'

async function world(fails: number) {
  const done: string[] = []
  let left = fails
  const runner = {
    ...scriptedRunner(),
    prepare: async () => void done.push('prepare'),
    async discard() {
      left -= 1
      if (left >= 0) throw new Error('a file is immutable')
      done.push('discard')
    },
  }
  const store = memoryStore()
  const orchestrator = await Orchestrator.open({ store, runner })
  const types = async () => {
    const found: string[] = []
    for await (const { type } of orchestrator.history.log()) found.push(type)
    return found
  }
  return { orchestrator, done, types }
}

test('a removal is recorded when the files are gone, and can be repeated until then', async () => {
  const { orchestrator, types } = await world(1)
  await orchestrator.createAgent({ id: 'a', systemPrompt: 's' })
  await expect(orchestrator.removeAgent('a')).rejects.toThrow('a file is immutable')
  expect(await types()).not.toContain('AgentRemoved')
  expect((await orchestrator.agents()).map(({ id }) => id)).toEqual(['a'])
  await orchestrator.removeAgent('a')
  expect((await types()).at(-1)).toBe('AgentRemoved')
  expect(await orchestrator.agents()).toEqual([])
  await orchestrator.close()
})

test('an agent under a name used before gets none of the files of the one before', async () => {
  const { orchestrator, done } = await world(0)
  await orchestrator.createAgent({ id: 'a', systemPrompt: 's' })
  await orchestrator.removeAgent('a')
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'another' })
  expect(done).toEqual(['prepare', 'discard', 'discard', 'prepare'])
  await orchestrator.close()
})

const NO_USAGE = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 }
const HELD = ['approval', 'tool', 'question', 'budget'] as const

test.each(HELD)(
  'an agent with a task that is held for %s is removed only if it is said to',
  async (reason) => {
    const tool = reason === 'question' ? ASK_HUMAN : 'Bash'
    const deferred = { tool, toolUseId: 'u1', input: { question: 'Which one?', command: 'make' } }
    const runner = scriptedRunner({ reply: () => ({ deferred, spent: { costUsd: 0.1, usage: NO_USAGE } }) })
    await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner })
    const budget = reason === 'budget' ? { budget: { usd: 0 } } : {}
    const agent = await orchestrator.createAgent({
      ...{ id: 'a', systemPrompt: 's', approveTools: ['Bash'], questions: true },
      ...budget,
    })
    await new Promise<unknown>((onHeld) => {
      const task = { taskId: 't1', onHeld, ...(reason === 'approval' && { approval: true }) }
      agent.ask('do it', task).then(onHeld, onHeld)
    })
    const [held] = await agent.held()
    expect(held).toMatchObject({ taskId: 't1', reason })
    const refusal = {
      _tag: 'HeldTasksError',
      details: { agent: 'a', tasks: 1, messages: 0 },
      message: expect.stringContaining(held?.message ?? '-'),
      hint: expect.stringContaining('claude-agents agent remove a --force'),
    }
    for (const remove of [() => orchestrator.removeAgent('a'), () => orchestrator.cleanupAll()])
      await expect(remove()).rejects.toMatchObject(refusal)
    await expect(orchestrator.removeAgent('a')).rejects.toMatchObject({
      hint: expect.stringContaining(held?.hint ?? '-'),
    })
    expect(await agent.held()).toEqual([held])
    expect(await orchestrator.removeAgent('a', { force: true })).toEqual({ id: 'a', kept: null })
    expect(await orchestrator.agents()).toEqual([])
  },
)

test('an agent with a message that is held is removed only if it is said to', async () => {
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner: scriptedRunner() })
  const writer = await orchestrator.createAgent({ id: 'writer', systemPrompt: 's' })
  await orchestrator.createAgent({ id: 'critic', systemPrompt: 's', onMessage: 'hold' })
  await writer.send('critic', 'The draft is ready.', { messageId: 'm1' })
  const status = async () => (await orchestrator.messages.list('writer')).map((one) => one.status)
  const [entry] = await orchestrator.inbox()
  for (const remove of [() => orchestrator.removeAgent('critic'), () => orchestrator.cleanupAll()])
    await expect(remove()).rejects.toMatchObject({
      ...{ _tag: 'HeldTasksError', details: { agent: 'critic', tasks: 0, messages: 1 } },
      summary:
        'Agent "critic" was not removed: that would drop 1 held message. Message m1 from "writer" is held: a person decides whether agent "critic" reads it.',
      hint: expect.stringContaining(`${entry?.command}, or: claude-agents inbox deny ${entry?.id} `),
    })
  expect(await status()).toEqual(['queued'])
  await orchestrator.removeAgent('critic', { force: true })
  expect(await orchestrator.inbox()).toEqual([])
  expect(await orchestrator.agents()).toEqual([])
})

test('a sender sees that what its receiver held when it was removed is undeliverable', async () => {
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner: scriptedRunner() })
  const writer = await orchestrator.createAgent({ id: 'writer', systemPrompt: 's' })
  await orchestrator.createAgent({ id: 'critic', systemPrompt: 's', onMessage: 'hold' })
  await writer.send('critic', 'The draft is ready.')
  await orchestrator.removeAgent('critic', { force: true })
  const [message] = await orchestrator.messages.list('writer')
  expect(message).toMatchObject({
    ...{ to: 'critic', status: 'undeliverable', reason: 'the agent was removed before it had read it' },
  })
})

test.each([
  ['begins no call for them when it is removed', 0],
  ['reads them after a removal that has failed', 1],
])('a busy agent that its messages wake %s', async (_, fails) => {
  let left = fails
  const begun = gate<void>()
  const runner = {
    ...scriptedRunner({
      reply: ({ prompt }) => {
        begun.open()
        return { text: 'Done.', delayMs: prompt === 'Work.' ? 600_000 : 0 }
      },
    }),
    async discard() {
      left -= 1
      if (left >= 0) throw new Error('a file is immutable')
    },
  }
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner })
  const critic = await orchestrator.createAgent({ id: 'critic', systemPrompt: 's', onMessage: 'wake' })
  const asked = critic.ask('Work.').catch(() => {})
  await begun.opened
  await orchestrator.messages.send({ to: 'critic', text: 'Hello.' })
  if (fails > 0) await expect(orchestrator.removeAgent('critic')).rejects.toThrow('a file is immutable')
  else await orchestrator.removeAgent('critic')
  await asked
  await critic.settled().catch(() => {})
  expect(runner.calls).toHaveLength(1 + fails)
  const { status } = (await orchestrator.messages.list('critic'))[0] ?? {}
  expect(status).toBe(fails > 0 ? 'answered' : 'undeliverable')
})

test('agents that hold nothing are removed beside one that does', async () => {
  await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner: scriptedRunner() })
  for (const id of ['a', 'b']) await orchestrator.createAgent({ id, systemPrompt: 's' })
  const a = await orchestrator.agent('a')
  await a.accept('do it', { taskId: 't1', approval: true })
  await expect(orchestrator.cleanupAll()).rejects.toMatchObject({ details: { agent: 'a' } })
  expect((await orchestrator.agents()).map(({ id }) => id)).toEqual(['a'])
})
