import { mkdtempSync } from 'node:fs'
import { chmod, lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { expect, test } from 'vitest'
import { FileHistory } from '../../../src/workspaces/files/file-history.ts'
import { FilesRepository } from '../../../src/workspaces/files/repository.ts'
import {
  addWorktree,
  commitOf,
  excludesOf,
  resetIndex,
  userRepository,
} from '../../../src/workspaces/files/worktree.ts'

const by = { author: 'dev', at: new Date('2026-01-02T03:04:05Z') }
const user = (cwd: string, ...command: string[]) =>
  execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], { cwd }).stdout

async function bytesOf(directory: string): Promise<Record<string, string>> {
  const seen: Record<string, string> = {}
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if ((await lstat(path)).isFile()) seen[path.slice(directory.length + 1)] = await readFile(path, 'latin1')
  }
  return seen
}

test('an agent gets the files of a commit, and nothing of a hostile repository runs', async () => {
  const base = mkdtempSync(join(tmpdir(), 'worktree-'))
  const repo = join(base, 'repo')
  await mkdir(join(repo, 'src'), { recursive: true })
  user(repo, 'init', '-q', '-b', 'main')
  const evil = join(base, 'evil')
  const ran = join(base, 'ran')
  await writeFile(evil, `#!/bin/sh\necho "$0 $*" >> ${ran}\ncat\n`, { mode: 0o755 })
  await writeFile(join(repo, '.gitattributes'), '* filter=evil diff=evil text eol=crlf\n')
  await writeFile(join(repo, '.gitignore'), 'node_modules\n')
  await writeFile(join(repo, 'src/a.txt'), 'one\ntwo\n')
  user(repo, 'add', '-A')
  user(repo, 'commit', '-qm', 'first')
  for (const hook of [
    'post-checkout',
    'pre-commit',
    'reference-transaction',
    'post-index-change',
    'fsmonitor',
  ]) {
    await writeFile(join(repo, '.git/hooks', hook), `#!/bin/sh\necho ${hook} >> ${ran}\n`)
    await chmod(join(repo, '.git/hooks', hook), 0o755)
  }
  for (const [key, value] of Object.entries({
    'filter.evil.smudge': evil,
    'filter.evil.clean': evil,
    'filter.evil.required': 'true',
    'core.fsmonitor': evil,
    'diff.evil.textconv': evil,
    'core.hooksPath': join(repo, '.git/hooks'),
  }))
    await writeFile(
      join(repo, '.git/config'),
      `[${key
        .split('.')
        .slice(0, -1)
        .join(' "')
        .replace(/( ".*)$/, '$1"')}]\n\t${key.split('.').at(-1)} = ${value}\n`,
      { flag: 'a' },
    )
  await writeFile(join(repo, 'src/a.txt'), 'dirty\n')
  await writeFile(join(repo, 'untracked'), 'mine\n')
  const before = await bytesOf(repo)

  const repository = await userRepository(join(repo, 'src'))
  expect(repository.path).toBe(repo)
  const commit = await commitOf(repository, 'HEAD')
  const directory = join(base, 'agents/dev/workspace')
  await addWorktree({ repository, directory, branch: 'claude-agents/dev', commit })
  await resetIndex(directory)
  const ours = new FilesRepository(join(base, 'files.git'))
  await ours.prepare()
  await ours.keepBase(commit, repository)
  const ignored = { excludes: excludesOf(repository) }
  const history = new FileHistory({ repository: ours, agent: 'dev', directory, ignored })
  await history.restore(commit, 'the base', by)
  expect(await readFile(join(directory, 'src/a.txt'), 'utf8')).toBe('one\ntwo\n')

  await mkdir(join(directory, 'node_modules'))
  await writeFile(join(directory, 'node_modules/x'), 'ignored')
  await writeFile(join(directory, 'src/b.txt'), 'new\n')
  const saved = await history.save('after', by)
  expect(saved).toMatchObject({ added: 1, changed: 0, removed: 0 })
  expect(await history.changes(commit, saved.commit)).toEqual([
    { path: 'src/b.txt', status: 'added', added: 1, removed: 0 },
  ])
  await history.restore(commit, 'undo', by)
  expect(await readFile(join(directory, 'node_modules/x'), 'utf8')).toBe('ignored')
  await expect(lstat(join(directory, 'src/b.txt'))).rejects.toThrow('ENOENT')

  const after = await bytesOf(repo)
  const isOurs = (path: string) =>
    /^\.git\/(worktrees|refs\/(heads\/claude-agents|claude-agents)|logs\/refs\/heads\/claude-agents)\//.test(
      path,
    )
  expect(Object.fromEntries(Object.entries(after).filter(([path]) => !isOurs(path)))).toEqual(before)
  await expect(readFile(ran, 'utf8')).rejects.toThrow('ENOENT')
})

test('an agent can return to its branch after its worktree was lost and made elsewhere', async () => {
  const base = mkdtempSync(join(tmpdir(), 'worktree-'))
  const repo = join(base, 'repo')
  await mkdir(repo)
  user(repo, 'init', '-q', '-b', 'main')
  user(repo, 'commit', '-qm', 'first', '--allow-empty')
  const place = {
    repository: await userRepository(repo),
    branch: 'claude-agents/dev',
    commit: user(repo, 'rev-parse', 'HEAD'),
  }
  const directoryIn = (name: string) => join(base, name, 'agents/dev/workspace')
  const after = directoryIn('moved')
  await addWorktree({ ...place, directory: directoryIn('base') })
  await rm(join(base, 'base'), { recursive: true })
  await addWorktree({ ...place, directory: after })
  user(after, 'switch', '-q', '--detach')
  user(after, 'switch', '-q', place.branch)
  expect(user(after, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe(place.branch)
})
