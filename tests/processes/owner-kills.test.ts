/**
 * The owner of five busy agents is killed again and again: each task ends once, is paid for once, and nothing is left
 * running. Real processes; a `claude` that is a shell script. KILLS sets how often (`npm run faults` does it 50
 * times).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { listProcesses } from '../../src/claude/process/list.ts'
import { levelStore } from '../../src/store/level/store.ts'
import { repetitions } from '../repetitions.ts'
import { randomNumbers } from '../store/random-numbers.ts'

const KILLS = Math.min(50, repetitions('KILLS', { short: 1, long: 4 }))
const SEED = Number(process.env.SEED ?? 1)
const AGENTS = 5

function owner(baseDir: string, calls: string, round: number | 'settle') {
  const program = join(import.meta.dirname, 'fixtures/busy-owner.mjs')
  const child = spawn(process.execPath, [program, baseDir, calls, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

const saying = (child: ChildProcess) =>
  new Promise<{ orphans: number }>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the owner ended with ${code}`)))
    if (child.stdout)
      createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line)))
  })

function killIfRunning(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {}
}

const ended = (child: ChildProcess) => new Promise<void>((resolve) => child.once('close', () => resolve()))

test(`${KILLS} times kill -9 with 5 agents busy: each task ends once, no call is wasted, no process is left`, async () => {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(baseDir, { recursive: true, force: true, maxRetries: 5 }))
  const calls = join(baseDir, 'calls')
  const random = randomNumbers(SEED)
  const orphans: number[] = []
  const seconds = performance.now()

  for (let round = 1; round <= KILLS; round += 1) {
    const child = owner(baseDir, calls, round)
    orphans.push((await saying(child)).orphans)
    // Anywhere in a call: before it has the prompt, during the work, after the answer.
    await pause(random(300))
    const over = ended(child)
    child.kill('SIGKILL')
    await over
    // Sometimes a call dies as well: whether it was answered cannot be known.
    const [call] = random(2) === 0 ? await listProcesses(baseDir) : []
    if (call) killIfRunning(call.pid)
  }
  const last = owner(baseDir, calls, 'settle')
  const over = ended(last)
  orphans.push((await saying(last)).orphans)
  await over

  expect(orphans).toEqual(orphans.map(() => 0))
  expect(await listProcesses(baseDir)).toEqual([])

  const ends = new Map<string, string[]>()
  let unknown = 0
  await using store = await levelStore(baseDir)
  for await (const { type, data } of store.readAll()) {
    if (type === 'TaskAccepted') ends.set(String(data.taskId), [])
    if (type === 'CallOutcomeUnknown') unknown += 1
    if (['CallSucceeded', 'TaskFailed', 'TaskCancelled'].includes(type))
      ends.get(String(data.taskId))?.push(type)
  }
  const tasks = ends.size
  expect([...ends].filter(([, types]) => types.join() !== 'CallSucceeded')).toEqual([])
  const made = (await readFile(calls, 'utf8')).trim().split('\n')
  expect(made.length).toBeGreaterThanOrEqual(tasks)
  expect(made.length).toBeLessThanOrEqual(tasks + KILLS * AGENTS)
  // No call is unknown that was not made, and nothing is asked again that is not unknown.
  expect(made.length).toBeLessThanOrEqual(tasks + unknown)

  const figures = {
    kills: KILLS,
    tasks,
    calls: made.length,
    unknown,
    seconds: (performance.now() - seconds) / 1000,
  }
  const report = process.env.FAULTS_REPORT
  if (report) await appendFile(report, `${JSON.stringify({ name: 'kill -9 of owners', ...figures })}\n`)
})
