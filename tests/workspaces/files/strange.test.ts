/** Agents on repositories of every kind, broken off at any step, and whatever agent and user do to them. */
import { existsSync, mkdtempSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { execaSync } from 'execa'
import { expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import { WorkspaceError } from '../../../src/events/errors/workspace.ts'
import { filesOperations } from '../../../src/workspaces/files/operations.ts'
import type { FilesPlace } from '../../../src/workspaces/files/place.ts'
import { isLong } from '../../repetitions.ts'

const user = (cwd: string, ...command: string[]) =>
  execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], { cwd }).stdout

async function world(...init: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'strange-'))
  const repo = join(folder, 'repo')
  await mkdir(repo)
  user(repo, 'init', '-q', '-b', 'main', ...init)
  await writeFile(join(repo, 'a.txt'), 'one\n')
  await writeFile(join(repo, '.gitignore'), 'build\n')
  user(repo, 'add', '-A')
  user(repo, 'commit', '-qm', 'first')
  const base = join(folder, 'base')
  const directories = {
    workspace: join(base, 'agents/dev/workspace'),
    home: join(base, 'agents/dev/home'),
    base,
  }
  const place = async (options: { branch?: string; base?: string } = {}) => ({
    agent: 'dev',
    directories,
    workspace: await filesOperations(systemClock).resolve({
      repo,
      base: 'HEAD',
      branch: 'claude-agents/dev',
      ...options,
    }),
  })
  return { folder, repo, base, workspace: directories.workspace, place }
}

const another = () => filesOperations(systemClock)
const restore = (place: FilesPlace, commit: string) =>
  another().restore(
    place,
    () => commit,
    'undo',
    async (restored) => restored,
  )
const filesIn = async (directory: string) =>
  (await readdir(directory)).filter((name) => name !== '.git').sort()

test('a submodule is neither laid out nor removed', async () => {
  const { repo, workspace, place } = await world()
  user(repo, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},sub`)
  user(repo, 'commit', '-qm', 'a submodule')
  const at = await place()
  await another().save(at, 'first')
  await writeFile(join(workspace, 'b.txt'), 'new\n')
  const saved = await another().save(at, 'second')
  expect(await another().changes(at, at.workspace.commit, saved.commit)).toMatchObject([{ path: 'b.txt' }])
  expect(await another().commit(at, saved, 'work')).not.toBeNull()
  expect(user(repo, 'diff', '--name-only', 'main', 'claude-agents/dev')).toBe('b.txt')
  await restore(at, at.workspace.commit)
  expect(await filesIn(workspace)).toEqual(['.gitignore', 'a.txt'])
})

test('a worktree whose files a crash has not laid out, or in part, is completed', async () => {
  const { base, workspace, place } = await world()
  const at = await place()
  await another().save(at, 'first')
  // As after a crash: the worktree is there, its files are not.
  await rm(join(workspace, 'a.txt'))
  await rm(join(base, 'files.git/agents/dev'), { recursive: true })
  await another().save(at, 'again')
  expect(await filesIn(workspace)).toEqual(['.gitignore', 'a.txt'])
})

test('locks that a killed process left do not stop the next one', async () => {
  const { base, workspace, place } = await world()
  const at = await place()
  await another().save(at, 'first')
  await writeFile(join(workspace, 'b.txt'), '')
  await writeFile(join(base, 'files.git/agents/dev/index.lock'), '')
  await writeFile(join(base, 'files.git/refs/agents/dev.lock'), '')
  expect(await another().save(at, 'second')).toMatchObject({ added: 1 })
})

/** Kills the git of ours that is started as the `victim`th one, which has locked what it writes. */
async function deadlyGit(folder: string) {
  const [bin, count] = [join(folder, 'bin'), join(folder, 'started')]
  const real = execaSync('sh', ['-c', 'command -v git']).stdout
  await mkdir(bin)
  await writeFile(
    join(bin, 'git'),
    `#!/bin/sh
[ -n "$GIT_DIR" ] || exec '${real}' "$@"
echo "$*" >> '${count}'
if [ "$(wc -l < '${count}')" -eq "$(cat '${count}.victim')" ]; then
  case "$*" in
    *update-index*|*read-tree*) : > "$GIT_INDEX_FILE.lock" ;;
    *fast-import*) mkdir -p "$GIT_DIR/refs/agents" && : > "$GIT_DIR/refs/agents/dev.lock" ;;
  esac
  kill -KILL $$
