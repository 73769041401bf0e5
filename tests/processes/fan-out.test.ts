/** Ten agents on an account that allows two calls at once. Real processes that speak HTTP to a simulated model. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test, vi } from 'vitest'
import { levelStore } from '../../src/store/level/store.ts'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'

function owner(baseDir: string, url: string, what: 'ask' | 'wait'): ChildProcess {
  const program = join(import.meta.dirname, 'fixtures/fan-out-owner.mjs')
  const child = spawn(process.execPath, [program, baseDir, url, what], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once('close', resolve))

/** Resolves when it has written that many facts of a type. */
function wrote(child: ChildProcess, type: string, times: number): Promise<void> {
  let left = times
  return new Promise((resolve) => {
    if (!child.stdout) return
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line !== type) return
      left -= 1
      if (left === 0) resolve()
    })
  })
}

test.each([
  ['from beginning to end', false],
  ['with the owner killed while one of them waits', true],
])('10 of 10 get their answer, and none counts as failed: %s', async (_, killed) => {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(baseDir, { recursive: true, force: true, maxRetries: 5 }))
  await using model = await simulatedModel({
    maxInFlight: 2,
    retryAfterSeconds: 1,
    // The first answers wait until a third call has met two others, and is refused.
    reply: () => (model.refusedCount === 0 ? answer.held : answer.slow.bind(null, 300))('Hello yourself.'),
  })
  const refused = vi.waitUntil(() => model.refusedCount > 0, { timeout: 60_000 }).then(() => model.release())
  const asking = owner(baseDir, model.url, 'ask')
  if (killed) {
    await wrote(asking, 'RetryScheduled', 1)
    const over = ended(asking)
    asking.kill('SIGKILL')
    await over
    expect(await ended(owner(baseDir, model.url, 'wait'))).toBe(0)
  } else {
    asking.stdout?.resume()
    expect(await ended(asking)).toBe(0)
  }
  await refused

  const types: string[] = []
  const waits: unknown[] = []
  await using store = await levelStore(baseDir)
  for await (const { type, data } of store.readAll()) {
    types.push(type)
    if (type === 'RetryScheduled') waits.push(data.because)
  }
  expect(types.filter((type) => type === 'CallSucceeded').length).toBe(10)
  expect(types.filter((type) => /^(TaskFailed|AgentLoaded|Child|Escalated)/.test(type))).toEqual([])
  expect(waits.length).toBeGreaterThanOrEqual(1)
  // The reopened owner recovers the calls that were in flight: that is no failure either.
  expect(waits.filter((because) => because !== 'account').length).toBe(
    types.filter((type) => type === 'CallOutcomeUnknown').length,
  )
  // Each refusal was one request, without retries of the CLI after it.
  expect(model.requestCount - model.refusedCount).toBeGreaterThanOrEqual(10)
  expect(model.refusedCount).toBeLessThan(40)
})
