/** A cluster for tests: workers as processes, a client in this one, and an auditor that reads only the log and the starts. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, vi } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import { verifyDatabase } from '../../src/store/postgres/verification.ts'
import { newDatabase } from '../postgres/database.ts'
import { temporaryDirectory } from '../store/temporary.ts'

export const IDS = Array.from({ length: 6 }, (_, index) => `a${index}`)

export interface WorkerProcess {
  readonly name: string
  readonly child: ChildProcess
  readonly exited: Promise<unknown>
  /** Its next line of output. */
  line(): Promise<Record<string, unknown>>
}

/** What a worker is to be beside its name. */
export interface WorkerSetup {
  readonly path?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly options?: object
}

export async function startCluster(database?: string, setup: WorkerSetup = {}) {
  const url = database ?? (await newDatabase())
  const folder = await temporaryDirectory()
  const calls = join(folder, 'calls')
  const worker = async (name: string, seconds = '1', own: WorkerSetup = {}): Promise<WorkerProcess> => {
    const program = join(import.meta.dirname, 'fixtures/worker.mjs')
    const child = spawn(process.execPath, [program, url, join(folder, name), calls, seconds, name], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TEST_WORKER: JSON.stringify({ ...setup, ...own }) },
    })
    const exited = once(child, 'exit')
    onTestFinished(async () => {
      child.kill('SIGCONT')
      child.kill('SIGKILL')
      await exited
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const line = async () => JSON.parse((await lines.next()).value ?? '{}')
    expect(await line()).toMatchObject({ worker: name, ready: true })
    return { name, child, exited, line }
  }
  const client = async () => {
    const orchestrator = await Orchestrator.open({
      cluster: { database: url },
      baseDir: join(folder, 'client'),
    })
    onTestFinished(() => orchestrator.close())
    return orchestrator
  }
  /** The calls that began: TASK CALL. */
  const starts = async () => (await readFile(calls, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  const started = (count: number) =>
    vi.waitFor(async () => expect((await starts()).length).toBeGreaterThanOrEqual(count), { timeout: 60_000 })
  return { url, folder, worker, client, starts, started }
}

/**
 * Nothing is lost, accepted twice or ended twice; the log is whole; and each start beyond one for each task is that of a call
 * of which the log says that its outcome is unknown.
 */
export async function audit(
  team: Orchestrator,
  { url, starts }: { readonly url: string; readonly starts: () => Promise<readonly string[]> },
  tasks: number,
) {
  const counts: Record<string, number> = {}
  const accepted = new Set<string>()
  const ended = new Set<string>()
  const begun = new Set<string>()
  for await (const { type, stream, data } of team.history.log()) {
    counts[type] = (counts[type] ?? 0) + 1
    const task = `${stream} ${data.taskId}`
    if (type === 'TaskAccepted')
      expect(accepted.size, `${task} is accepted once`).toBeLessThan(accepted.add(task).size)
    if (type === 'CallSucceeded') expect(ended.size, `${task} ends once`).toBeLessThan(ended.add(task).size)
    if (type === 'ProcessStarted') begun.add(String(data.callId))
  }
  expect([accepted.size, ended.size]).toEqual([tasks, tasks])
  const all = await starts()
  expect(all.filter((line) => !begun.has(line.split(' ')[1] ?? ''))).toEqual([])
  const extra = all.length - tasks
  expect(extra).toBeLessThanOrEqual(counts.CallOutcomeUnknown ?? 0)
  expect(await verifyDatabase(url)).toMatchObject({ ok: true, findings: [] })
  return { extra, counts }
}
