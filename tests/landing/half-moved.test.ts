/** A git that was killed while it moved a branch with its tree: what it has left is taken back, and then the branch moves. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, rmSync, symlinkSync } from 'node:fs'
import { chmod, mkdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { WorkspaceError } from '../../src/events/errors/workspace.ts'
import { landingOperations } from '../../src/workspaces/files/landing.ts'
import { repository } from './kit.ts'

/** What stands in for the git that moves a tree, once. It is killed, unless `problem` says why it ends by itself. */
const dying = vi.hoisted(() => ({
  instead: undefined as ((directory: string, onStart?: (pid: number) => void) => Promise<void>) | undefined,
  problem: undefined as string | undefined,
}))

vi.mock('../../src/workspaces/files/git.ts', async (original) => {
  const real = await original<typeof import('../../src/workspaces/files/git.ts')>()
  return {
    ...real,
    async git(...[command, call]: Parameters<typeof real.git>) {
      const { instead, problem = 'git merge was killed (SIGKILL)' } = dying
      if (command[0] !== 'merge' || !instead) return real.git(command, call)
      const retryable = dying.problem === undefined
      Object.assign(dying, { instead: undefined, problem: undefined })
      const path = call.directory ?? ''
      await instead(path, call.onStart)
      throw new WorkspaceError({ path, problem, retryable })
    },
  }
})

/** The tip has `a.txt`, `gone.txt`, `was/file` and the link `link`; the work changes all of them, and adds `new/b.txt`. */
async function world(clock = systemClock) {
  const made = await repository(async (workspace) => {
    await writeFile(join(workspace, 'a.txt'), 'two\nand more\n')
    await rm(join(workspace, 'gone.txt'))
    await rm(join(workspace, 'was'), { recursive: true })
    await writeFile(join(workspace, 'was'), 'a file\n')
    await rm(join(workspace, 'link'))
    await mkdir(join(workspace, 'link'))
    await writeFile(join(workspace, 'link', 'c.txt'), 'behind\n')
    await mkdir(join(workspace, 'new'))
    await writeFile(join(workspace, 'new/b.txt'), 'new\n')
    await chmod(join(workspace, 'run.sh'), 0o755)
  })
  const { repo, folder, git } = made
  for (const name of ['gone.txt', 'run.sh']) await writeFile(join(repo, name), 'here\n')
  await mkdir(join(repo, 'was'))
  await writeFile(join(repo, 'was/file'), 'in a directory\n')
  await mkdir(join(folder, 'outside'))
  await writeFile(join(folder, 'outside/c.txt'), '')
  await symlink('../outside', join(repo, 'link'))
  git('add', '-A')
  git('commit', '-qm', 'more')
  const opened = await made.open({ clock })
  await opened.agent('dev', 'work')
  return { ...made, ...opened }
}

const locked =
  (...names: string[]) =>
  async (directory: string) => {
    for (const name of names) await writeFile(join(directory, '.git', name), '')
  }

test.each<[what: string, leave: (directory: string) => Promise<void>]>([
  ['its locks', locked('index.lock', 'HEAD.lock', 'ORIG_HEAD.lock', 'refs/heads/main.lock')],
  [
    'half a file, a new one, one that is gone, another mode, and a lock',
    async (at) => {
      await writeFile(join(at, 'a.txt'), 'two\nand')
      await mkdir(join(at, 'new'))
      await writeFile(join(at, 'new/b.txt'), '')
      await rm(join(at, 'gone.txt'))
      await chmod(join(at, 'run.sh'), 0o755)
      await locked('index.lock')(at)
    },
  ],
  [
    'a directory that is a file, and a link that is a directory',
    async (at) => {
      await rm(join(at, 'was'), { recursive: true })
      await writeFile(join(at, 'was'), 'a fi')
      await rm(join(at, 'link'))
      await mkdir(join(at, 'link'))
      await writeFile(join(at, 'link/c.txt'), 'behind\n')
    },
  ],
])('whatever git has left of a move, it is taken back: %s', async (_, leave) => {
  const { folder, repo, git, landed, at } = await world()
  dying.instead = leave
  expect(await landed('dev')).toMatchObject([{ status: 'landed', reason: null }])
  expect(git('status', '--porcelain')).toBe('')
  expect(at('new/b.txt')).toBe('new')
  expect(await readFile(join(repo, 'a.txt'), 'utf8')).toBe('two\nand more\n')
  expect(await readFile(join(folder, 'outside/c.txt'), 'utf8')).toBe('')
  for (const name of ['index', 'HEAD', 'ORIG_HEAD', 'refs/heads/main'])
    expect(existsSync(join(repo, '.git', `${name}.lock`))).toBe(false)
})

