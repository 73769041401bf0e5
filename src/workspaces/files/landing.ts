/**
 * The git steps of landing. Each can be repeated after a crash, and does nothing then that is done already.
 *
 * S1. Work is merged in a repository of ours, and judged in a tree of its own in the base directory: nothing of the user is
 *     touched before its branch moves.
 * S2. A branch moves from the commit that the work was merged on, or not at all. A checked-out one moves with its files and
 *     its index in one step of git, and only if nothing in its tree would be lost or mixed up.
 * S3. Nothing of the repository is executed, also not when its files are brought along.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, realpath, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Clock, pause } from '../../clock.ts'
import { describeError } from '../../events/errors/base.ts'
import { shellWord } from '../../events/errors/phrases.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { type HostProcess, hostProcess, livenessOf } from '../../store/process-identity.ts'
import { snapshotsPath } from '../directories.ts'
import { removeFrom } from '../lifecycle.ts'
import {
  bringAlong,
  type CheckedOut,
  hindrance,
  locksOf,
  OWN_NAME,
  takeBack,
  treeWith,
} from './checked-out.ts'
import { type GateOutcome, runGate } from './gate.ts'
import { type GitCall, git, gitAnswer } from './git.ts'
import { isGitAtWork } from './git-at-work.ts'
import { type MergedEntries, type MergedWork, mergeWork, mergingPath, mergingRepository } from './merge.ts'
import { FilesRepository } from './repository.ts'
import {
  handOver,
  isAncestor,
  refAt,
  releaseWorktree,
  type UserRepository,
  userRepository,
} from './worktree.ts'

/** A branch that is to move. */
export interface TargetMove {
  readonly repo: string
  readonly target: string
  /** What it is at. */
  readonly tip: string
  /** What it moves to: a commit in the repository of ours. */
  readonly commit: string
  /** What is merged there, which the repository has. */
  readonly heads: readonly string[]
  /** Names the branch that is made beside a target that cannot be moved. */
  readonly name: string
}

export type MoveOutcome =
  /** `advice`: how the user takes it over, if it is on another branch. */
  | { readonly outcome: 'moved'; readonly branch: string; readonly advice: string | null }
  /** The target is elsewhere meanwhile. */
  | { readonly outcome: 'missed' }

export interface Judgement extends GateOutcome {
  /** If it has failed: where all of its output is. */
  readonly file?: string
}

export interface LandingOperations {
  /** The name of a repository's queue, whichever of its directories is named. Throws InvalidInputError. */
  queueOf(repo: string): Promise<string>
  /** The branch to land on: `into`, or what `base` names if that is a branch, or the current one. Throws InvalidInputError. */
  targetOf(repo: string, into: string | undefined, base: string): Promise<string>
  /** The commit that a branch is at; null if there is none. */
  tipOf(repo: string, branch: string): Promise<string | null>
  /** Whether a commit has another one in its history. */
  contains(repo: string, commit: string, part: string): Promise<boolean>
  /** Whether a branch of the repository has a commit in its history. */
  isOnBranch(repo: string, commit: string): Promise<boolean>
  merge(repo: string, onto: string, works: readonly MergedWork[]): Promise<MergedEntries>
  /** The files of a commit, among these, in which a conflict is still marked. */
  marked(commit: string, paths: readonly string[]): Promise<readonly string[]>
  /** Runs a command of the user in a new tree with the files of a commit. */
  judge(queue: string, commit: string, command: string, signal: AbortSignal): Promise<Judgement>
  move(move: TargetMove): Promise<MoveOutcome>
}

/** So many characters of what a gate has printed are in the log. */
const LONGEST_END = 8_000

/** How often it is tried to move a branch that another git holds. */
const TRIES = 6
const FIRST_PAUSE_MS = 100

