/** What people type first: the words of other programs, and commands in a folder that has nothing yet. */
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { quickCommandLine } from './command.ts'

test('ls, status, version, -v and the aliases of subcommands do what their names say', async () => {
  const { run } = await quickCommandLine()
  await run(['agent', 'create', 'a', 'You work.'])
  const { stdout: version } = await run(['--version'])
  expect(version).toMatch(/^\d+\.\d+\.\d+/)
  for (const words of [['-v'], ['-V'], ['version']])
    expect(await run(words)).toMatchObject({ exitCode: 0, stdout: version })
  const { values } = await run(['agent', 'list', '--json'])
  for (const words of [['ls'], ['agent', 'ls']])
    expect((await run([...words, '--json'])).values).toEqual(values)
  expect((await run(['status'])).stdout).toBe((await run(['top', '--once'])).stdout)
  expect((await run(['help', 'agent', 'ls'])).stdout).toContain('list agents')
  expect((await run(['--help'])).stdout).not.toMatch(/^ {2}(ls|status|version)/m)
  expect(await run(['agent', 'rm', 'a'])).toMatchObject({ exitCode: 0 })
})

test('A command for an agent in an empty folder says how to begin, and makes no store', async () => {
  const { folder, run } = await quickCommandLine()
  for (const words of [
    ['agent', 'ask', 'r', 'x'],
    ['agent', 'show', 'r'],
    ['agent', 'rm', 'r'],
    ['workflow', 'run', 'r', 'x'],
  ])
    expect(await run([...words, '--simulate'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('claude-agents --simulate agent create r'),
    })
  expect(await readdir(folder)).toEqual([])
})

test('A store in a parent folder is mentioned', async () => {
  const { folder, run } = await quickCommandLine()
  await run(['agent', 'create', 'a', 'You work.'])
  await mkdir(join(folder, 'sub'))
  const store = join(folder, '.claude-agents')
  expect((await run(['agent', 'list'], '', 'sub')).stderr).toContain(`--base-dir ${store}`)
  expect((await run(['agent', 'ask', 'a', 'x'], '', 'sub')).stderr).toContain(`--base-dir ${store}`)
})

test('log shows the last facts, of an agent, of types, since a time', async () => {
  const { run } = await quickCommandLine()
  for (const id of ['a', 'b']) await run(['agent', 'create', id, 'You work.'])
  await run(['agent', 'reset', 'b'])
  const log = async (...words: string[]) =>
    (await run(['log', '--json', ...words])).values.map(({ stream, type }) => `${stream} ${type}`)
  const all = await log()
  expect(all.length).toBeGreaterThanOrEqual(3)
  expect(await log('-n', '2')).toEqual(all.slice(-2))
  expect(await log('--agent', 'b')).toEqual(all.filter((line) => line.startsWith('agent/b')))
  expect(await log('--type', 'AgentCreated', '-n', '1')).toEqual(['agent/b AgentCreated'])
  expect(await log('--since', '1h')).toEqual(all)
  expect(await log('--since', '2100-01-01')).toEqual([])
  expect(await run(['log', '--since', 'yesterday'])).toMatchObject({ exitCode: 2 })
})
