import { describe, expect, test } from 'vitest'
import {
  MessageConflictError,
  TooManyMessagesError,
  TopicFullError,
  UndeliverableError,
} from '../../src/events/errors/actor.ts'
import { AgentNotFoundError } from '../../src/events/errors/agent.ts'
import { InvalidIdError, InvalidInputError } from '../../src/events/errors/usage.ts'
import { causesOf } from '../../src/history/causes.ts'
import { crashSweep } from '../../src/testing/crash-sweep.ts'
import { counter } from './counters.ts'
import { agent, idsIn, messagesIn, team } from './kit.ts'

describe('What is published on a topic', () => {
  test('is in the mailbox of each subscriber, an actor of your own included, and not in that of its publisher', async () => {
    const { orchestrator, runner } = await team().open({}, { actors: [counter] })
    for (const id of ['writer', 'critic', 'expert']) await orchestrator.createAgent(agent(id))
    const visits = await orchestrator.spawn(counter, 'visits')
    const { messages } = orchestrator
    for (const id of ['writer', 'critic', 'counter/visits']) await messages.subscribe('news', id)
    expect(await messages.subscribe('news', 'writer')).toEqual({
      ...{ topic: 'news', subscribers: ['writer', 'critic', 'counter/visits'], published: 0 },
    })
    expect(await messages.publish('news', 'It rains.', { from: 'writer', messageId: 'm1' })).toEqual({
      ...{ messageId: 'm1', delivered: 2, undelivered: [] },
    })
    await messages.unsubscribe('news', 'critic')
    await messages.send({ to: 'topic/news', text: 'It snows.', messageId: 'm2' })
    for (const id of ['writer', 'critic', 'expert']) await orchestrator.sendTask(id, 'Well?')
    const heard = runner.calls.map(({ prompt }) => messagesIn(prompt))
    const from = { from: '(a person)', topic: 'news' }
    expect(heard).toEqual([
      [{ ...from, messageId: 'news#m2', text: 'It snows.' }],
      [{ ...from, from: 'writer', messageId: 'news#m1', text: 'It rains.' }],
      [],
    ])
    expect(visits.snapshot.context.counted.map(({ text }) => text)).toEqual(['It rains.', 'It snows.'])
    expect(await messages.list('topic/news')).toMatchObject([
      { messageId: 'm1', from: 'writer', to: 'topic/news', status: 'answered', reason: null },
      { messageId: 'm2', from: null, status: 'answered' },
    ])
    expect(await messages.topics()).toEqual([
      { topic: 'news', subscribers: ['writer', 'counter/visits'], published: 2 },
    ])
  })

  test('reaches the others if one has a full mailbox, refuses it, or is gone, and the answer names these', async () => {
    const { orchestrator } = await team().open({}, { actors: [counter], limits: { mailbox: 1 } })
    for (const id of ['full', 'gone', 'well']) await orchestrator.createAgent(agent(id))
    await orchestrator.spawn(counter, 'visits')
    const { messages } = orchestrator
    for (const id of ['full', 'counter/visits', 'gone', 'well']) await messages.subscribe('news', id)
    await messages.send({ to: 'full', text: 'Hello.' })
    await expect(messages.send({ to: 'full', text: 'Hello.' })).rejects.toThrow(TooManyMessagesError)
    await orchestrator.removeAgent('gone')
    const { delivered, undelivered } = await messages.publish('news', 'no')
    expect(delivered).toBe(1)
    expect(undelivered.map(({ to, reason }) => [to, reason])).toEqual([
      ['full', expect.stringContaining('accepts no more')],
      ['counter/visits', expect.stringContaining('it does not count that')],
      ['gone', expect.stringContaining('No agent "gone"')],
    ])
    expect((await messages.topics())[0]?.subscribers).toEqual(['full', 'counter/visits', 'well'])
    expect((await messages.list('topic/news'))[0]?.reason).toContain('accepts no more')
  })

  test('waits for its turn to be delivered, and one for which there is no room is refused and can come again', async () => {
    const { orchestrator } = await team().open({}, { limits: { mailbox: 1 } })
    const { messages } = orchestrator
    for (const id of ['critic', 'expert']) {
      await orchestrator.createAgent(agent(id))
      await messages.subscribe('news', id)
    }
    const [first, second] = await Promise.allSettled([
      messages.publish('news', 'One.'),
      messages.publish('news', 'Two.'),
    ])
    expect(first).toMatchObject({ status: 'fulfilled', value: { delivered: 2 } })
    expect(second).toMatchObject({ status: 'rejected', reason: expect.any(TopicFullError) })
    expect(await messages.list('topic/news')).toHaveLength(1)
    expect(await messages.publish('news', 'Two.')).toMatchObject({ delivered: 0, undelivered: [{}, {}] })
  })

  test('is published once under its id, and has the same answer, before and after a restart', async () => {
    const { open } = team()
    const first = await open()
    await first.orchestrator.createAgent(agent('critic'))
    await first.orchestrator.messages.subscribe('news', 'critic')
    const publish = (at: typeof first) => at.orchestrator.messages.publish('news', 'Hi.', { messageId: 'm1' })
    const answers = await Promise.all([publish(first), publish(first)])
    await first.orchestrator.close()
    const second = await open()
    expect([...answers, await publish(second)]).toEqual(
      Array(3).fill({ messageId: 'm1', delivered: 1, undelivered: [] }),
    )
    expect(await second.orchestrator.messages.list('critic')).toHaveLength(1)
    await expect(second.orchestrator.messages.publish('news', 'Bye.', { messageId: 'm1' })).rejects.toThrow(
      MessageConflictError,
    )
  })

  test('is another message than one that is sent to a subscriber under the same id', async () => {
    const { open } = team()
    const { orchestrator } = await open()
    await orchestrator.createAgent(agent('reader'))
    await orchestrator.messages.subscribe('news', 'reader')
    for (const messageId of ['m1', 'news:m1'])
      await orchestrator.messages.send({ to: 'reader', text: 'Sent.', messageId })
    expect(await orchestrator.messages.publish('news', 'Told.', { messageId: 'm1' })).toMatchObject({
      delivered: 1,
    })
    expect((await orchestrator.messages.list('reader')).map(({ text }) => text)).toEqual([
      'Sent.',
      'Sent.',
      'Told.',
    ])
  })

  test('keeps its order for each subscriber', async () => {
    const { orchestrator } = await team().open()
    for (const id of ['one', 'two']) await orchestrator.createAgent(agent(id))
    const { messages } = orchestrator
    for (const id of ['one', 'two']) await messages.subscribe('news', id)
    const ids = Array.from({ length: 20 }, (_, at) => `m${at}`)
    await Promise.all(ids.map((messageId) => messages.publish('news', 'Hi.', { messageId })))
    for (const id of ['one', 'two'])
      expect((await messages.list(id)).map(({ messageId }) => messageId)).toEqual(
        ids.map((messageId) => `news#${messageId}`),
      )
  })

  test('is heard by a program that listens, from any position on', async () => {
    const { orchestrator } = await team().open()
    const { messages } = orchestrator
    await messages.publish('news', 'one', { messageId: 'm1' })
    await messages.publish('other', 'two')
    await messages.publish('news', 'three')
    const heard: [string, number][] = []
    for await (const { text, position } of messages.published('news')) {
      heard.push([text, position])
      if (heard.length === 2) break
    }
    expect(heard.map(([text]) => text)).toEqual(['one', 'three'])
    const later = await new Promise((resolve) => {
      messages.published('news', { after: heard[0]?.[1] ?? 0 }).subscribe(({ text }) => resolve(text))
    })
    expect(later).toBe('three')
  })

  test('leads from the answer of a subscriber to the call that published it', async () => {
    const { open, store } = team()
    const { orchestrator } = await open({
      reply: async ({ agent: at }) => {
        if (at === 'writer') await orchestrator.messages.publish('news', 'It rains.', { from: 'writer' })
        return 'Fine.'
      },
    })
    for (const id of ['writer', 'critic']) await orchestrator.createAgent(agent(id))
    await orchestrator.messages.subscribe('news', 'critic')
    await orchestrator.sendTask('writer', 'Publish it.')
    await orchestrator.sendTask('critic', 'Well?')
    let last = 0
    for await (const { type, position } of store.readAll({})) if (type === 'CallSucceeded') last = position
    const lines = (await causesOf(store, last)).map(({ fact }) => `${fact.stream} ${fact.type}`)
    expect(lines).toEqual(expect.arrayContaining(['topic/news MessagePublished', 'agent/writer CallStarted']))
  })
})

