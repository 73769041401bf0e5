/**
 * Nothing that an agent has made is unreachable, whatever becomes of its repository, its worktree and our process: seeded
 * mixtures of kills at any step of git, clean-ups, deletions and moves. In full: `LONG_TESTS=1`.
 */
import { existsSync, mkdtempSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import { type FilesOperations, filesOperations } from '../../../src/workspaces/files/operations.ts'
import type { FilesPlace } from '../../../src/workspaces/files/place.ts'
import { repetitions } from '../../repetitions.ts'
import { pictureOf } from './random-changes.ts'

/** A process that was killed does nothing more: what it waits for never comes. */
const killed = vi.hoisted(() => ({ step: () => Promise.resolve() }))

vi.mock('../../../src/workspaces/files/git.ts', async (original) => {
  const real = await original<typeof import('../../../src/workspaces/files/git.ts')>()
  const mortal =
    <Args extends unknown[], Output>(command: (...args: Args) => Promise<Output>) =>
    async (...args: Args) => {
      await killed.step()
      const output = await command(...args)
      await killed.step()
      return output
    }
  return { ...real, git: mortal(real.git), gitAnswer: mortal(real.gitAnswer) }
})

const MIXTURES = repetitions('MIXTURES', { short: 1, long: 300 })
const SEED = Number(process.env.SEED ?? 7)
const EVENTS = 12

const run = (cwd: string, ...command: string[]) =>
  execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], {
    cwd,
    env: { GIT_CONFIG_GLOBAL: '/dev/null' },
  }).stdout

/** A number from 0 up to a limit, the same for each seed. */
function dice(seed: number) {
  let state = seed
  return (limit: number) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return ((state ^ (state >>> 13)) >>> 0) % limit
  }
}

class World {
  readonly #folder = mkdtempSync(join(tmpdir(), 'mishaps-'))
  readonly repo = join(this.#folder, 'repo')
  readonly #origin = join(this.#folder, 'origin')
  base = join(this.#folder, 'base')
  /** What has happened, for the report of a failure. */
  readonly happened: string[] = []
  /** What was saved and committed: all of it has to stay. */
  readonly snapshots: string[] = []
  readonly commits: string[] = []
  #files: FilesOperations = filesOperations(systemClock)
  #workspace: FilesPlace['workspace'] | undefined
  /** What the log knows. */
  #last: string | undefined
  #count = 0
  readonly #next: (limit: number) => number

  constructor(seed: number) {
    this.#next = dice(seed)
  }

  get ours() {
    return join(this.base, 'files.git')
  }

  get workspace() {
    return join(this.base, 'agents/dev/workspace')
  }

  async begin() {
    await mkdir(this.repo)
    run(this.repo, 'init', '-q', '-b', 'main')
    await writeFile(join(this.repo, 'a.txt'), 'one\n')
    await writeFile(join(this.repo, '.gitignore'), 'build\n')
    run(this.repo, 'add', '-A')
    run(this.repo, 'commit', '-qm', 'first')
    run(this.#folder, 'clone', '-q', '--bare', this.repo, this.#origin)
    this.#workspace = await this.#files.resolve({
      repo: this.repo,
      base: 'HEAD',
      branch: 'claude-agents/dev',
    })
    await this.#saved('created')
  }

  get #place(): FilesPlace {
    const home = join(this.base, 'agents/dev/home')
    const directories = { workspace: this.workspace, home, base: this.base }
    return {
      agent: 'dev',
      workspace: this.#workspace as FilesPlace['workspace'],
      directories,
      last: this.#last,
    }
  }

  /** Does something in our process, and again in the next one if it was killed. */
  async #ours<T>(work: (files: FilesOperations) => Promise<T>): Promise<T> {
    for (;;) {
      let left = this.#next(2) === 0 ? this.#next(24) : Number.POSITIVE_INFINITY
      let die = () => {}
      const death = new Promise<'killed'>((resolve) => {
        die = () => resolve('killed')
      })
      killed.step = () => {
        left -= 1
        if (left >= 0) return Promise.resolve()
        die()
        return new Promise(() => {})
      }
      const result = await Promise.race([work(this.#files), death])
      killed.step = () => Promise.resolve()
      if (result !== 'killed') return result as T
      this.happened.push('killed')
      this.#files = filesOperations(systemClock)
    }
  }

  /** A git of the user, which does nothing where something is locked. */
  #user(cwd: string, ...command: string[]) {
    try {
      run(cwd, ...command)
    } catch (error) {
      if (!/\.lock': File exists/.test((error as Error).message)) throw error
      this.happened.push('it is locked')
    }
  }

  #clean(repository: string) {
    this.#user(repository, 'reflog', 'expire', '--expire=now', '--all')
    this.#user(repository, 'gc', '-q', '--prune=now')
  }

  async #saved(note: string) {
    const saved = await this.#ours((files) => files.save(this.#place, note))
    this.snapshots.push(saved.commit)
    this.#last = saved.commit
    return saved
  }