fi
exec '${real}' "$@"
`,
    { mode: 0o755 },
  )
  const { PATH } = process.env
  /** How many were started. */
  return async (victim: number, work: () => Promise<void>) => {
    await writeFile(count, '')
    await writeFile(`${count}.victim`, String(victim))
    vi.stubEnv('PATH', `${bin}${delimiter}${PATH}`)
    try {
      await work()
    } catch (error) {
      const died = (await readFile(count, 'utf8')).split('\n')[victim - 1]
      throw new Error(`after a kill of: git ${died}`, { cause: error })
    } finally {
      vi.unstubAllEnvs()
    }
    return (await readFile(count, 'utf8')).split('\n').length - 1
  }
}

test('a git that is killed has said nothing: whichever it is, what it was for is done again, with the same outcome', async () => {
  const { folder, base, repo, workspace, place } = await world()
  const counted = await deadlyGit(folder)
  let died = 0
  const work = async () => {
    await rm(base, { recursive: true, force: true })
    user(repo, 'worktree', 'prune')
    user(repo, 'branch', '-f', 'claude-agents/dev', 'main')
    user(repo, 'branch', '-D', 'claude-agents/dev')
    const files = another()
    const again = async <T>(step: () => Promise<T>): Promise<T> => {
      try {
        return await step()
      } catch (error) {
        if (!(error instanceof WorkspaceError && error.retryable)) throw error
        died += 1
        return step()
      }
    }
    const at = await again(() => place())
    const first = await again(() => files.save(at, 'first'))
    await mkdir(join(workspace, 'build'))
    await writeFile(join(workspace, 'build/x'), 'built\n')
    // Of 70 new files, git is asked to note the times.
    for (let index = 0; index < 70; index++) await writeFile(join(workspace, `n${index}`), `${index}`)
    await writeFile(join(workspace, '.gitignore'), '')
    const second = await again(() => files.save(at, 'second'))
    expect(second).toMatchObject({ added: 71, changed: 1, removed: 0 })
    await again(() =>
      files.restore(
        at,
        () => first.commit,
        'undo',
        async (restored) => restored,
      ),
    )
    // What is ignored again is not touched.
    expect(await filesIn(workspace)).toEqual(['.gitignore', 'a.txt', 'build'])
    expect(await readFile(join(workspace, 'build/x'), 'utf8')).toBe('built\n')
    await writeFile(join(workspace, 'a.txt'), 'two\n')
    const third = await again(() => files.save(at, 'third'))
    expect(third).toMatchObject({ added: 0, changed: 1, removed: 0 })
    expect(await again(() => files.commit(at, third, 'work'))).not.toBeNull()
    expect(user(repo, 'diff', '--name-only', 'main', 'claude-agents/dev')).toBe('a.txt')
  }
  const all = await counted(0, work)
  expect(all).toBeGreaterThan(20)
  const every = isLong ? 1 : 12
  for (let victim = 1; victim <= all; victim += every) await counted(victim, work)
  expect(died).toBeGreaterThan(all / every / 2)
})

test('what the rules of a snapshot ignore is not touched when it is brought back, whatever its name', async () => {
  const { repo, workspace, place } = await world()
  await writeFile(join(repo, '.gitignore'), '*.log\n')
  user(repo, 'commit', '-qam', 'rules')
  const at = await place()
  const { commit } = await another().save(at, 'first')
  await writeFile(join(workspace, '.gitignore'), '')
  const ignored = [':(glob)x.log', ':!y.log', '*.log', ' z.log', '\n.log', '-.log']
  for (const name of [...ignored, ':(glob)x', '*']) await writeFile(join(workspace, name), name)
  expect(await another().save(at, 'second')).toMatchObject({ added: 8 })
  await restore(at, commit)
  expect(await filesIn(workspace)).toEqual([...ignored, '.gitignore', 'a.txt'].sort())
})

test('an index that is gone is made again, and does not hide what was removed', async () => {
  const { base, workspace, place } = await world()
  const at = await place()
  await another().save(at, 'first')
  await rm(join(base, 'files.git/agents/dev/index'))
  await rm(join(workspace, 'a.txt'))
  expect(await another().save(at, 'second')).toMatchObject({ added: 0, changed: 0, removed: 1 })
})

test('a branch of the user, or one that is checked out elsewhere, is not taken', async () => {
  const { folder, repo, place } = await world()
  await expect(another().save(await place({ branch: 'main' }), 'first')).rejects.toThrow(
    'already has a branch',
  )
  const other = await place()
  const directories = {
    workspace: join(folder, 'other/workspace'),
    home: join(folder, 'other/home'),
    base: join(folder, 'other'),
  }
  await another().save(other, 'first')
  await expect(another().save({ ...other, directories }, 'first')).rejects.toThrow('is checked out in')
  for (const [branch, problem] of [
    ['main/dev', 'git cannot make it next to the branch main:'],
    ['claude-agents/dev/more', 'git cannot make it next to the branch claude-agents/dev:'],
    ['claude-agents', 'git cannot make it next to the branch claude-agents/dev:'],
    ['a..b', 'git does not allow this name'],
    [`a/${'b'.repeat(251)}/c`, 'a part of its name is longer than 250 bytes'],
    ['ü'.repeat(126), 'a part of its name is longer than 250 bytes'],
  ] as const) {
    const saved = another().save({ ...(await place({ branch })), directories }, 'first')
    await expect(saved, branch).rejects.toThrow(InvalidInputError)
    const named = branch.length > 40 ? `${branch.slice(0, 40)}...` : branch
    await expect(saved, branch).rejects.toThrow(`The branch ${named}: ${problem}`)
  }
  for (const branch of [`a/${'b'.repeat(250)}`, 'ü'.repeat(125)])
    await another().save(await place({ branch }), 'first')
  expect(user(repo, 'status', '--porcelain', '--untracked-files=no')).toBe('')
})

test.each([
  ['deleted', async (git: string) => rm(git)],
  [
    'replaced',
    async (git: string) => {
      await rm(git)
      execaSync('git', ['init', '-q'], { cwd: join(git, '..') })
    },
  ],
])('an agent that has %s its .git keeps its files, and can be removed', async (how, done) => {
  const { repo, workspace, place } = await world()
  const at = await place()
  await another().save(at, 'first')
  await writeFile(join(workspace, 'b.txt'), '')
  await done(join(workspace, '.git'))
  const saved = await another().save(at, 'second')
  expect(saved).toMatchObject({ added: 1, removed: 0 })
  const commit = await another().commit(at, saved, 'work')
  if (how === 'deleted') expect(commit).not.toBeNull()
  await another().release(at)
  expect(user(repo, 'worktree', 'list').split('\n')).toHaveLength(1)
})

test('an agent whose repository is gone can be removed', async () => {
  const { repo, place } = await world()
  const at = await place()
  await another().save(at, 'first')
  await rename(repo, `${repo}-moved`)
  await another().release(at)
})

test('a repository with SHA-256 objects is refused', async () => {
  const { place } = await world('--object-format=sha256')
  await expect(place()).rejects.toThrow('SHA-256')
})

test('a link under the name .gitmodules stops nothing', async () => {
  const { workspace, place } = await world()
  const at = await place()
  await another().save(at, 'first')
  await symlink('/etc/passwd', join(workspace, '.gitmodules'))
  await another().save(at, 'second')
  await writeFile(join(workspace, 'b.txt'), '')
  expect(await another().save(at, 'third')).toMatchObject({ added: 1 })
})

test('a commit is brought to a shallow and hostile repository, and starts nothing there', async () => {
  const { folder, repo, workspace, place } = await world()
  user(repo, 'commit', '-qm', 'second', '--allow-empty')
  const ran = join(folder, 'ran')
  await rename(repo, `${repo}-full`)
  user(folder, 'clone', '-q', '--depth=1', `file://${repo}-full`, repo)
  const evil = `sh -c 'echo ran >> ${ran}'`
  for (const [key, value] of [
    ['core.alternateRefsCommand', `echo ran >> ${ran}; true`],
    ['core.sshCommand', evil],
    ['uploadpack.packObjectsHook', evil],
    [`remote.${join(folder, 'base/files.git')}.uploadpack`, `${evil}; git-upload-pack`],
    ['gpg.program', evil],
    ['commit.gpgSign', 'true'],
  ] as const)
    user(repo, 'config', key, value)
  await writeFile(join(repo, '.git/objects/info/alternates'), `${repo}-full/.git/objects\n`)
  const at = await place()
  await another().save(at, 'first')
  await writeFile(join(workspace, 'b.txt'), '')
  const commit = await another().commit(at, await another().save(at, 'second'), 'work')
  expect(user(repo, 'rev-parse', 'claude-agents/dev')).toBe(commit)
  await expect(readFile(ran, 'utf8')).rejects.toThrow('ENOENT')
})

