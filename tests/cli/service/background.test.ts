/** An owner in the background: started, asked how it is, and stopped, as a person does it. */
import { spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { canMount, mountedAt } from '../../mounted.ts'
import { quickCommandLine } from '../command.ts'

/** A command line whose owner in the background does not outlive the test. */
async function background() {
  const line = await quickCommandLine()
  onTestFinished(async () => void (await line.run(['serve', 'stop', '--now'])))
  return line
}

test('an owner in the background serves other commands, tells what it does, and ends when it is stopped', async () => {
  const { folder, run } = await background()
  const baseDir = join(folder, '.claude-agents')
  const none = await run(['serve', 'status', '--json'])
  expect(none).toMatchObject({ exitCode: 3, values: [{ running: false, pid: null, baseDir }] })

  const [started] = (await run(['serve', '--detach', '--json'])).values
  expect(started).toEqual({ pid: expect.any(Number), baseDir, address: expect.stringContaining('/') })
  const { pid } = started as unknown as { pid: number }
  // In a repository, what agents are told is none of its files.
  expect(await readFile(join(baseDir, '.gitignore'), 'utf8')).toBe('*\n')
  expect((await run(['agent', 'create', 'a', 'You are a'])).exitCode).toBe(0)
  const status = await run(['serve', 'status', '--json'])
  expect(status).toMatchObject({
    exitCode: 0,
    values: [{ running: true, pid, baseDir, runner: 'claude', agents: 1, runs: 0 }],
  })
  expect(status.values[0]).toMatchObject({
    version: expect.stringMatching(/^\d+\.\d+/),
    idleMs: expect.any(Number),
  })

  // Held, a task waits for a person: the service has nothing to do.
  await run(['agent', 'ask', 'a', 'x', '--task-id', 't1', '--approval'])
  const { stdout } = await run(['serve', 'status'])
  expect(stdout).toContain('1 agent, 0 runs in progress, 1 task held (claude-agents inbox)')
  expect((await run(['serve', 'status', '--json'])).values).toMatchObject([{ held: 1, idleMs: 0 }])
  await run(['inbox', 'deny', 'task:a:t1'])

  const second = await run(['serve', '--detach'])
  expect(second).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining(`served already, by process ${pid}`),
  })
  expect(second.stderr).toMatch(/serve status.*serve stop/)
  expect(await run(['serve', 'stop'])).toMatchObject({ exitCode: 0, stdout: `Process ${pid} has stopped.` })
  expect((await run(['serve', 'status'])).exitCode).toBe(3)
  expect(await run(['serve', 'stop'])).toMatchObject({ exitCode: 0 })
  expect((await run(['serve', 'stop', '--json'])).values).toEqual([{ pid: null, baseDir, stopped: false }])
  expect(await readFile(join(baseDir, 'serve.log'), 'utf8')).toContain('as asked, once its work has ended')
})

test('an owner in the background ends by itself when it has had nothing to do for long enough', async () => {
  const { run } = await background()
  expect((await run(['serve', '--detach', '--idle-timeout', '0.001'])).exitCode).toBe(0)
  while ((await run(['serve', 'status'])).exitCode !== 3);
})

test('what keeps an owner from starting in the background is told, and nothing is left running', async () => {
  const { folder, run } = await background()
  await mkdir(join(folder, '.claude-agents'))
  await writeFile(join(folder, '.claude-agents/store.json'), JSON.stringify({ format: 99, storeId: 'x' }))
  const failed = await run(['serve', '--detach', '--json'])
  expect(failed).toMatchObject({ exitCode: 1, stdout: '' })
  expect(JSON.parse(failed.stderr)).toMatchObject({
    error: { code: 'OwnerNotStarted', message: expect.stringContaining('format 99') },
  })
})

test('a log that is a pipe or a link is refused', async () => {
  const { folder, run } = await background()
  await mkdir(join(folder, '.claude-agents'))
  spawnSync('mkfifo', [join(folder, '.claude-agents/serve.log')])
  expect(await run(['serve', '--detach'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('cannot be written to'),
  })
})

test.skipIf(process.getuid?.() === 0 && !canMount)(
  'a directory that cannot be written is told as such',
  async () => {
    const { folder, run } = await background()
    const baseDir = join(folder, '.claude-agents')
    await mkdir(baseDir, { mode: 0o500 })
    // Permissions do not stop root.
    if (canMount) mountedAt(baseDir, '-t', 'tmpfs', '-o', 'ro', 'none')
    expect(await run(['serve', '--detach'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(
        /The store .* cannot be opened: (permission denied|the disk is read-only) \((EACCES|EROFS)/,
      ),
    })
  },
)

test('a program that does not end on request is not stopped', async () => {
  const { folder, run } = await background()
  await using orchestrator = await Orchestrator.open({ baseDir: join(folder, '.claude-agents') })
  expect(await run(['serve', 'stop'])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining(`process ${process.pid}`),
  })
  expect(await orchestrator.agents()).toEqual([])
})