  readonly events: Readonly<Record<string, () => Promise<unknown>>> = {
    turn: async () => {
      await this.#saved('before')
      await writeFile(join(this.workspace, `file-${++this.#count}`), `${this.#count}\n`)
      const saved = await this.#saved('after')
      const commit = await this.#ours((files) => files.commit(this.#place, saved, 'work'))
      if (commit !== null) this.commits.push(commit)
    },
    'the agent commits': async () => {
      await this.#saved('before')
      await writeFile(join(this.workspace, `own-${++this.#count}`), `${this.#count}\n`)
      if (this.#next(3) === 0) run(this.workspace, 'switch', '-q', '--detach')
      run(this.workspace, 'add', '-A')
      run(this.workspace, 'commit', '-qm', `own ${this.#count}`)
      if (this.#next(2) === 0) run(this.repo, 'gc', '-q')
      const commit = run(this.workspace, 'rev-parse', 'HEAD')
      await this.#saved('after')
      this.commits.push(commit)
      const onBranch = run(this.workspace, 'rev-parse', '--abbrev-ref', 'HEAD') !== 'HEAD'
      if (!onBranch && this.#next(2) === 0) run(this.workspace, 'switch', '-q', 'claude-agents/dev')
    },
    undo: async () => {
      const to = this.snapshots[this.#next(this.snapshots.length)] as string
      const restored = await this.#ours((files) =>
        files.restore(
          this.#place,
          () => to,
          'undo',
          async (done) => done,
        ),
      )
      if (!restored) throw new Error('nothing was restored')
      this.snapshots.push(restored.before.commit, restored.after.commit)
      this.#last = restored.after.commit
    },
    'worktree prune': async () => run(this.repo, 'worktree', 'prune', '--expire=now'),
    'gc of the repository': async () => this.#clean(this.repo),
    'gc of the snapshots': async () => this.#clean(this.ours),
    'the branch is deleted': async () =>
      this.#user(this.repo, 'update-ref', '-d', 'refs/heads/claude-agents/dev'),
    'our refs are deleted': async () => {
      for (const ref of run(this.repo, 'for-each-ref', '--format=%(refname)', 'refs/claude-agents').split(
        '\n',
      ))
        if (ref !== '') this.#user(this.repo, 'update-ref', '-d', ref)
    },
    'the worktree is deleted': async () => rm(this.workspace, { recursive: true, force: true }),
    'the repository is cloned anew': async () => {
      await rm(this.repo, { recursive: true })
      run(this.#folder, 'clone', '-q', this.#origin, this.repo)
    },
    'the repository is moved away for a while': async () => {
      await rename(this.repo, `${this.repo}-moved`)
      await expect(filesOperations(systemClock).save(this.#place, 'away')).rejects.toThrow(InvalidInputError)
      await rename(`${this.repo}-moved`, this.repo)
    },
    'the base directory is moved': async () => {
      const moved = join(this.#folder, `base-${++this.#count}`)
      await rename(this.base, moved)
      this.base = moved
      this.#files = filesOperations(systemClock)
    },
    'locks are left': async () => {
      const left = [
        join(this.repo, '.git/refs/heads/claude-agents/dev.lock'),
        join(this.ours, 'refs/agents/dev.lock'),
        join(this.ours, 'refs/branches/dev.lock'),
        join(this.ours, 'agents/dev/index.lock'),
        join(this.ours, 'packed-refs.lock'),
      ]
      for (const lock of left) await writeFile(lock, '').catch(() => {})
      this.#files = filesOperations(systemClock)
    },
    'the agent is removed': async () => {
      const kept = await this.#ours((files) => files.release(this.#place))
      if (kept && existsSync(this.repo)) this.commits.push(kept.commit)
      await rm(this.workspace, { recursive: true, force: true })
      this.#files = filesOperations(systemClock)
      this.#last = undefined
      await this.#saved('created again')
    },
  }

  /** Everything is there, and stays when what is unreachable is removed. */
  async check() {
    await this.#saved('at the end')
    for (const cleaning of ['', 'gc of the repository', 'gc of the snapshots']) {
      await this.events[cleaning]?.()
      run(this.ours, 'fsck', '--connectivity-only', '--no-dangling')
      const reachable = new Set(run(this.ours, 'rev-list', '--all').split('\n'))
      for (const one of [...this.snapshots, ...this.commits])
        expect([one, reachable.has(one)]).toEqual([one, true])
    }
    // The worktree is one of the repository, on a branch that its commits are on.
    expect(run(this.workspace, 'rev-parse', '--is-inside-work-tree')).toBe('true')
    run(this.repo, 'fsck', '--connectivity-only')
    const now = await pictureOf(this.workspace)
    await rm(this.workspace, { recursive: true })
    run(this.repo, 'worktree', 'prune', '--expire=now')
    await this.#saved('made again')
    expect(await pictureOf(this.workspace)).toEqual(now)
    await rm(this.#folder, { recursive: true, maxRetries: 10 })
  }

  async happen() {
    const names = Object.keys(this.events)
    // Half of what happens is work.
    const name = this.#next(2) === 0 ? 'turn' : (names[this.#next(names.length)] as string)
    this.happened.push(name)
    await this.events[name]?.()
  }
}

test.each(Array.from({ length: MIXTURES }, (_, number) => SEED + number))(
  'no commit and no file of an agent is unreachable after the mishaps of seed %i',
  async (seed) => {
    const world = new World(seed)
    try {
      await world.begin()
      for (let count = 0; count < EVENTS; count += 1) await world.happen()
      await world.check()
    } catch (error) {
      throw new Error(`seed ${seed}: ${world.happened.join(', ')}: ${(error as Error).message}`, {
        cause: error,
      })
    }
  },
)
