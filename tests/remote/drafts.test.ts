/** Answers that are being written can be read by any number of processes, at no cost to the one that writes. */
import { request } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import type { DraftChange } from '../../src/actors/agent/tasks/channel.ts'
import type { AgentRunner, CallMessage } from '../../src/claude/runner.ts'
import { ApiUnavailableError } from '../../src/events/errors/call.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { until } from '../actors/world.ts'
import { connected, served } from '../owner/kit.ts'

const A = { id: 'a', systemPrompt: 'x', retry: { attempts: 1, minDelayMs: 0 } }

/** A runner whose calls say what they are told to say. */
function typewriter() {
  const waiting: (readonly CallMessage[] | Error | 'end')[] = []
  let wake = () => {}
  const { recover } = scriptedRunner()
  const runner: AgentRunner = {
    recover,
    async *start(call, { signal }): AsyncGenerator<CallMessage> {
      signal.addEventListener('abort', () => wake())
      const result = await scriptedRunner({ reply: () => 'done' }).start(call, { signal })
      for (;;) {
        while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve))
        const next = waiting.shift()
        if (next instanceof Error) throw next
        if (next === 'end') break
        yield* next ?? []
      }
      for await (const message of result) if (message.type === 'result') yield message
    },
  }
  const say = (...next: (readonly CallMessage[] | Error | 'end')[]) => {
    waiting.push(...next)
    wake()
  }
  return { runner, say, text: (text: string) => say([{ type: 'text', text }]) }
}

/** Reads drafts as a client does. */
function reader(drafts: AsyncIterable<DraftChange>) {
  const seen: DraftChange[] = []
  const state = { text: '', seen }
  const reading = (async () => {
    for await (const change of drafts) {
      state.text = state.text.slice(0, change.at) + change.text
      seen.push(change)
    }
  })()
  return Object.assign(state, { reading })
}

async function writing(letters = typewriter()) {
  const here = await served({}, { runner: letters.runner })
  const agent = await here.own.createAgent(A)
  const leaving = new AbortController()
  onTestFinished(() => leaving.abort())
  const read = async () => reader((await here.remote.agent('a')).drafts(leaving.signal))
  return { ...here, ...letters, agent, leaving, read }
}

test('a reader gets what the answer has by then, and then what comes, with the tools that are used', async () => {
  const { agent, say, text, read } = await writing()
  const first = await read()
  const task = agent.ask('x', { taskId: 't1' })
  text('Coral ')
  await until(() => first.text === 'Coral ')
  const second = await read()
  await until(() => second.text === 'Coral ')
  say([{ type: 'tool', name: 'Read', toolUseId: 'u1' }])
  text('reefs')
  say('end')
  await task
  for (const each of [first, second]) {
    await until(() => each.seen.some(({ endedAt }) => endedAt !== undefined))
    expect(each.text).toBe('Coral reefs')
    expect(each.seen.find(({ tool }) => tool)).toMatchObject({ taskId: 't1', tool: 'Read' })
    expect(each.seen.at(-1)).toMatchObject({ taskId: 't1', endedAt: 11 })
  }
})

test('what a failed call has said is taken back, and the next task has a draft of its own', async () => {
  const { agent, say, text, read } = await writing()
  const draft = await read()
  const task = agent.ask('x', { taskId: 't1' })
  text('half of')
  await until(() => draft.text === 'half of')
  say(new ApiUnavailableError())
  text('all of it')
  await until(() => draft.text === 'all of it')
  say('end')
  await task
  const next = agent.ask('y', { taskId: 't2' })
  text('next')
  await until(() => draft.seen.at(-1)?.taskId === 't2')
  expect(draft.seen.at(-1)).toMatchObject({ at: 0, text: 'next' })
  say('end')
  await next
})

test('a reader that takes nothing costs the owner nothing, and holds up no other reader', async () => {
  const { baseDir, agent, say, text, read, client, leaving } = await writing()
  const path = client.address
  const stalled = request({ socketPath: path, path: '/drafts?agent=a' })
  onTestFinished(() => void stalled.destroy())
  stalled.on('error', () => {})
  stalled.end()
  const response = await new Promise<import('node:http').IncomingMessage>((resolve) =>
    stalled.once('response', resolve),
  )
  response.pause()
  const other = await read()
  const task = agent.ask('x', { taskId: 't1' })
  // The other one takes each piece before the next is written.
  const piece = 'x'.repeat(10_000)
  for (let round = 1; round <= 90; round++) {
    text(piece)
    await until(() => other.text.length === round * piece.length)
  }
  say('end')
  await task
  const lines: DraftChange[] = []
  let rest = ''
  response.on('data', (chunk) => {
    const [last = '', ...complete] = `${rest}${chunk}`.split('\n').toReversed()
    rest = last
    for (const line of complete.toReversed()) lines.push(JSON.parse(line))
  })
  response.resume()
  await until(() => lines.some(({ endedAt }) => endedAt !== undefined))
  // What it had not taken was not kept for it: it came as one line.
  expect(lines.length).toBeLessThan(other.seen.length - 10)
  let whole = ''
  for (const { at, text: more } of lines) whole = whole.slice(0, at) + more
  expect(whole).toBe(other.text)
  leaving.abort()
  await other.reading
  expect(await connected(baseDir)).toBeDefined()
})

test('of a very long answer, readers get the beginning, and how long it is', async () => {
  const { agent, say, text, read } = await writing()
  const draft = await read()
  const task = agent.ask('x')
  const half = 'x'.repeat(600 * 1024)
  text(half)
  // An answer that is complete before it is read is in the log.
  await until(() => draft.text === half)
  text(half)
  say('end')
  await task
  await until(() => draft.seen.some(({ endedAt }) => endedAt !== undefined))
  expect(draft.text).toBe(half)
  expect(draft.seen.at(-1)?.endedAt).toBe(2 * half.length)
})