test('what the user has written since git was killed stays, and the work lands beside it', async () => {
  const { repo, git, landed } = await world()
  dying.instead = async (directory) => {
    await writeFile(join(directory, 'a.txt'), 'by the user\n')
    await mkdir(join(directory, 'new'))
    await writeFile(join(directory, 'new/b.txt'), 'new\n')
    await rm(join(directory, 'gone.txt'))
  }
  const [entry] = await landed('dev')
  expect(entry?.reason).toContain('not everything there is committed')
  expect(git('status', '--porcelain')).toBe(' M a.txt')
  expect(await readFile(join(repo, 'a.txt'), 'utf8')).toBe('by the user\n')
})

test('a lock that was there before git was told to move a tree is not removed', async () => {
  const { repo, landed } = await world({
    ...systemClock,
    after: (delayMs, then) => systemClock.after(delayMs / 50, then),
  })
  const lock = join(repo, '.git/index.lock')
  await writeFile(lock, '')
  await utimes(lock, 1, 1)
  const [entry] = await landed('dev')
  expect(entry?.reason).toContain('git cannot change it there')
  expect(existsSync(lock)).toBe(true)
})

test('a lock that another git takes while ours cannot move the tree is waited for, and not removed', async () => {
  let lock = ''
  const seen: boolean[] = []
  const { landed, at } = await world({
    ...systemClock,
    after: (delayMs, then) =>
      systemClock.after(delayMs / 50, () => {
        if (lock !== '') seen.push(existsSync(lock))
        if (seen.length === 2) rmSync(lock, { force: true })
        then()
      }),
  })
  dying.problem = 'git merge failed: fatal: Unable to create index.lock: File exists.'
  dying.instead = async (directory) => {
    lock = join(directory, '.git/index.lock')
    await writeFile(lock, '')
  }
  expect(await landed('dev')).toMatchObject([{ status: 'landed', reason: null }])
  expect(seen.slice(0, 2)).toEqual([true, true])
  expect(at('new/b.txt')).toBe('new')
})

/** Where another git runs, and how it is told where to work. */
type Another = (repo: string) => { readonly cwd: string; readonly words?: string[]; readonly env?: object }

test.each<[whose: string, git: 'dead' | 'unknown', another: Another | null, isRemoved: boolean]>([
  ['ours, which is dead', 'dead', null, true],
  ['ours, or of another one that is at work there', 'dead', (repo) => ({ cwd: repo }), false],
  ['or named it', 'dead', (repo) => ({ cwd: '/', words: [`--git-dir=${repo}/.git`] }), false],
  [
    'or named it by a link',
    'dead',
    (repo) => {
      symlinkSync(repo, `${repo}-link`)
      return { cwd: join(repo, '..'), words: ['--git-dir', 'shop-link/.git'] }
    },
    false,
  ],
  ['or has it in its environment', 'dead', (repo) => ({ cwd: '/', env: { GIT_DIR: `${repo}/.git` } }), false],
  ['ours, and another one works elsewhere', 'dead', (repo) => ({ cwd: join(repo, '..') }), true],
  ['nobody knows which', 'unknown', null, false],
])(
  'after a crash, a lock is removed only if it is that of a git of ours that is dead: %s',
  async (_, ended, another, isRemoved) => {
    const { repo, base, git } = await world()
    const hurried = {
      ...systemClock,
      after: (delayMs: number, then: () => void) => systemClock.after(delayMs / 50, then),
    }
    const [tip, head] = ['main', 'claude-agents/dev'].map((name) => git('rev-parse', name)) as [
      string,
      string,
    ]
    const work = { entry: 'dev-1', agent: 'dev', branch: 'claude-agents/dev', head, squash: false }
    const crashing = landingOperations(base, hurried)
    const [merged] = (await crashing.merge(repo, tip, [work])).commits
    const move = {
      repo,
      target: 'main',
      tip,
      commit: merged?.commit ?? '',
      heads: [tip, head],
      name: 'dev-1',
    }
    await new Promise<void>((resolve) => {
      dying.instead = async (directory, onStart) => {
        if (ended === 'dead') onStart?.(spawnSync('true').pid)
        await locked('index.lock')(directory)
        resolve()
        return new Promise(() => {})
      }
      void crashing.move(move)
    })
    if (another) {
      const { cwd, words = [], env } = another(repo)
      const other = spawn('git', [...words, 'hash-object', '--stdin'], {
        ...{ cwd, env: { ...process.env, ...env } },
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      onTestFinished(() => void other.kill())
    }
    const moved = await landingOperations(base, hurried).move(move)
    expect(existsSync(join(repo, '.git/index.lock'))).toBe(!isRemoved)
    expect(moved).toMatchObject(
      isRemoved ? { branch: 'main', advice: null } : { branch: 'claude-agents/landed/main' },
    )
  },
)
