/** Topics in several workers, each of which may take one for its own. Nothing here needs several processes. */
import { expect, test } from 'vitest'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { inOneProcess } from './in-one-process.ts'

test('What a process that was killed has published is delivered by the worker that has the topic, once', async () => {
  const clock = virtualClock()
  const { log, workers, client } = await inOneProcess(2, {}, clock)
  const team = await client()
  await team.createAgent({ id: 'a', systemPrompt: 'x' })
  await team.messages.subscribe('news', 'a')
  // A worker that knows the topic as it was before.
  await workers[0]?.orchestrator.messages.publish('news', 'It rains.', { messageId: 'm1' })
  const left = { messageId: 'm2', from: null, text: 'It snows.' }
  const summary = { status: 'open', open: true, info: {} }
  await log.append('topic/news', [{ type: 'MessagePublished', v: 1, data: left }], { summary })
  const received = async () => (await team.messages.list('a')).map(({ messageId }) => messageId)
  const tend = () =>
    Promise.all(workers.map(({ orchestrator }, index) => orchestrator.duties.tendTopics(() => index === 0)))
  await tend()
  await clock.advance(14_000)
  await tend()
  // It may still be on its way.
  expect(await received()).toEqual(['news#m1'])
  await clock.advance(1000)
  await tend()
  await team.messages.publish('news', 'It shines.', { messageId: 'm3' })
  expect(await received()).toEqual(['news#m1', 'news#m2', 'news#m3'])
  await tend()
})
