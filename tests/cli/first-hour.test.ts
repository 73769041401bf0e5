/** What made new users stop: each says what happened, to what, and what to do next. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { quickCommandLine } from './command.ts'

describe('A file that a user names', () => {
  test.each([
    ['log', 'backup', 'mine'],
    ['log', 'export', 'mine'],
    ['demo', '--output', 'mine'],
  ])('is not overwritten by %s %s unless --force says so', async (...words) => {
    const { folder, run } = await quickCommandLine()
    await run(['agent', 'create', 'a', 'You help.'])
    await writeFile(join(folder, 'mine'), 'precious')
    expect(await run(words)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/mine: it already exists.[\s\S]*--force/),
    })
    expect(await readFile(join(folder, 'mine'), 'utf8')).toBe('precious')
    expect(await run([...words, '--force'])).toMatchObject({ exitCode: 0 })
    expect(await readFile(join(folder, 'mine'), 'utf8')).not.toBe('precious')
  })

  test('may be there already if it is empty, as mktemp makes it', async () => {
    const { folder, run } = await quickCommandLine()
    await run(['agent', 'create', 'a', 'You help.'])
    await writeFile(join(folder, 'mine'), '')
    expect(await run(['log', 'backup', 'mine'])).toMatchObject({ exitCode: 0 })
  })

  test('the report of a second demo does not replace that of the first', async () => {
    const { folder, run } = await quickCommandLine()
    for (const topic of ['one', 'two']) expect((await run(['demo', topic])).exitCode).toBe(0)
    const reports = (await readdir(folder)).filter((name) => name.startsWith('research-report'))
    expect(reports.sort()).toEqual(['research-report-2.md', 'research-report.md'])
  })
})

describe('A base directory without a store', () => {
  test('is told from one that is not there, and from one that holds something else', async () => {
    const { folder, run } = await quickCommandLine()
    await mkdir(join(folder, 'empty'))
    await mkdir(join(folder, 'other'))
    await writeFile(join(folder, 'other/notes.txt'), 'x')
    const said = async (baseDir: string) => (await run(['--base-dir', baseDir, 'agent', 'list'])).stderr
    expect(await said('missing')).toMatch(/missing does not exist\. Create an agent/)
    expect(await said('empty')).toMatch(/empty is empty\. Create an agent/)
    expect(await said('other')).toMatch(/other holds no store, but other files \(notes\.txt\)/)
  })

  test.each([
    ['log', 'verify'],
    ['log', 'repair', '--to', 'new'],
    ['log', 'backup', 'file'],
    ['replay', '--verify'],
  ])('is no success of %s %s', async (...words) => {
    const { run } = await quickCommandLine()
    expect(await run(['--base-dir', 'missing', ...words])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('missing does not exist'),
    })
  })

  test('is named before what is missing in it', async () => {
    const { run } = await quickCommandLine()
    for (const words of [
      ['state', 'agent/a'],
      ['workflow', 'show', 'r'],
    ])
      expect((await run(['--base-dir', 'missing', ...words])).stderr).toContain('missing does not exist')
  })
})

test('A command that is refused leaves no store behind', async () => {
  const { folder, run } = await quickCommandLine()
  for (const words of [
    ['agent', 'create', 'not an id', 'You help.'],
    ['agent', 'create', 'a', ''],
    ['agent', 'create', 'a', 'You help.', '--tools', 'nonsense'],
    ['budget', 'set', '--usd', '3', '--agent', 'nobody'],
    ['budget', 'set', '--usd', '3', '--run', 'none'],
    ['agent', 'ask', 'a', 'x'],
    ['workflow', 'run', 'a', 'x'],
    ['workflow', 'template', 'none', 'x'],
    ['workflow', 'template', 'research', 'x', '--id', 'not an id'],
    ['workflow', 'run', '--module', 'none.mjs', 'x'],
    ['recover'],
  ])
    expect((await run(words)).stderr).not.toBe('')
  expect(await readdir(folder)).toEqual([])
})

describe('A prompt that is too large is refused when it is given:', () => {
  const large = 'x'.repeat(10_000_001)

  test.each([
    [['agent', 'ask', 'a', '-'], 'stdin'],
    [['agent', 'ask', 'a', 'Read this'], 'stdin'],
    [['agent', 'ask', 'a', 'Read this', '--text', '-'], 'stdin'],
    [['agent', 'ask', 'a', 'Read this', '--text', 'large.txt'], '--text large.txt'],
    [['workflow', 'run', 'a', '-'], 'stdin'],
  ])('%s', async (words, what) => {
    const { folder, run } = await quickCommandLine()
    await run(['agent', 'create', 'a', 'You help.'])
    await writeFile(join(folder, 'large.txt'), large)
    const { exitCode, stderr } = await run(words, words.includes('large.txt') ? '' : large)
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringMatching(new RegExp(`^error: ${what}: it is larger than the 10 MB .*\n.*--file`)),
    })
    expect((await run(['log', '--type', 'TaskAccepted', '--json'])).values).toEqual([])
  })
})

test('tail says what was meant by a type or an agent that nothing has', async () => {
  const { run } = await quickCommandLine()
  await run(['agent', 'create', 'a', 'You help.'])
  const said = async (...words: string[]) => (await run(['tail', '--no-follow', ...words])).stderr
  expect(await said('--type', 'TaskAcepted')).toContain('Did you mean TaskAccepted?')
  expect(await said('--type', 'Qwertyuiop')).toContain('No built-in actor has facts of the type "Qwertyuiop"')
  expect(await said('--agent', 'b')).toContain('There is no fact of agent/b yet')
  expect(await said('--type', 'AgentCreated')).toBe('')
})

test('late-answers of an agent that there is not is an error, and of a removed one is not', async () => {
  const { run } = await quickCommandLine()
  for (const id of ['reader', 'gone']) await run(['agent', 'create', id, 'You help.'])
  await run(['agent', 'remove', 'gone'])
  expect(await run(['late-answers', '--agent', 'raeder'])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('Did you mean "reader"?'),
  })
  for (const id of ['reader', 'gone'])
    expect(await run(['late-answers', '--agent', id])).toMatchObject({ exitCode: 0 })
})

test('The version is JSON where --json is given, wherever it stands', async () => {
  const { run } = await quickCommandLine()
  const { stdout: version } = await run(['--version'])
  for (const words of [
    ['--version', '--json'],
    ['--json', '-v'],
    ['-V', '--json'],
    ['version', '--json'],
  ])
    expect(await run(words)).toMatchObject({ exitCode: 0, values: [{ version }] })
})

test('config validate says that a file is not trusted yet, and how to change that', async () => {
  const { folder, run } = await quickCommandLine()
  await writeFile(
    join(folder, 'claude-agents.yaml'),
    'agents:\n  - { id: a, system_prompt: You help., allowed_tools: [Bash] }\n',
  )
  const before = await run(['config', 'validate'])
  expect(before).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('is valid') })
  expect(before.stderr).toMatch(/not trusted: .*claude-agents\.yaml[\s\S]*claude-agents config trust/)
  expect((await run(['config', 'validate', '--json'])).values).toMatchObject([
    { ok: true, untrusted: [{ place: expect.stringContaining('claude-agents.yaml') }] },
  ])
  await run(['config', 'trust'])
  expect((await run(['config', 'validate'])).stderr).toBe('')
  expect((await run(['config', 'validate', '--json'])).values).toMatchObject([{ untrusted: [] }])
})

test('agent list names its columns by what they count', async () => {
  const { run } = await quickCommandLine()
  await run(['agent', 'create', 'a', 'You help.'])
  await run(['agent', 'ask', 'a', 'x', '--approval'])
  expect((await run(['agent', 'list'])).stdout.split('\n').map((line) => line.split(/\s+/))).toEqual([
    ['AGENT', 'STATUS', 'OPEN', 'DONE', 'COST'],
    ['a', 'held', '1', '0', '$0.00'],
  ])
  expect((await run(['agent', 'list', '--help'])).stdout).toContain('OPEN tasks, which wait or run')
})

test('A run without a step yet has no steps, not none of none', async () => {
  const { folder, run } = await quickCommandLine()
  await run(['agent', 'create', 'a', 'You help.'])
  await writeFile(join(folder, 'none.mjs'), 'export const none = () => (tasks) => tasks\n')
  await run(['workflow', 'run', '--module', 'none.mjs', '--export', 'none', 'go', '--id', 'r'])
  expect((await run(['workflow', 'list', '--json'])).values).toMatchObject([{ runId: 'r', steps: 0 }])
  for (const words of [['list'], ['show', 'r']]) {
    const { stdout } = await run(['workflow', ...words])
    expect(stdout).toMatch(/\bno\b/)
    expect(stdout).not.toContain('0 of 0')
  }
})
