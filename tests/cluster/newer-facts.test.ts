/** A rolling deploy: to what lives in workers of an older release, a newer one has written what they do not know. */
import { expect, test } from 'vitest'
import type { Orchestrator } from '../../src/orchestrator.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { inOneProcess } from './in-one-process.ts'

const newer = { type: 'Teleported', v: 1, data: {} }
const unknown = {
  _tag: 'UnknownFactError',
  message: expect.stringMatching(
    /The log has a Teleported .*this program knows no such fact.*newer claude-multi-agent/,
  ),
}
const workflow = { kind: 'agents', pattern: 'sequential', agents: ['a'], options: {} } as const
const create = (team: Orchestrator) =>
  Promise.all(['a', 'b'].map((id) => team.createAgent({ id, systemPrompt: 'x' })))

test('an agent says so to who asks it, and the others work as before', async () => {
  const cluster = await inOneProcess(1)
  const team = await cluster.client()
  await create(team)
  await (await team.agent('a')).ask('x')
  // It lived in a worker of the newer release meanwhile.
  const token = (await cluster.log.claim?.('agent/a')) ?? ''
  await cluster.log.append('agent/a', [newer], { token })
  await cluster.workers[0]?.agent.lose(['a'])
  const client = await cluster.client()
  for (const asker of [team, client])
    await expect((async () => (await asker.agent('a')).ask('y'))()).rejects.toMatchObject(unknown)
  expect((await (await client.agent('b')).ask('y')).text).toBe('echo: y')
  expect(cluster.runner.calls.length).toBe(2)
  // It moves as any other.
  await cluster.workers[0]?.agent.leave('a')
  expect([...(cluster.workers[0]?.agent.ids ?? [])]).toEqual(['b'])
})

test('a run is not executed, its client is told, and a worker that has it can be drained', async () => {
  const cluster = await inOneProcess(1)
  const [worker] = cluster.workers
  const team = await cluster.client()
  await create(team)
  await team.run(workflow, 'x', { id: 'r' })
  await cluster.log.append('run/r', [newer])
  const client = await cluster.client()
  await expect(client.runs.resume('r')).rejects.toMatchObject(unknown)
  await worker?.run.enter('r')
  for (const id of [...(worker?.run.ids ?? [])]) await worker?.run.leave(id)
  await worker?.run.leave('r')
  await worker?.run.without(() => true)
  expect((await client.run(workflow, 'x', { id: 's' })).success).toBe(true)
})

test('of topics, only the one that cannot be read is not delivered', async () => {
  const clock = virtualClock()
  const cluster = await inOneProcess(1, {}, clock)
  const team = await cluster.client()
  await create(team)
  const left = { type: 'MessagePublished', v: 1, data: { messageId: 'm', from: null, text: 'It rains.' } }
  const summary = { status: 'open', open: true, info: {} }
  for (const topic of ['news', 'weather']) await team.messages.subscribe(topic, 'b')
  await cluster.log.append('topic/news', [newer, left], { summary })
  await cluster.log.append('topic/weather', [left], { summary })
  const { duties } = cluster.workers[0]?.orchestrator ?? {}
  await duties?.tendTopics(() => true)
  await clock.advance(15_000)
  await duties?.tendTopics(() => true)
  const { messages } = await cluster.client()
  expect((await messages.list('b')).map(({ messageId }) => messageId)).toEqual(['weather#m'])
})

test('of schedules, only the one that cannot be read is not driven', async () => {
  const clock = virtualClock()
  const cluster = await inOneProcess(1, {}, clock)
  const team = await cluster.client()
  await create(team)
  for (const name of ['s', 't'])
    await team.schedules.add(name, { cron: '* * * * *', agent: 'b', prompt: 'go' })
  await cluster.log.append('schedule/s', [newer], { summary: { status: 'active', open: true } })
  const { duties } = cluster.workers[0]?.orchestrator ?? {}
  await duties?.tendSchedules(() => true)
  await clock.advance(60_000)
  const fired: unknown[] = []
  for await (const { type, stream } of cluster.log.readAll())
    if (type === 'FiringAnnounced') fired.push(stream)
  expect(fired).toEqual(['schedule/t'])
  await duties?.tendSchedules(() => false)
})
