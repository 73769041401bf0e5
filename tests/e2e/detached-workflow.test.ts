/**
 * A team that works while you sleep: begun with `--detach`, watched from another terminal, its owner killed, and still
 * finished and paid for once. Real processes, the real `claude`, and a model on loopback.
 */
import { expect, onTestFinished, test, vi } from 'vitest'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { commandLine } from '../cli/command.ts'

/** The kernel takes a moment to end a process. */
const PATIENCE = { timeout: 20_000, interval: 50 }

test('a detached workflow is attached to, loses its owner, and is waited for: one answer a step', async () => {
  await using model = await simulatedModel({
    reply: [answer.held('What is known.'), 'What it means.', 'The report.'],
  })
  const cli = await commandLine(model.environment)
  const begun = await cli.run(['workflow', 'template', 'research', 'coral reefs', '--detach', '--json'])
  expect(begun).toMatchObject({ exitCode: 0 })
  const { runId } = begun.values[0] as unknown as { runId: string }
  onTestFinished(async () => void (await cli.run(['serve', 'stop', '--now'])))

  const owner = (await cli.run(['serve', 'status', '--json'])).values[0] as unknown as { pid: number }
  const attached = cli.start('attach', runId, '--json')
  onTestFinished(() => void attached.kill('SIGKILL'))
  await model.waitForRequest(1)
  process.kill(owner.pid, 'SIGKILL')
  model.release()
  await vi.waitFor(async () => expect((await cli.run(['serve', 'status'])).exitCode).toBe(3), PATIENCE)

  expect((await cli.run(['serve', '--detach'])).exitCode).toBe(0)
  const waited = await cli.run(['wait', runId, '--timeout', '60', '--json'])
  expect(waited).toMatchObject({ exitCode: 0 })
  expect(waited.values[0]).toMatchObject({ runId, success: true })
  expect(JSON.stringify(waited.values[0])).toContain('The report.')
  expect(model.requestCount).toBe(3)
  const [run] = (await cli.run(['workflow', 'list', '--json'])).values
  expect(run).toMatchObject({ runId, status: 'succeeded', driver: null, reason: null, topic: 'coral reefs' })
  // Who watched saw all of it, over both owners.
  const seen = (await attached).stdout.split('\n').map((line) => JSON.parse(line) as { type: string })
  expect(seen.map(({ type }) => type)).toContain('RunSucceeded')
})
