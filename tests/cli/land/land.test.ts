/** `land` as a user types it, with real git: a line whenever an entry changes, the exit code, and the queue that outlives it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { commandsInRepository } from '../repository.ts'

async function world() {
  const { cli, git } = await commandsInRepository({ 'a.txt': 'one\n' })
  /** An agent whose work is one file, made by hand. */
  const agent = async (id: string, file: string) => {
    const made = await cli.run(['agent', 'create', id, 'You work.', '--repo', '.'])
    expect(made.exitCode).toBe(0)
    const { stdout } = await cli.run(['agent', 'path', id])
    await writeFile(join(stdout.trim(), file), `${id}\n`)
  }
  return { ...cli, git, agent }
}

test('land prints a line whenever an entry changes, and exits with 1 if one was set aside', async () => {
  const { run, git, agent } = await world()
  await agent('dev', 'b.txt')
  await agent('bad', 'c.txt')
  const landed = await run(['land', 'dev', '--gate', 'test -f b.txt', '--squash', '--json'])
  expect([landed.exitCode, landed.values.map(({ status }) => status)]).toEqual([
    0,
    ['queued', 'merging', 'gating', 'landed'],
  ])
  const entry = String(landed.values[0]?.entry)
  const commit = git('rev-parse', 'main')
  expect(landed.values.at(0)).toEqual({
    entry,
    agent: 'dev',
    status: 'queued',
    target: 'main',
    commit: null,
    reason: null,
  })
  expect(landed.values.at(-1)).toEqual({
    entry,
    agent: 'dev',
    status: 'landed',
    target: 'main',
    commit,
    reason: null,
  })
  expect(git('status', '--porcelain')).toBe('')

  const failed = await run(['land', 'bad', '--gate', 'echo it is red; test ! -f c.txt', '--json'])
  expect(failed.exitCode).toBe(1)
  expect(failed.values.map(({ status }) => status)).toContain('mending')
  expect(failed.values.at(-1)).toMatchObject({ status: 'set-aside', commit: null })
  expect(git('rev-parse', 'main')).toBe(commit)

  const status = await run(['land', '--status', '--json'])
  expect(status.values.map(({ agent: id, status: is }) => [id, is])).toEqual([
    ['dev', 'landed'],
    ['bad', 'set-aside'],
  ])
  expect((await run(['land', '--status'])).stdout).toMatch(/^ENTRY +AGENT +STATUS +INTO +REASON/)
  const cancelled = await run(['land', '--cancel', entry, '--json'])
  expect(cancelled.values).toMatchObject([{ entry, status: 'landed' }])
  const givenUp = [
    'land',
    '--cancel',
    String(failed.values.at(-1)?.entry),
    '--by',
    'ada',
    '--reason',
    'not needed',
  ]
  expect((await run([...givenUp, '--json'])).values).toMatchObject([
    { status: 'cancelled', reason: 'by ada: not needed' },
  ])
})

test('work that waits beside its branch is not said to be on it', async () => {
  const { folder, run, git, agent } = await world()
  await agent('dev', 'b.txt')
  await writeFile(join(folder, 'a.txt'), 'by the user\n')
  const { exitCode, stdout } = await run(['land', 'dev'])
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(
    / {2}landed as [0-9a-f]{12}\n {2}main is checked out in .* merge claude-agents\/landed\/main$/,
  )
  expect(git('ls-tree', '--name-only', 'main')).toBe('a.txt')
})

test('what one command takes over is said once, and why a gate failed with what it has printed', async () => {
  const { folder, run, agent } = await world()
  await agent('one', 'b.txt')
  await agent('two', 'c.txt')
  await writeFile(join(folder, 'a.txt'), 'by the user\n')
  const beside = await run(['land', 'one', 'two'])
  expect(beside.stdout.match(/To take it over/g)).toHaveLength(1)
  const gate = 'echo first; echo it is red >&2; false'
  const failed = await run(['land', 'two', '--gate', gate])
  await agent('three', 'd.txt')
  const red = await run(['land', 'three', '--gate', gate])
  expect(failed.exitCode).toBe(0)
  expect(red.exitCode).toBe(1)
  expect(red.stdout).toMatch(
    /\n {2}the gate failed: echo first; .* asked 2 times to fix it:\n {2}first\n {2}it is red\n/,
  )
  // While it is fixed, and at the end.
  expect(red.stdout.match(/it is red\n/g)).toHaveLength(2)
  expect(red.stdout).toMatch(/\n {2}All that it printed: .*\/landing\.git\/output\/[0-9a-f]{12}\.txt$/)
  expect((await run(['land', '--status'])).stdout).not.toContain('All that it printed')
})

test('land refuses what it cannot do, and says what to type', async () => {
  const { run, agent } = await world()
  await agent('dev', 'b.txt')
  expect(await run(['land'])).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('land --status') })
  expect(await run(['land', 'dev', '--status'])).toMatchObject({ exitCode: 2 })
  expect(await run(['land', '--status', '--cancel', 'x'])).toMatchObject({ exitCode: 2 })
  expect(await run(['land', 'dev', '--reason', 'x'])).toMatchObject({ exitCode: 2 })
  expect(await run(['land', 'dve'])).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('"dev"') })
  expect(await run(['land', 'nope'])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/No agent "nope", and no run\..*claude-agents workflow list/s),
  })
  expect(await run(['land', '--cancel', 'x'])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('No landing queue has the entry "x"'),
  })
  await run(['agent', 'create', 'free', 'You work.'])
  expect(await run(['land', 'free'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('it does not work on a repository'),
  })
})

test('Ctrl-C of a client leaves the queue to its owner', async () => {
  const { folder, run, start, git, agent } = await world()
  await agent('dev', 'b.txt')
  await run(['serve', '--detach'])
  onTestFinished(async () => void (await run(['serve', 'stop', '--now'])))
  const go = join(folder, '.claude-agents/go')
  const client = start('land', 'dev', '--gate', `while [ ! -e ${go} ]; do sleep 0.05; done`, '--json')
  for await (const line of createInterface({ input: client.stdout }))
    if (JSON.parse(line).status === 'gating') break
  client.kill('SIGINT')
  const { exitCode, stderr } = await client
  expect([exitCode, stderr]).toEqual([130, expect.stringContaining('The queue stays as it is.')])
  await writeFile(go, '')
  // What was queued first lands first.
  const { values } = await run(['land', 'dev', '--json'])
  expect(values.at(-1)).toMatchObject({ status: 'landed' })
  expect(git('ls-tree', '--name-only', 'main')).toContain('b.txt')
  const all = await run(['land', '--status', '--json'])
  expect(all.values.map(({ status }) => status)).toEqual(['landed', 'landed'])
})

test('land is finished by the next owner if its own ends', async () => {
  const { folder, run, start, git, agent } = await world()
  await agent('dev', 'b.txt')
  await run(['serve', '--detach'])
  const go = join(folder, '.claude-agents/go')
  const client = start('land', 'dev', '--gate', `while [ ! -e ${go} ]; do sleep 0.05; done`, '--json')
  for await (const line of createInterface({ input: client.stdout }))
    if (JSON.parse(line).status === 'gating') break
  await run(['serve', 'stop', '--now'])
  await writeFile(go, '')
  expect(await client).toMatchObject({ exitCode: 0 })
  expect(git('log', '-1', '--format=%s')).toBe('Merge claude-agents/dev')
})