export function landingOperations(base: string, clock: Clock): LandingOperations {
  const snapshots = new FilesRepository(snapshotsPath(base))
  const ours = new FilesRepository(mergingPath(snapshots))
  const trees = join(base, 'landing')
  const known = new Map<string, UserRepository>()
  /** Throws InvalidInputError. */
  const repositoryAt = async (repo: string): Promise<UserRepository> => {
    const found = known.get(repo)
    if (found && existsSync(found.common) && existsSync(repo)) return found
    const looked = await userRepository(repo)
    known.set(repo, looked)
    return looked
  }
  const at = ({ common }: UserRepository) => ({ repository: common, directory: common })
  /** Only if it is still at `from`. */
  const moveRef = (
    repository: UserRepository,
    { ref, commit, from, ...call }: MovedRef & Pick<GitCall, 'onStart'>,
  ) =>
    git(['update-ref', '-m', `${OWN_NAME}: landing`, ref, commit, from], {
      ...at(repository),
      ...{ ...call, by: { author: OWN_NAME, at: new Date(clock.now()) } },
    })

  /** Whether the git of a move that this process began was killed: one that ends by itself removes its locks. */
  const killedHere = new Map<string, boolean>()
  const fileOf = ({ common }: UserRepository, target: string): string =>
    join(ours.path, `moving-${createHash('sha256').update(`${common} ${target}`).digest('hex').slice(0, 16)}`)

  /** A git that is killed on its way leaves locks, and a tree that is half moved: the next one is told. */
  async function announced(
    repository: UserRepository,
    begun: BegunMove,
    work: (onStart: (pid: number) => void) => Promise<unknown>,
  ) {
    const file = fileOf(repository, begun.target)
    await writeFile(file, JSON.stringify(begun))
    const since = statSync(file).mtimeMs
    const started = (pid: number) => {
      writeFileSync(`${file}.new`, JSON.stringify({ ...begun, since, by: hostProcess(pid) }))
      renameSync(`${file}.new`, file)
    }
    await work(started).catch((error) => {
      killedHere.set(file, error instanceof WorkspaceError && error.retryable)
      throw error
    })
    await rm(file)
  }

  /** Throws InvalidInputError if work has no history in common with a commit: git does not merge that. */
  async function assertRelated(
    { path, common }: UserRepository,
    commit: string,
    { branch, head }: MergedWork,
  ): Promise<void> {
    const shared = await ours.git(['merge-base', commit, head], { mayBeOne: true })
    if (shared.length > 0) return
    const isShallow = existsSync(join(common, 'shallow'))
    throw new InvalidInputError({
      what: `The branch ${branch}`,
      problem: `it has no commit in common with what it is to land on${isShallow ? ' in this shallow clone' : ''}`,
      hint: isShallow
        ? `Fetch the rest of the history, then land it again: git -C ${shellWord(path)} fetch --unshallow`
        : 'Land it on a branch that has the commit it began from: --into BRANCH (in code: into).',
    })
  }

  /** Takes back what was begun and not seen to end. Throws while another git is at it, or ours may still be. */
  async function takeUp(repository: UserRepository, target: string): Promise<void> {
    const file = fileOf(repository, target)
    const begun = begunIn(file)
    if (!begun) return
    const found = await treeWith(repository, target)
    const tree = found?.directory === begun.directory ? found : null
    const { since = statSync(file).mtimeMs, by } = begun
    for (const lock of locksOf(repository, target, tree)) {
      const stats = statSync(lock, { throwIfNoEntry: false })
      if (!stats || stats.mtimeMs < since) continue
      const isDead = killedHere.get(file) ?? (by !== undefined && livenessOf(by) === 'dead')
      // Ours was killed: unless it had no lock yet, or none any more, no other git can have made one since.
      const another = isGitAtWork([repository.common, ...(tree ? [tree.directory, tree.own] : [])], base)
      if (!isDead || (another ?? !killedHere.has(file)))
        throw new WorkspaceError({ path: lock, problem: 'another git may be at work', hint: UNLOCK })
      await rm(lock, { force: true })
    }
    const now = await refAt(repository.common, `refs/heads/${target}`)
    if (tree && !tree.isBusy && now === begun.tip) await takeBack(tree, begun, ours)
    await rm(file)
  }

  /** Lets work land on a branch beside its target: on the one that has what landed there before, unless the user is at it. */
  async function offered(
    repository: UserRepository,
    { target, commit, name }: TargetMove,
    { directory }: CheckedOut,
    why: string,
  ): Promise<MoveOutcome> {
    const { common } = repository
    // The branch of an agent of that name leaves no room below it.
    const isTaken = (await refAt(common, 'refs/heads/claude-agents/landed')) !== null
    const first = `claude-agents/landed${isTaken ? '-' : '/'}${target}`
    const before = await refAt(common, `refs/heads/${first}`)
    const isFree =
      before === null ||
      ((await isAncestor(ours.path, before, commit)) && !(await treeWith(repository, first)))
    const beside = isFree ? first : `${first}-${name}`
    const ref = `refs/heads/${beside}`
    // Nothing else makes this branch.
    await rm(join(common, `${ref}.lock`), { force: true })
    const from = isFree ? before : await refAt(common, ref)
    if (from !== commit) await moveRef(repository, { ref, commit, from: from ?? '' })
    const take = `git -C ${shellWord(directory)} merge ${shellWord(beside)}`
    const advice = `${target} is checked out in ${directory}, and ${why}: the work is on the branch ${beside}. To take it over: ${take}`
    return { outcome: 'moved', branch: beside, advice }
  }

  return {
    async queueOf(repo) {
      const common = await realpath((await repositoryAt(repo)).common)
      const name = basename(common) === '.git' ? basename(dirname(common)) : basename(common, '.git')
      const slug = name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
      const key = createHash('sha256').update(common).digest('hex').slice(0, 8)
      return `${slug.replace(/^-+|-+$/g, '').slice(0, 40) || 'repository'}-${key}`
    },

    async targetOf(repo, into, from) {
      const repository = await repositoryAt(repo)
      for (const named of [into, from === 'HEAD' ? undefined : from]) {
        if (named === undefined) continue
        if ((await refAt(repository.common, `refs/heads/${named}`)) !== null) return named
        if (named !== into) continue
        const problem = `there is no such branch in ${repository.path}`
        const isName =
          !/^(-|HEAD$)/.test(named) &&
          (await gitAnswer(['check-ref-format', `refs/heads/${named}`], at(repository))) !== null
        const hint = isName
          ? `To make it: git -C ${shellWord(repository.path)} branch ${shellWord(named)}`
          : 'Name a branch: --into BRANCH (in code: into).'
        throw new InvalidInputError({ what: `The branch ${named}`, problem, hint })
      }
      const head = { repository: gitDirectory(repository), directory: repository.path }
      const current = String((await gitAnswer(['symbolic-ref', '--quiet', 'HEAD'], head)) ?? '')
      const branch = current.trim().replace(/^refs\/heads\//, '')
      if (branch !== '' && (await refAt(repository.common, `refs/heads/${branch}`)) !== null) return branch
      const problem = 'it is on no branch that work could land on'
      const hint = 'Name one: --into BRANCH (in code: into).'
      throw new InvalidInputError({ what: `The repository ${repository.path}`, problem, hint })
    },

    tipOf: async (repo, branch) => refAt((await repositoryAt(repo)).common, `refs/heads/${branch}`),

    contains: async (repo, commit, part) => {
      await mergingRepository(snapshots, await repositoryAt(repo))
      return isAncestor(ours.path, part, commit)
    },

    async isOnBranch(repo, commit) {
      const command = ['for-each-ref', '--count=1', '--contains', commit, 'refs/heads']
      return ((await gitAnswer(command, at(await repositoryAt(repo))))?.length ?? 0) > 0
    },

    async merge(repo, onto, works) {
      const repository = await repositoryAt(repo)
      await mergingRepository(snapshots, repository)
      try {
        return await mergeWork(ours, onto, works, new Date(clock.now()))
      } catch (error) {
        for (const work of works) await assertRelated(repository, onto, work)
        throw error
      }
    },

    async marked(commit, paths) {
      if (paths.length === 0) return []
      const command = ['grep', '-l', '-z', '-e', '^<<<<<<< ', commit, '--', ...paths]
      const found = (await ours.git(command, { mayBeOne: true })).toString().split('\0').slice(0, -1)
      return found.map((name) => name.slice(commit.length + 1))
    },

    async judge(queue, commit, command, signal) {
      await mkdir(trees, { recursive: true, mode: 0o700 })
      /** What a gate has left running may still write there. */
      const isForgotten = async (name: string) => {
        await removeFrom(trees, name).catch(() => {})
        await releaseWorktree({ common: ours.path } as UserRepository, join(trees, name))
        return !existsSync(join(trees, name))
      }
      const names = new Set([queue, ...(await readdir(trees)).filter((name) => name.startsWith(`${queue}.`))])
      for (const name of names) if (await isForgotten(name)) names.delete(name)
      let tree = queue
      for (let other = 2; names.has(tree); other += 1) tree = `${queue}.${other}`
      const directory = join(trees, tree)
      // A worktree of the repository of ours: whatever git the command runs finds no other one.
      await ours.git([
        'worktree',
        'add',
        '--force',
        '--quiet',
        '--detach',
        '--no-checkout',
        directory,
        commit,
      ])
      // No attribute and no filter counts there.
      await git(['read-tree', '-u', '--reset', 'HEAD'], { repository: join(directory, '.git'), directory })
      const { exitCode, output } = await runGate(command, directory, { signal, clock })
      await isForgotten(tree)
      const end = output.slice(-LONGEST_END)
      if (exitCode === 0) return { exitCode, output: end }
      const outputs = join(ours.path, 'output')
      const file = join(outputs, `${commit.slice(0, 12)}.txt`)
      await mkdir(outputs, { recursive: true, mode: 0o700 })
      await writeFile(file, output, { mode: 0o600 })
      return { exitCode, output: end, file }
    },

    async move(move) {
      const { repo, target, tip, commit, heads } = move
      const repository = await repositoryAt(repo)
      const { common } = repository
      const ref = `refs/heads/${target}`
      const moved = { outcome: 'moved', branch: target, advice: null } as const
      for (let tries = 1; ; tries += 1) {
        try {
          await takeUp(repository, target)
          const now = await refAt(common, ref)
          if (now !== null && (await isAncestor(common, commit, now))) return moved
          if (now !== tip) return { outcome: 'missed' }
          await handOver(repository, { from: ours.path, commit, known: [tip, ...heads] })
          const tree = await treeWith(repository, target)
          const problem = tree && (await hindrance(tree, move, ours, base))
          if (tree && problem) return await offered(repository, move, tree, problem)
          await announced(
            repository,
            { target, tip, commit, directory: tree?.directory ?? null },
            (onStart) =>
              tree
                ? bringAlong(tree.directory, { target, commit, at: new Date(clock.now()), onStart })
                : moveRef(repository, { ref, commit, from: tip, onStart }),
          )
        } catch (error) {
          // Another git is at it, in this repository or in this tree.
          if (tries < TRIES) {
            await pause(clock, FIRST_PAUSE_MS * 2 ** tries)
            continue
          }
          const tree = await treeWith(repository, target)
          if (!tree) throw error
          const said = describeError(error).message.replace(/\.$/, '')
          return offered(repository, move, tree, `git cannot change it there (${said})`)
        }
      }
    },
  }
}

/** A move that git was told to make. `directory`: the tree that moves with the branch; null if there is none. */
interface BegunMove extends Pick<TargetMove, 'target' | 'tip' | 'commit'> {
  readonly directory: string | null
  /** The git that does it, once it runs, and when the move was announced, as the time of a file. */
  readonly by?: HostProcess
  readonly since?: number
}

interface MovedRef {
  readonly ref: string
  readonly commit: string
  /** Empty if it is new. */
  readonly from: string
}

const UNLOCK = 'If no git is running there, remove that file.'

/** undefined if none was begun; a kill may have cut off the file, before git was told. */
function begunIn(file: string): BegunMove | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as BegunMove
  } catch {
    return undefined
  }
}

const gitDirectory = ({ path, common }: UserRepository) =>
  existsSync(join(path, '.git')) ? join(path, '.git') : common
