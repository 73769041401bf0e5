/** An owner whose own work has ended, and the clients that it has done something for. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { until } from '../actors/world.ts'
import { served } from './kit.ts'

const READERS_MS = 1000

/** An owner that ends as a command does, and a client that it has answered. No time passes unless the test says so. */
async function ending() {
  const { own, client, remote, runner } = await served({ reply: ({ prompt }) => `re: ${prompt}` })
  await own.createAgent({ id: 'a', systemPrompt: 'x' })
  expect((await (await remote.agent('a')).ask('x')).text).toBe('re: x')
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const end = { isOver: false, waits: 0 }
  const ended = (async () => {
    await own.served(new AbortController().signal, () => end.waits++)
    end.isOver = true
    await own.close()
  })()
  return { client, remote, runner, end, ended }
}

test('A client that something was done for is served until it disconnects', async () => {
  const { client, remote, runner, end, ended } = await ending()
  for (const id of ['b', 'c']) {
    const agent = await remote.createAgent({ id, systemPrompt: 'x' })
    expect((await agent.ask(id)).text).toBe(`re: ${id}`)
    expect(await remote.runs.list()).toEqual([])
  }
  expect(end.isOver).toBe(false)
  client.close()
  await ended
  expect(runner.calls).toHaveLength(3)
  expect(end.waits).toBe(0)
})

test('A client that asks for work again is waited for, and told of', async () => {
  const { client, remote, end, ended } = await ending()
  await remote.createAgent({ id: 'b', systemPrompt: 'x' })
  const agent = await remote.agent('b')
  let hold = () => {}
  const held = new Promise<void>((resolve) => (hold = resolve))
  const asked = agent.ask('one', { approval: true, taskId: 'one', onHeld: () => hold() })
  await held
  vi.advanceTimersByTime(READERS_MS)
  await until(() => end.waits === 1)
  expect(end.isOver).toBe(false)
  await remote.held.approve('one')
  expect((await asked).text).toBe('re: one')
  client.close()
  await ended
})

test('A client that asks for no change any more does not keep the owner, however often it looks', async () => {
  const { remote, end, ended } = await ending()
  for (let looks = 2; looks > 0; looks--) {
    await remote.runs.list()
    vi.advanceTimersByTime(READERS_MS / 2)
  }
  await until(() => end.isOver)
  await ended
})
