/** A task's input, from the command line to the workspace and the log: once with the real `claude`. */
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { commandLine, quickCommandLine } from '../cli/command.ts'

test('files and folders are in the workspace before the call, and the log says what and where', async () => {
  await using model = await simulatedModel()
  const { run, folder } = await commandLine(model.environment)
  await writeFile(join(folder, 'notes.txt'), 'three notes')
  await mkdir(join(folder, 'source'))
  await writeFile(join(folder, 'source/a.ts'), 'export {}')
  await symlink('/etc/passwd', join(folder, 'source/secret'))
  await symlink('a.ts', join(folder, 'source/b.ts'))
  await run(['agent', 'create', 'a', 'x'])
  const asked = await run([
    'agent',
    'ask',
    'a',
    'Look',
    '--file',
    'notes.txt:docs/notes.txt',
    '--folder',
    'source',
    '--json',
  ])
  expect(asked).toMatchObject({ exitCode: 0 })
  const workspace = join(folder, '.claude-agents/agents/a/workspace')
  expect(await readFile(join(workspace, 'docs/notes.txt'), 'utf8')).toBe('three notes')
  expect((await readdir(join(workspace, 'source'))).sort()).toEqual(['a.ts', 'b.ts'])
  expect(await readFile(join(workspace, 'source/b.ts'), 'utf8')).toBe('export {}')
  const log = (await run(['log', '--json'])).values
  const placed = log.find(({ type }) => type === 'InputsPlaced') as
    | { data?: { inputs?: unknown } }
    | undefined
  expect(placed?.data?.inputs).toMatchObject([
    { kind: 'file', target: 'docs/notes.txt', bytes: 11, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    { kind: 'folder', target: 'source', files: 1, skipped: 1 },
  ])
  // What is missing is told to the user and to the model.
  const leftOut = 'source: 1 entry was left out: "secret" (a link that may lead out of it)'
  expect(asked.stderr.replaceAll('\\"', '"')).toContain(leftOut)
  expect(model.requests.at(-1)?.conversation.at(-1)?.[1]).toContain(leftOut)
  expect(log.findIndex(({ type }) => type === 'InputsPlaced')).toBeLessThan(
    log.findIndex(({ type }) => type === 'ProcessStarted'),
  )
})

test('a folder that contains the log is copied without the log and the agents', async () => {
  await using model = await simulatedModel()
  const { run, folder } = await quickCommandLine(model.environment)
  await writeFile(join(folder, 'mine.txt'), 'mine')
  await run(['agent', 'create', 'a', 'x'])
  expect(await run(['agent', 'ask', 'a', 'Look', '--folder', '.:all', '--json'])).toMatchObject({
    exitCode: 0,
  })
  expect(await readdir(join(folder, '.claude-agents/agents/a/workspace/all'))).toContain('mine.txt')
  expect(await readdir(join(folder, '.claude-agents/agents/a/workspace/all'))).not.toContain('.claude-agents')
})

test('input that cannot be placed is rejected before anything is written, or fails the task without a call', async () => {
  await using model = await simulatedModel()
  const { run } = await quickCommandLine(model.environment)
  await run(['agent', 'create', 'a', 'x'])
  const refused = [
    ['--file', '/etc/hostname:../../x'],
    ['--repo', 'ext::sh -c touch marker'],
    ['--repo', '--upload-pack=touch marker'],
    ['--repo', 'file:///etc'],
  ]
  for (const words of refused) {
    expect({ words, ...(await run(['agent', 'ask', 'a', 'x', ...words])) }).toMatchObject({
      words,
      exitCode: 2,
    })
  }
  expect((await run(['log', '--json'])).values.length).toBe(1)
  const missing = await run(['agent', 'ask', 'a', 'x', '--file', 'nowhere.txt', '--json'])
  expect(missing).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('InputNotFoundError') })
  expect(model.requestCount).toBe(0)
  expect((await run(['agent', 'show', 'a', '--json'])).values[0]).toMatchObject({ status: 'idle' })
})

test("an agent's work is not overwritten: asked again, it is refused, or kept beside with --replace", async () => {
  await using model = await simulatedModel()
  const { run, folder } = await quickCommandLine(model.environment)
  await mkdir(join(folder, 'source'))
  await writeFile(join(folder, 'source/a.ts'), 'export {}')
  await run(['agent', 'create', 'a', 'x'])
  const ask = (...words: string[]) => run(['agent', 'ask', 'a', 'Look', '--folder', 'source', ...words])
  expect(await ask()).toMatchObject({ exitCode: 0 })
  expect(await ask()).toMatchObject({ exitCode: 0 })
  const workspace = join(folder, '.claude-agents/agents/a/workspace')
  const works = (text: string) => writeFile(join(workspace, 'source/made.ts'), text)
  await works('first')
  const before = model.requestCount
  const refused = await ask()
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('new made.ts') })
  expect(refused.stderr).toContain('--replace')
  expect(model.requestCount).toBe(before)
  expect(await readFile(join(workspace, 'source/made.ts'), 'utf8')).toBe('first')

  expect(await ask('--replace')).toMatchObject({ exitCode: 0 })
  await works('second')
  expect(await ask('--set', 'orchestrator.replace_inputs=true')).toMatchObject({ exitCode: 0 })
  for (const [number, text] of ['first', 'second'].entries())
    expect(await readFile(join(workspace, `source.replaced-${number + 1}/made.ts`), 'utf8')).toBe(text)
  expect(await readdir(join(workspace, 'source'))).toEqual(['a.ts'])
  const kept = (await run(['log', '--json'])).values.flatMap(({ type, data }) =>
    type === 'InputsPlaced'
      ? (data as unknown as { inputs: { kept?: string }[] }).inputs.map((input) => input.kept)
      : [],
  )
  expect(kept).toEqual([undefined, undefined, 'source.replaced-1', 'source.replaced-2'])
})

test('a base directory in a repository is never staged', async () => {
  await using model = await simulatedModel()
  const { run, folder } = await quickCommandLine(model.environment)
  const git = (...words: string[]) => promisify(execFile)('git', words, { cwd: folder })
  await git('init', '--quiet')
  await run(['agent', 'create', 'a', 'x'])
  await git('add', '--all')
  expect((await git('status', '--porcelain', '--untracked-files=all')).stdout).toBe('')
  // In a directory with files of the user's own, git keeps seeing them.
  await writeFile(join(folder, 'mine.txt'), 'mine')
  await run(['--base-dir', '.', 'agent', 'create', 'a', 'x'])
  expect((await git('status', '--porcelain')).stdout).toContain('mine.txt')
})