test('nothing outside is read, written or removed through a link, and what is ignored stops an undo', async () => {
  const { folder, repo, workspace, place } = await world()
  await mkdir(join(repo, 'lib'))
  await writeFile(join(repo, 'lib/b.txt'), 'two\n')
  user(repo, 'add', '-A')
  user(repo, 'commit', '-qm', 'second')
  const at = await place()
  await another().save(at, 'first')
  const outside = join(folder, 'outside')
  await mkdir(outside)
  await writeFile(join(outside, 'b.txt'), 'theirs\n')
  await rm(join(workspace, 'lib'), { recursive: true })
  await symlink(outside, join(workspace, 'lib'))
  await restore(at, at.workspace.commit)
  expect(await readFile(join(workspace, 'lib/b.txt'), 'utf8')).toBe('two\n')
  expect(await readFile(join(outside, 'b.txt'), 'utf8')).toBe('theirs\n')

  await rm(join(workspace, 'a.txt'))
  await mkdir(join(workspace, 'a.txt/build'), { recursive: true })
  await writeFile(join(workspace, 'a.txt/build/x'), 'ignored')
  const undone = restore(at, at.workspace.commit)
  await expect(undone).rejects.toThrow('something that the repository ignores')
  expect(await readFile(join(workspace, 'a.txt/build/x'), 'utf8')).toBe('ignored')

  await rename(workspace, `${workspace}-moved`)
  await symlink(outside, workspace)
  await expect(another().save(at, 'third')).rejects.toThrow()
  expect(await readdir(outside)).toEqual(['b.txt'])
})

