/** Limits on the number of processes, their time and their silence, by a clock that the test controls. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { claudeCli } from '../../../src/claude/claude-cli.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { type Collected, collect, testAgent } from '../calls.ts'

const never = new AbortController().signal
const FAKE = join(import.meta.dirname, '../fixtures/fake-claude.sh')

test('no more processes run at once than the limit allows: the next starts when one is gone', async () => {
  const agents = await Promise.all([testAgent(), testAgent(), testAgent()])
  const runner = claudeCli({ path: FAKE, maxProcesses: 2 })
  const order: string[] = []
  const stops = agents.map(() => new AbortController())
  const ended = agents.map(async (agent, index) => {
    const { error } = await collect(runner, agent.call('one line, then silence'), {
      signal: stops[index]?.signal ?? never,
      onMessage(message) {
        if (message.type !== 'init') return
        order.push(`${index} speaks`)
        if (order.length === 2) stops[0]?.abort()
        if (order.length > 2) for (const stop of stops) stop.abort()
      },
    })
    order.push(`${index} is over`)
    return error
  })
  for (const error of await Promise.all(ended)) expect(error).toMatchObject({ _tag: 'CallCancelledError' })
  expect(order.slice(0, 2).sort()).toEqual(['0 speaks', '1 speaks'])
  expect(order.slice(2, 4)).toEqual(['0 is over', '2 speaks'])
})

test('a call waiting for its slot can be cancelled, and takes none', async () => {
  const [first, second, third] = await Promise.all([testAgent(), testAgent(), testAgent()])
  const runner = claudeCli({ path: FAKE, maxProcesses: 1 })
  const stopFirst = new AbortController()
  const stopSecond = new AbortController()
  const running = collect(runner, first.call('one line, then silence'), {
    signal: stopFirst.signal,
    onMessage: (message) => message.type === 'init' && stopSecond.abort(),
  })
  const waiting = await collect(runner, second.call('answer'), { signal: stopSecond.signal })
  expect(waiting).toMatchObject({ messages: [], error: { _tag: 'CallCancelledError' } })
  const last = collect(runner, third.call('answer'))
  stopFirst.abort()
  expect(await running).toMatchObject({ error: { _tag: 'CallCancelledError' } })
  expect((await last).result?.text).toBe('fine')
})

test('starts are serialized: the next one starts after the first output of the one before', async () => {
  const [first, second] = await Promise.all([testAgent(), testAgent()])
  const runner = claudeCli({ path: FAKE, maxStarts: 1 })
  const order: string[] = []
  const stop = new AbortController()
  const follows: Promise<Collected>[] = []
  const speaks = collect(runner, first.call('one line, then silence'), {
    signal: stop.signal,
    onMessage(message) {
      order.push(`first ${message.type}`)
      if (message.type !== 'process') return
      const following = collect(runner, second.call('two results'), {
        onMessage: (said) => {
          order.push(`second ${said.type}`)
          stop.abort()
        },
      })
      follows.push(following)
    },
  })
  expect((await speaks).error).toMatchObject({ _tag: 'CallCancelledError' })
  expect((await follows[0])?.result?.text).toBe('second')
  expect(order.slice(0, 3)).toEqual(['first process', 'first init', 'second process'])
})

test('a start that fails, or stays silent for too long, blocks no other', async () => {
  const clock = virtualClock()
  const [first, second, third] = await Promise.all([testAgent(), testAgent(), testAgent()])
  const runner = claudeCli({ path: FAKE, maxStarts: 1, clock })
  const stop = new AbortController()
  expect(await collect(runner, first.call('crash'))).toMatchObject({ error: { _tag: 'CliCrashedError' } })
  let begun = () => {}
  const isBegun = new Promise<void>((resolve) => {
    begun = resolve
  })
  const silent = collect(runner, second.call('hang'), { signal: stop.signal, onMessage: () => begun() })
  await isBegun
  const other = collect(runner, third.call('answer'))
  await clock.advance(30_000)
  expect((await other).result?.text).toBe('fine')
  stop.abort()
  await silent
})

test('a call without a line of output for too long is stalled, and not before', async () => {
  const clock = virtualClock()
  const agent = await testAgent()
  const runner = claudeCli({ path: FAKE, clock, idleMs: 60_000 })
  const { error } = await collect(runner, agent.call('one line, then silence'), {
    onMessage: async (message) => {
      if (message.type === 'process') await clock.advance(59_000)
      // A line has arrived meanwhile: the idle time counts from there.
      if (message.type === 'init') void clock.advance(59_999).then(() => clock.advance(1))
    },
  })
  expect(error).toMatchObject({ _tag: 'CallStalledError', retryable: true })
})

test('a call that exceeds the time limit is a timeout', async () => {
  const clock = virtualClock()
  const agent = await testAgent()
  const runner = claudeCli({ path: FAKE, clock, callTimeoutMs: 5_000 })
  const { error } = await collect(runner, agent.call('one line, then silence'), {
    onMessage: (message) => message.type === 'init' && void clock.advance(5_000),
  })
  expect(error).toMatchObject({
    _tag: 'CallTimeoutError',
    details: { said: expect.stringContaining('5.0 s') },
  })
  expect(clock.pending).toBe(0)
})
