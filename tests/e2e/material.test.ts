/** A task's input, from the command line to the workspace and the log, with the real `claude`. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { commandLine } from '../cli/command.ts'

test('files and folders are in the workspace before the call, and the log says what and where', async () => {
  await using model = await simulatedModel()
  const { run, folder } = await commandLine(model.environment)
  await writeFile(join(folder, 'notes.txt'), 'three notes')
  await mkdir(join(folder, 'source'))
  await writeFile(join(folder, 'source/a.ts'), 'export {}')
  await symlink('/etc/passwd', join(folder, 'source/secret'))
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
  expect(await readdir(join(workspace, 'source'))).toEqual(['a.ts'])
  const log = (await run(['log', '--json'])).values
  const placed = log.find(({ type }) => type === 'InputsPlaced') as
    | { data?: { inputs?: unknown } }
    | undefined
  expect(placed?.data?.inputs).toMatchObject([
    { kind: 'file', target: 'docs/notes.txt', bytes: 11, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    { kind: 'folder', target: 'source', files: 1, skipped: 1 },
  ])
  expect(log.findIndex(({ type }) => type === 'InputsPlaced')).toBeLessThan(
    log.findIndex(({ type }) => type === 'ProcessStarted'),
  )
})

test('a folder that contains the log is copied without the log and the agents', async () => {
  await using model = await simulatedModel()
  const { run, folder } = await commandLine(model.environment)
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
  const { run } = await commandLine(model.environment)
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
