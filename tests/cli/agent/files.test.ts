/** `agent path | files | diff | undo`, as a user types them: alone, and beside a service. */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { userName } from '../../../src/inbox/user-name.ts'
import { quickCommandLine } from '../command.ts'
import { commandsInRepository } from '../repository.ts'

test.each(['alone', 'beside a service'])(
  'an agent on a repository is created, looked at and undone %s',
  async (how) => {
    const { cli, git: user } = await commandsInRepository({
      'a.txt': 'one\n',
      '.gitignore': '.claude-agents\n',
    })
    if (how !== 'alone') {
      await cli.run(['serve', '--detach'])
      onTestFinished(async () => void (await cli.run(['serve', 'stop', '--now'])))
    }

    const created = await cli.run(['agent', 'create', 'dev', 'You are a developer.', '--repo', '.'])
    expect(created.stderr).toContain('It works in ')
    const { values: paths, stdout: workspace } = await cli.run(['agent', 'path', 'dev', '--json'])
    expect(paths[0]).toEqual({ agent: 'dev', path: (paths[0] as unknown as { path: string }).path })
    const { path } = paths[0] as unknown as { path: string }
    expect((await cli.run(['agent', 'path', 'dev'])).stdout).toBe(path)
    expect(workspace).toContain(path)
    expect((await cli.run(['agent', 'diff', 'dev'])).stderr).toContain('Nothing has changed.')

    expect((await cli.run(['agent', 'ask', 'dev', 'hello'])).exitCode).toBe(0)
    await writeFile(join(path, 'b.txt'), 'by hand\n')
    await mkdir(join(path, 'c'))
    await writeFile(join(path, 'c/\u202Eevil'), '')
    expect((await cli.run(['agent', 'ask', 'dev', 'again'])).exitCode).toBe(0)
    const diff = await cli.run(['agent', 'diff', 'dev', '--json'])
    expect(diff.values[0]).toMatchObject({
      agent: 'dev',
      base: expect.stringMatching(/^[0-9a-f]{40}$/),
      files: [
        { path: 'b.txt', status: 'added', added: 1, removed: 0 },
        { path: 'c/\u202Eevil', status: 'added', added: 0, removed: 0 },
      ],
    })
    const patch = await cli.run(['agent', 'diff', 'dev'])
    expect(patch.stdout).toContain('+by hand')
    expect((await cli.run(['agent', 'diff', 'dev', '--turn', '1'])).stderr).toContain('Nothing has changed.')
    expect((await cli.run(['agent', 'diff', 'dev', '--stat'])).stdout).not.toContain('\u202E')
    expect((await cli.run(['agent', 'files', 'dev'])).stdout).toContain('b.txt')
    expect((await cli.run(['agent', 'show', 'dev'])).stdout).toContain(path)

    expect((await cli.run(['agent', 'diff', 'dev', '--since', 'main'])).stdout).toContain('+by hand')
    const stat = await cli.run(['agent', 'diff', 'dev', '--stat'])
    expect(stat.stderr).toContain('2 files, 1 line added, 0 removed')
    const unknown = await cli.run(['agent', 'diff', 'dev', '--since', 'nope'])
    expect(unknown).toMatchObject({ exitCode: 2 })
    expect(unknown.stderr).toContain('The commit nope: there is no such commit')
    const nothing = await cli.run(['agent', 'undo', 'dev'])
    expect(nothing).toMatchObject({ exitCode: 2 })
    expect(nothing.stderr).toContain('claude-agents agent undo dev --to 0')

    const undone = await cli.run(['agent', 'undo', 'dev', '--to', '0', '--json'])
    expect(undone.values[0]).toEqual({
      agent: 'dev',
      version: expect.any(Number),
      commit: expect.stringMatching(/^[0-9a-f]{40}$/),
    })
    const restored = (await cli.run(['log', '--stream', 'agent/dev', '--json'])).values
    expect(restored.findLast(({ type }) => type === 'FilesRestored')).toMatchObject({
      data: { by: userName() },
    })
    expect((await readdir(path)).sort()).toEqual(['.git', '.gitignore', 'a.txt'])
    const tooFar = await cli.run(['agent', 'undo', 'dev', '--to', '3'])
    expect(tooFar).toMatchObject({ exitCode: 2 })
    expect(tooFar.stderr).toContain('its turns are 1 to 2')
    expect(user('status', '--porcelain')).toBe('')
    // The files of a log that a service has open are not compacted.
    if (how !== 'alone') return
    const compact = (...words: string[]) => cli.run(['log', 'compact', '--keep', '0', ...words])
    expect((await compact('--no-snapshots')).stderr).not.toContain('snapshot')
    expect((await compact('--dry-run')).stderr).toMatch(
      /snapshots? of the files of these tasks (is|are) kept. To drop them as well: --snapshots/,
    )
    expect((await compact('--snapshots')).stdout).toMatch(/, and \d+ snapshots? of files: /)
    expect((await cli.run(['log', 'verify'])).exitCode).toBe(0)
  },
)

test('a name that is made to look like other names is shown as what it is, on one line', async () => {
  const { cli } = await commandsInRepository({ 'a.txt': 'one\n', '.gitignore': '.claude-agents\n' })
  await cli.run(['agent', 'create', 'dev', 'You are a developer.', '--repo', '.'])
  const workspace = (await cli.run(['agent', 'path', 'dev'])).stdout
  const names = ['new\nline', 'a\x1b[31m.txt', 'a\u200b.txt', '\u202egnp.exe', 'tab\t', '\ra.txt']
  for (const name of names) await writeFile(join(workspace, name), 'the \u202ehidden\x1b[2J end\r\n')
  await cli.run(['agent', 'ask', 'dev', 'go'])
  const shown = ['new\\x0aline', 'a\\x1b[31m.txt', 'a\\u200b.txt', '\\u202egnp.exe', 'tab\\x09', '\\x0da.txt']
  const files = (await cli.run(['agent', 'files', 'dev'])).stdout.split('\n')
  expect(files.sort()).toEqual([...shown, '.gitignore', 'a.txt'].sort())
  const stat = (await cli.run(['agent', 'diff', 'dev', '--stat'])).stdout.split('\n').slice(1)
  expect(stat.map((line) => line.split('  ')[0]).sort()).toEqual([...shown].sort())
  const patch = (await cli.run(['agent', 'diff', 'dev'])).stdout.split('\n')
  expect(patch.filter((line) => line === '+the \\u202ehidden\\x1b[2J end')).toHaveLength(names.length)
})

test('what is no repository, and options without one, are refused before anything is created', async () => {
  const cli = await quickCommandLine()
  const create = (...words: string[]) => cli.run(['agent', 'create', 'dev', 'You are a developer.', ...words])
  expect((await create('--repo', '.')).stderr).toContain('it is not in a git repository')
  execaSync('git', ['init', '-q', '--object-format=sha256'], { cwd: cli.folder })
  const refused = await create('--repo', '.')
  expect(refused).toMatchObject({ exitCode: 2 })
  expect(refused.stderr).toContain('agents cannot work on a repository with SHA-256 objects')
  expect(refused.stderr).toContain('fast-export --all | git -C COPY fast-import')
  expect((await create('--base', 'main')).stderr).toContain('it needs --repo DIRECTORY')
  expect((await cli.run(['agent', 'list', '--json'])).values).toEqual([])
  await cli.run(['agent', 'create', 'dev', 'You are a developer.'])
  expect((await cli.run(['agent', 'diff', 'dev'])).stderr).toContain('Nothing has changed')
})
