/** Notifications on the command line: tried, checked, and delivered by commands and by `serve`. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { quickCommandLine } from '../command.ts'

const KEEP = '[/bin/sh, -c, "cat >> heard"]'

async function project(notify: string) {
  const command = await quickCommandLine({ HOOK_SECRET: 'whsec-of-mine' })
  const file = join(command.folder, 'claude-agents.yaml')
  await writeFile(file, `agents: [{ id: a, system_prompt: x }]\nnotify: ${notify}\n`)
  const heard = async () =>
    (await readFile(join(command.folder, 'heard'), 'utf8').catch(() => ''))
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  return { ...command, file, heard }
}

test('notify test says what came back from each receiver, and fails if one got nothing', async () => {
  const { run, heard } = await project(
    `[{ command: ${KEEP} }, { id: broken, command: [/bin/sh, -c, "echo no >&2; exit 3"] }, { bell: true }]`,
  )
  await run(['config', 'trust'])
  const { exitCode, values } = await run(['notify', 'test', '--json'])
  expect(exitCode).toBe(1)
  expect(values).toMatchObject([
    {
      receiver: expect.stringMatching(/^command-[0-9a-f]{8}$/),
      name: '/bin/sh',
      delivered: true,
      said: 'exit code 0',
    },
    { receiver: 'broken', delivered: false, said: 'exit code 3: no' },
    { receiver: 'bell', name: 'the bell of the terminal', delivered: true, said: 'there is no terminal' },
  ])
  expect(await heard()).toMatchObject([{ type: 'test' }])
  const { stdout } = await run(['notify', 'test'])
  expect(stdout).toContain('✗ broken (/bin/sh): exit code 3: no')
})

test('notify test without receivers says where they are named', async () => {
  const { run } = await quickCommandLine()
  const { exitCode, stderr } = await run(['notify', 'test'])
  expect(exitCode).toBe(2)
  expect(stderr).toContain('names no receiver of notifications')
})

test('A repository cannot run a command or call a webhook through notify until its file is trusted', async () => {
  for (const receiver of [`{ command: ${KEEP} }`, '{ webhook: { url: "http://127.0.0.1:1/SECRET" } }']) {
    const { run, heard } = await project(`[${receiver}]`)
    for (const words of [
      ['notify', 'test'],
      ['agent', 'ask', 'a', 'x'],
      ['serve', '--idle-timeout', '0.01'],
    ]) {
      const { exitCode, stderr } = await run(words)
      expect(exitCode).toBe(1)
      expect(stderr).toContain('claude-agents config trust')
      expect(stderr).not.toContain('SECRET')
    }
    expect(await heard()).toEqual([])
  }
})

test('A command that asks notifies; one that does not leaves it to the next', async () => {
  const { run, heard } = await project(`[{ command: ${KEEP} }]`)
  await run(['config', 'trust'])
  expect((await run(['--simulate', 'agent', 'ask', 'a', 'x', '--task-id', 't1'])).exitCode).toBe(0)
  expect(await heard()).toMatchObject([{ type: 'done', taskId: 't1', agent: 'a' }])
  await run(['budget', 'set', '--usd', '0.000001'])
  const told = await heard()
  await run(['--simulate', 'agent', 'ask', 'a', 'x', '--task-id', 't2'])
  expect(told).toHaveLength(1)
  const [, ...others] = await heard()
  expect(others.map(({ type }) => type)).toContain('held')
})

test('serve tells what other commands ask of it, and what happened before it', async () => {
  const { run, start, heard, file } = await project(`[{ command: ${KEEP}, on: [done] }]`)
  await run(['config', 'trust'])
  await run(['--simulate', 'agent', 'ask', 'a', 'x', '--task-id', 't1'])
  // One that opens the store without the receiver.
  const other = join(file, '..', 'other.yaml')
  await writeFile(other, 'agents: [{ id: a, system_prompt: x }]\n')
  await run(['--config', other, '--simulate', 'agent', 'ask', 'a', 'x', '--task-id', 't2'])
  const serving = start('--simulate', 'serve', '--json')
  await new Promise((resolve) => serving.stdout.once('data', resolve))
  await run(['--simulate', 'agent', 'ask', 'a', 'x', '--task-id', 't3'])
  await run(['serve', 'stop'])
  expect((await serving).exitCode).toBe(0)
  expect((await heard()).map(({ taskId }) => taskId)).toEqual(['t1', 't2', 't3'])
})

test('An owner that is killed right after a delivery is followed by one that delivers it again', async () => {
  const kill = 'cat >> heard; if mkdir killed; then kill -9 $PPID; fi'
  const { start, run, heard } = await project(`[{ command: [/bin/sh, -c, "${kill}"] }]`)
  await run(['config', 'trust'])
  const serve = async () => {
    const serving = start('--simulate', 'serve', '--json')
    await new Promise((resolve) => serving.stdout.once('data', resolve))
    return { ended: serving }
  }
  const killed = await serve()
  await run(['--simulate', 'agent', 'ask', 'a', 'x', '--task-id', 't1'])
  expect((await killed.ended).signal).toBe('SIGKILL')
  const next = await serve()
  await run(['--simulate', 'agent', 'ask', 'a', 'x', '--task-id', 't2'])
  await run(['serve', 'stop'])
  expect((await next.ended).exitCode).toBe(0)
  const [first, again, ...others] = await heard()
  expect(again).toEqual(first)
  expect([first, ...others].map(({ taskId }) => taskId)).toEqual(['t1', 't2'])
})

test('doctor says which receiver cannot be notified, and config validate how many there are', async () => {
  const { run, folder } = await project(
    '[{ bell: true }, { id: hook, webhook: { url: "https://example.com", secret: { env: NOT_SET } } }]',
  )
  await mkdir(join(folder, '.claude-agents'))
  await run(['config', 'trust'])
  const { values } = await run(['doctor', '--json'])
  expect(values).toContainEqual(
    expect.objectContaining({
      name: 'notify',
      status: 'warning',
      message: 'hook: the variable NOT_SET is not set',
    }),
  )
  expect((await run(['config', 'validate'])).stdout).toContain(
    '1 agent, 0 workflows, 2 receivers of notifications',
  )
  expect((await run(['config', 'show'])).stdout).toContain('notify: bell, hook')
})
