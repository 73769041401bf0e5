/** What pruning reads: with transcripts written by hand, so that no process runs. */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { configDirectory } from '../../../src/claude/environment.ts'
import type { Call } from '../../../src/claude/runner.ts'
import { pruneTranscripts, Sessions } from '../../../src/claude/session/sessions.ts'
import { testAgent } from '../calls.ts'

const read: string[] = []

vi.mock('../../../src/workspaces/agent-file.ts', async (load) => {
  const files = await load<typeof import('../../../src/workspaces/agent-file.ts')>()
  return {
    ...files,
    eachChunk: (path: string, ...rest: [number, (chunk: Uint8Array) => void | Promise<void>]) => {
      read.push(path)
      return files.eachChunk(path, ...rest)
    },
  }
})

/**
 * An agent whose calls have each written a transcript: the lines of what they forked, then their own, and what the chain has
 * cost: a dollar for each call.
 */
async function talker() {
  const { directories, call } = await testAgent()
  const folder = join(configDirectory(directories.home), 'projects/work')
  await mkdir(folder, { recursive: true })
  const sessions = () => new Sessions(directories.home)
  const written = new Map<string, string>()
  const calls = new Map<string, Call>()
  const say = async (parent: string | null, { stopReason = 'end_turn', costUsd = 1 } = {}) => {
    const one = call('Hello', { parentSessionId: parent })
    calls.set(one.sessionId, one)
    const line = (type: string, message: object) =>
      `${JSON.stringify({ type, uuid: randomUUID(), message })}\n`
    const turn =
      line('user', { content: 'Hello' }) +
      line('assistant', { id: randomUUID(), model: 'm', stop_reason: stopReason, content: [] })
    written.set(one.sessionId, (written.get(parent ?? '') ?? '') + turn)
    const cost = `${JSON.stringify({ type: 'cost-state', totalCostUSD: costUsd })}\n`
    await writeFile(join(folder, `${one.sessionId}.jsonl`), written.get(one.sessionId) + cost)
    read.length = 0
    if (stopReason === 'end_turn') await pruneTranscripts(one, sessions())
    return one.sessionId
  }
  const before = (session: string) => sessions().costBefore(calls.get(session) as Call)
  return {
    say,
    before,
    kept: async () => (await readdir(folder)).map((name) => name.replace('.jsonl', '')).sort(),
  }
}

const transcriptsRead = () => new Set(read.filter((path) => path.endsWith('.jsonl'))).size

test('an answered call reads its own transcript and the one before it, however many conversations are kept', async () => {
  const { say, kept } = await talker()
  for (let run = 1; run <= 30; run += 1) {
    await say(null)
    expect(transcriptsRead()).toBeLessThanOrEqual(2)
  }
  expect(await kept()).toHaveLength(30)
})

test('the transcript of a first answer is read once', async () => {
  const { say } = await talker()
  await say(null)
  expect(read.filter((path) => path.endsWith('.jsonl'))).toHaveLength(1)
})

test('of a conversation only its tip is kept, and a small parent until the next answer, whatever comes between', async () => {
  const { say, kept } = await talker()
  const first = await say(null)
  const second = await say(first)
  expect(await kept()).toEqual([first, second].sort())
  const other = await say(null)
  expect(await kept()).toEqual([second, other].sort())
  // A branch at the first turn, whose own transcript is gone.
  const branch = await say(first)
  const third = await say(second)
  expect(await kept()).toEqual([second, other, branch, third].sort())
  const fourth = await say(third)
  expect(await kept()).toEqual([other, branch, third, fourth].sort())
})

test('what a failed call left behind is read once and removed', async () => {
  const { say, kept } = await talker()
  const first = await say(null)
  await say(first, { stopReason: 'tool_use' })
  const second = await say(first)
  expect(await kept()).toEqual([first, second].sort())
  await say(second)
  expect(transcriptsRead()).toBe(2)
})

test('a branch at an earlier turn begins with the cost of the transcript that it forked, even when that is gone', async () => {
  const { say, before, kept } = await talker()
  const first = await say(null, { costUsd: 1 })
  const second = await say(first, { costUsd: 2 })
  await say(null, { costUsd: 1 })
  const branch = await say(first, { costUsd: 3 })
  expect(await before(branch)).toBe(2)
  const third = await say(second, { costUsd: 3 })
  await say(third, { costUsd: 4 })
  expect(await kept()).not.toContain(second)
  expect(await before(branch)).toBe(2)
})
