/**
 * The owner of five runs is killed again and again: after a restart every run ends without a further command, what was
 * answered is not asked again, and no run is ever said to be running that no process executes. Real processes; a `claude`
 * that is a shell script. KILLS sets how often (`npm run faults` does it 200 times).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { listProcesses } from '../../src/claude/process/list.ts'
import { accessForReading } from '../../src/cli/access.ts'
import { levelStore } from '../../src/store/level/store.ts'
import { repetitions } from '../repetitions.ts'
import { randomNumbers } from '../store/random-numbers.ts'

const KILLS = Math.min(200, repetitions('KILLS', { short: 1, long: 5 }))
const SEED = Number(process.env.SEED ?? 1)
const RUNS = 5

const CONFIGURATION = `workflows:
  - { name: mixed, pattern: pipeline, agents: [{ workflow: both }, a] }
  - { name: both, pattern: parallel, agents: [b, c] }
`
/** Without RxJS, which cannot be found from there. */
const MODULE = `export default (ask) => () => ask('a', { prompt: 'Do it.' })`

function owner(...words: string[]) {
  const program = join(import.meta.dirname, 'fixtures/driving-owner.mjs')
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

const busy = ({ stdout }: ChildProcess & { stdout: NodeJS.ReadableStream }) =>
  new Promise((resolve) => createInterface({ input: stdout }).once('line', resolve))
const ended = (child: ChildProcess) => new Promise((resolve) => child.once('close', resolve))

/** How many runs are running, by what any reader is told; each has a driver that lives. */
async function running(baseDir: string, driver: number | undefined): Promise<number> {
  const { orchestrator } = await accessForReading(baseDir)
  try {
    const open = await orchestrator.runs.list({ open: true })
    const wrong = open.filter(({ status, reason, ...run }) =>
      status === 'running'
        ? run.driver !== driver || reason !== null
        : run.driver !== null || reason === null,
    )
    expect(wrong).toEqual([])
    return open.filter(({ status }) => status === 'running').length
  } finally {
    await orchestrator.close()
  }
}

test(`${KILLS} times kill -9 with 5 runs of data in flight: every run ends by itself, and no answer is paid twice`, async () => {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(baseDir, { recursive: true, force: true, maxRetries: 5 }))
  await writeFile(join(baseDir, 'claude-agents.yaml'), CONFIGURATION)
  await writeFile(join(baseDir, 'flows.mjs'), MODULE)
  const calls = join(baseDir, 'calls')
  const random = randomNumbers(SEED)

  for (let round = 1; round <= KILLS; round++) {
    const child = owner(baseDir, calls, baseDir, String(round))
    await busy(child)
    if (round === 1) expect(await running(baseDir, child.pid)).toBe(RUNS)
    // Anywhere in a call or between two.
    await pause(random(150))
    const over = ended(child)
    child.kill('SIGKILL')
    await over
    expect(await running(baseDir, undefined)).toBe(0)
    const [call] = random(3) === 0 ? await listProcesses(baseDir) : []
    if (call) process.kill(call.pid, 'SIGKILL')
  }
  const last = owner(baseDir, calls, baseDir, 'settle')
  expect(await ended(last)).toBe(0)
  expect(await listProcesses(baseDir)).toEqual([])

  const { orchestrator } = await accessForReading(baseDir)
  const runs = await orchestrator.runs.list()
  await orchestrator.close()
  expect(runs.length).toBeGreaterThanOrEqual(RUNS)
  expect(runs.filter(({ status }) => status !== 'succeeded')).toEqual([])

  let [steps, unknown] = [0, 0]
  await using store = await levelStore(baseDir)
  for await (const { type } of store.readAll()) {
    if (type === 'StepSucceeded') steps++
    if (type === 'CallOutcomeUnknown') unknown++
  }
  const made = (await readFile(calls, 'utf8')).trim().split('\n').length
  // A call whose outcome nobody can know was in flight at a kill.
  expect(made).toBeLessThanOrEqual(steps + unknown)
  expect(unknown).toBeLessThanOrEqual(KILLS * RUNS)

  const figures = { kills: KILLS, runs: runs.length, steps, calls: made, unknown }
  const report = process.env.FAULTS_REPORT
  if (report)
    await appendFile(report, `${JSON.stringify({ name: 'kill -9 of owners of runs', ...figures })}\n`)
})