test('A topic is subscribed to by what exists, under a name that is one', async () => {
  const { open, store } = team()
  const { orchestrator } = await open()
  const { messages } = orchestrator
  await expect(messages.subscribe('news', 'critic')).rejects.toThrow(AgentNotFoundError)
  await expect(messages.subscribe('news', 'counter/one')).rejects.toThrow(UndeliverableError)
  await expect(messages.subscribe('news', 'topic/other')).rejects.toThrow(InvalidInputError)
  for (const name of ['../news', 'News', '', 'news/one', 'news.1'])
    await expect(messages.publish(name, 'Hi.')).rejects.toThrow(InvalidIdError)
  expect(await store.head()).toBe(0)
})

test('A publication, crashed at each of its appends, is in one turn of each subscriber, in order', async () => {
  const ids = ['one', 'two']
  const { appends, result } = await crashSweep({
    reply: ({ prompt }) => `read ${idsIn(prompt).join(' ')}`,
    async scenario(orchestrator) {
      const known = new Set((await orchestrator.agents()).map(({ id }) => id))
      for (const id of ids) if (!known.has(id)) await orchestrator.createAgent(agent(id))
      const { messages } = orchestrator
      for (const id of ids) await messages.subscribe('news', id)
      for (const messageId of ['m1', 'm2']) await messages.publish('news', 'Hi.', { messageId })
      const read = await Promise.all(
        ids.map(
          async (id) => (await (await orchestrator.agent(id)).ask('Well?', { taskId: `t-${id}` })).text,
        ),
      )
      return { read, listed: (await messages.list('topic/news')).map(({ status }) => status) }
    },
  })
  expect(appends).toBeGreaterThan(10)
  expect(result).toEqual({
    ...{ read: Array(2).fill('read news#m1 news#m2'), listed: ['answered', 'answered'] },
  })
})