test('a name of the repository, and no option, is what a difference is compared with', async () => {
  const { folder, workspace, place } = await world()
  const at = await place()
  await another().save(at, 'first')
  await writeFile(join(workspace, 'b.txt'), '')
  const { commit } = await another().save(at, 'second')
  const base = await another().find(at, 'main')
  expect(await another().changes(at, base, commit)).toMatchObject([{ path: 'b.txt' }])
  expect(await another().find(at, commit)).toBe(commit)
  const option = `--output=${join(folder, 'out')}`
  await expect(another().find(at, option)).rejects.toThrow('there is no such commit')
  expect(existsSync(join(folder, 'out'))).toBe(false)
})

test('a snapshot survives that its user throws away what the agent itself has committed', async () => {
  const { repo, workspace, place } = await world()
  const at = await place()
  await another().save(at, 'first')
  await mkdir(join(workspace, 'lib'))
  await writeFile(join(workspace, 'lib/b.txt'), 'by the agent\n')
  user(workspace, 'add', '-A')
  user(workspace, 'commit', '-qm', 'its own')
  const saved = await another().save(at, 'second')
  await rm(workspace, { recursive: true })
  user(repo, 'worktree', 'prune')
  user(repo, 'branch', '-D', 'claude-agents/dev')
  user(repo, 'reflog', 'expire', '--expire=now', '--all')
  user(repo, 'gc', '-q', '--prune=now')
  await another().save({ ...at, last: saved.commit }, 'again')
  expect(await readFile(join(workspace, 'lib/b.txt'), 'utf8')).toBe('by the agent\n')
})

test.each(['claude-agents', 'claude-agents/dev/more'])('a branch %s is a clear error', async (name) => {
  const { repo, place } = await world()
  user(repo, 'branch', name)
  await expect(another().save(await place(), 'first')).rejects.toThrow(`next to the branch ${name}:`)
})

test('a directory becomes a file, and a file a directory: both are saved, and brought back', async () => {
  const { workspace, place } = await world()
  const at = await place()
  await another().save(at, 'laid out')
  await mkdir(join(workspace, 'd/e'), { recursive: true })
  await writeFile(join(workspace, 'd/e/f.txt'), 'below\n')
  const first = await another().save(at, 'first')
  await rm(join(workspace, 'd'), { recursive: true })
  await writeFile(join(workspace, 'd'), 'a file\n')
  await rm(join(workspace, 'a.txt'))
  await mkdir(join(workspace, 'a.txt'))
  await writeFile(join(workspace, 'a.txt/in.txt'), 'in\n')
  const second = await another().save(at, 'second')
  expect(second).toMatchObject({ added: 2, removed: 2 })

  await restore(at, first.commit)
  expect(await readFile(join(workspace, 'd/e/f.txt'), 'utf8')).toBe('below\n')
  expect(await readFile(join(workspace, 'a.txt'), 'utf8')).toBe('one\n')
  await restore(at, second.commit)
  expect(await readFile(join(workspace, 'd'), 'utf8')).toBe('a file\n')
  expect(await readFile(join(workspace, 'a.txt/in.txt'), 'utf8')).toBe('in\n')
})

test('a patch is what git applies: of text, of bytes, and where no line feed ends the file', async () => {
  const { folder, workspace, place } = await world()
  const at = await place()
  const before = await another().save(at, 'first')
  await writeFile(join(workspace, 'a.txt'), 'two\n')
  await writeFile(join(workspace, 'z'), Buffer.from([0, 255, 10]))
  await writeFile(join(workspace, 'c.txt'), 'no end')
  const after = await another().save(at, 'second')
  const copy = join(folder, 'copy')
  await mkdir(copy)
  await writeFile(join(copy, 'a.txt'), 'one\n')
  const input = await another().patch(at, before.commit, after.commit)
  execaSync('git', ['apply', '-'], { cwd: copy, input })
  for (const name of ['a.txt', 'c.txt', 'z'])
    expect(await readFile(join(copy, name))).toEqual(await readFile(join(workspace, name)))
})
