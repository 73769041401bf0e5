/**
 * Agents and actors of a user's own that write to each other, while their owner is killed again and again: each message is in
 * exactly one answered turn, or one fact of an actor, and those of each pair in their order. Real processes and a real log; a
 * scripted runner.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { levelStore } from '../../src/store/level/store.ts'
import { repetitions } from '../repetitions.ts'
import { randomNumbers } from '../store/random-numbers.ts'

const KILLS = Math.min(100, repetitions('KILLS', { short: 2, long: 100 }))
const AGENTS = repetitions('TALKERS', { short: 5, long: 50 })
const ACTORS = repetitions('ACTORS', { short: 2, long: 10 })
const MESSAGES = repetitions('MESSAGES', { short: 200, long: 10_000 })
const SEED = Number(process.env.SEED ?? 1)
const AGAIN = 2
/** How many of its messages each has not sent yet at the last kill: an owner goes on until the signal reaches it. */
const LEFT = 10
const PROGRAM = join(import.meta.dirname, 'fixtures/talking-owner.mjs')

/** How many each has sent, as a line of an owner says it. */
const sentByEach = (line: string) => Number(line.split(' ')[1])

/** Runs an owner in which each sends from its message `from` on, and until each has sent `to`. Returns its last line. */
async function owner(
  baseDir: string,
  from: number,
  to = Number.POSITIVE_INFINITY,
  linesMore = 0,
): Promise<string> {
  const child = spawn(process.execPath, [PROGRAM, baseDir, ...[AGENTS, ACTORS, MESSAGES, from].map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let last = ''
  let left = linesMore
  for await (const line of createInterface({ input: child.stdout })) {
    last = line
    if (sentByEach(line) >= to && left-- <= 0) child.kill('SIGKILL')
  }
  await ended
  return last
}

test(`${MESSAGES} messages among ${AGENTS} agents and ${ACTORS} own actors under ${KILLS} kills: each is in one turn, in its order`, async () => {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(baseDir, { recursive: true, force: true, maxRetries: 5 }))
  const random = randomNumbers(SEED)
  const each = Math.floor(MESSAGES / (AGENTS + ACTORS))
  let from = 0
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const last = await owner(baseDir, from, Math.floor(((each - LEFT) * kill) / KILLS), random(4))
    expect(last).not.toContain('done')
    // The last ones that each has sent are sent again.
    from = Math.max(from, sentByEach(last) - AGAIN)
  }
  const [done, megabytes] = (await owner(baseDir, from)).split(' ')
  expect(done).toBe('done')
  expect(Number(megabytes)).toBeLessThan(400)

  const read = new Map<string, number[]>()
  const reading = new Map<string, Set<string>>()
  const senders = new Map<string, string>()
  await using store = await levelStore(baseDir)
  const taken = (receiver: string, from: string, id: string) => {
    const pair = `${from} ${receiver}`
    read.set(pair, [...(read.get(pair) ?? []), Number(id.slice(1))])
  }
  for await (const { stream, type, data } of store.readAll({})) {
    if (type === 'Counted') taken(stream, String(data.from), String(data.messageId))
    const task = `${stream} ${data.taskId}`
    if (type === 'MessageReceived') senders.set(`${stream} ${data.messageId}`, String(data.from))
    if (type === 'CallStarted') {
      const messages = reading.get(task) ?? new Set()
      for (const id of (data.messages as string[] | undefined) ?? []) messages.add(id)
      reading.set(task, messages)
    }
    if (type === 'TaskFailed' || type === 'TaskCancelled') reading.delete(task)
    if (type !== 'CallSucceeded') continue
    for (const id of reading.get(task) ?? []) taken(stream, String(senders.get(`${stream} ${id}`)), id)
  }
  const all = [...read.values()].flat().sort((one, other) => one - other)
  expect(all).toEqual(Array.from({ length: MESSAGES }, (_, at) => at))
  for (const [pair, numbers] of read)
    expect([pair, numbers]).toEqual([pair, [...numbers].sort((one, other) => one - other)])
})
