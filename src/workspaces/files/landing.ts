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
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, realpath } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { type Clock, pause } from '../../clock.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { removeFrom } from '../lifecycle.ts'
import { type GateOutcome, runGate } from './gate.ts'
import { git } from './git.ts'
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

export interface LandingOperations {
  /** The name of a repository's queue, whichever of its directories is named. Throws InvalidInputError. */
  queueOf(repo: string): Promise<string>
  /** The branch to land on: `into`, or what `base` names if that is a branch, or the current one. Throws InvalidInputError. */
  targetOf(repo: string, into: string | undefined, base: string): Promise<string>
  /** The commit that a branch is at; null if there is none. */
  tipOf(repo: string, branch: string): Promise<string | null>
  /** Whether a commit has another one in its history. */
  contains(repo: string, commit: string, part: string): Promise<boolean>
  /** Keeps a commit in the repository, whatever becomes of its branch. */
  pin(repo: string, entry: string, commit: string): Promise<void>
  unpin(repo: string, entry: string): Promise<void>
  merge(repo: string, onto: string, works: readonly MergedWork[]): Promise<MergedEntries>
  /** The files of a commit, among these, in which a conflict is still marked. */
  marked(commit: string, paths: readonly string[]): Promise<readonly string[]>
  /** Runs a command of the user in a new tree with the files of a commit. */
  judge(queue: string, commit: string, command: string, signal: AbortSignal): Promise<GateOutcome>
  move(move: TargetMove): Promise<MoveOutcome>
}

/** How often it is tried to move a branch that another git holds. */
const TRIES = 6
const FIRST_PAUSE_MS = 100

const pinOfEntry = (entry: string): string => `refs/claude-agents/landing/${entry}`

export function landingOperations(base: string, clock: Clock): LandingOperations {
  const snapshots = new FilesRepository(join(base, 'files.git'))
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
  const moveRef = (repository: UserRepository, ref: string, commit: string, from: string) =>
    git(['update-ref', '-m', `${OWN_NAME}: landing`, ref, commit, from], {
      ...at(repository),
      by: { author: OWN_NAME, at: new Date(clock.now()) },
    })

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
        const hint = `To make it: git -C ${shown(repository.path)} branch ${shown(named)}`
        throw new InvalidInputError({ what: `The branch ${named}`, problem, hint })
      }
      const head = { repository: gitDirectory(repository), directory: repository.path }
      const current = await git(['symbolic-ref', '--quiet', 'HEAD'], head).catch(() => Buffer.alloc(0))
      const branch = current
        .toString()
        .trim()
        .replace(/^refs\/heads\//, '')
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

    async pin(repo, entry, commit) {
      await git(['update-ref', pinOfEntry(entry), commit], at(await repositoryAt(repo)))
    },

    async unpin(repo, entry) {
      await git(['update-ref', '-d', pinOfEntry(entry)], at(await repositoryAt(repo)))
    },

    async merge(repo, onto, works) {
      await mergingRepository(snapshots, await repositoryAt(repo))
      return mergeWork(ours, onto, works, new Date(clock.now()))
    },

    async marked(commit, paths) {
      if (paths.length === 0) return []
      const command = ['grep', '-l', '-z', '-e', '^<<<<<<< ', commit, '--', ...paths]
      const found = (await ours.git(command, { mayBeOne: true })).toString().split('\0').slice(0, -1)
      return found.map((name) => name.slice(commit.length + 1))
    },

    async judge(queue, commit, command, signal) {
      const directory = join(trees, queue)
      await mkdir(trees, { recursive: true, mode: 0o700 })
      const forget = async () => {
        await removeFrom(trees, queue)
        await releaseWorktree({ common: ours.path } as UserRepository, directory)
      }
      await forget()
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
      const outcome = await runGate(command, directory, { signal, clock })
      await forget()
      return outcome
    },

    async move(move) {
      const { repo, target, tip, commit, heads, name } = move
      const repository = await repositoryAt(repo)
      const { common } = repository
      const ref = `refs/heads/${target}`
      const beside = `claude-agents/landed/${name}`
      const moved = { outcome: 'moved', branch: target, advice: null } as const
      const offered = async (where: string, why: string): Promise<MoveOutcome> => {
        const before = await refAt(common, `refs/heads/${beside}`)
        if (before !== commit) await moveRef(repository, `refs/heads/${beside}`, commit, before ?? '')
        const take = `git -C ${shown(where)} merge ${beside}`
        const advice = `${target} is checked out in ${where}, and ${why}: the work is on the branch ${beside}. To take it over: ${take}`
        return { outcome: 'moved', branch: beside, advice }
      }
      for (let tries = 1; ; tries += 1) {
        const now = await refAt(common, ref)
        if (now !== null && (await isAncestor(common, commit, now))) return moved
        if (now !== tip) return { outcome: 'missed' }
        try {
          await handOver(repository, { from: ours.path, commit, known: [tip, ...heads] })
          const tree = await treeWith(repository, target)
          const problem = tree && (await hindrance(tree, move, ours, base))
          if (tree && problem) return await offered(tree.directory, problem)
          if (tree) await bringAlong(tree.directory, target, commit, new Date(clock.now()))
          else await moveRef(repository, ref, commit, tip)
        } catch (error) {
          // Somebody else is at it, in this repository or in this tree.
          if (tries < TRIES) {
            await pause(clock, FIRST_PAUSE_MS * 2 ** tries)
            continue
          }
          const tree = await treeWith(repository, target)
          if (!tree) throw error
          return offered(tree.directory, 'git cannot change it there')
        }
      }
    },
  }
}

/** A tree of the user in which a branch is checked out. */
interface CheckedOut {
  readonly directory: string
  /** Whether it is being rebased or bisected there. */
  readonly isBusy: boolean
}

const gitDirectory = ({ path, common }: UserRepository) =>
  existsSync(join(path, '.git')) ? join(path, '.git') : common

/** Files of git that name the branch that is being rebased or bisected. */
const UNDER_WAY = ['rebase-merge/head-name', 'rebase-apply/head-name', 'BISECT_START']

/** The tree that has a branch checked out, or will have it again; null if none has. */
async function treeWith({ common, path }: UserRepository, branch: string): Promise<CheckedOut | null> {
  const list = ['worktree', 'list', '--porcelain', '-z']
  const records = (await git(list, { repository: common, directory: common })).toString().split('\0\0')
  for (const [at, record] of records.entries()) {
    const [named = '', ...lines] = record.split('\0')
    if (lines.includes('bare')) continue
    const given = named.replace(/^worktree /, '')
    // Where its repository is elsewhere, git does not know the main one.
    const directory = at > 0 || existsSync(join(given, '.git')) ? given : path
    if (!existsSync(directory)) continue
    const own =
      at === 0 ? common : resolve(directory, textOf(join(directory, '.git')).replace(/^gitdir: /, ''))
    const isBusy = UNDER_WAY.some((file) => textOf(join(own, file)).replace(/^refs\/heads\//, '') === branch)
    if (isBusy || lines.includes(`branch refs/heads/${branch}`)) return { directory, isBusy }
  }
  return null
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

/** Why a branch is not moved in the tree that has it checked out; null if it can be. */
async function hindrance(
  { directory, isBusy }: CheckedOut,
  { tip, commit }: TargetMove,
  ours: FilesRepository,
  base: string,
): Promise<string | null> {
  if (isBusy) return 'a rebase or a bisection is under way there'
  if (!relative(base, directory).startsWith('..')) return 'that is the tree of an agent'
  const at = await inTree(directory)
  if (at.converts) return 'its files are converted by git'
  const status = [
    'status',
    '--porcelain',
    '-z',
    '--untracked-files=normal',
    '--ignore-submodules=dirty',
    '--no-renames',
  ]
  const changes = (await git(status, at)).toString().split('\0').slice(0, -1)
  // The base directory itself may be there, and not be ignored.
  const isOurs = (change: string) => resolve(directory, change.slice(3)) === base
  if (!changes.every(isOurs)) return 'not everything there is committed'
  const names = await ours.git(['diff-tree', '-r', '-z', '--name-only', '--no-renames', tip, commit])
  const ask = ['check-attr', '-z', '--stdin', ...CONVERSIONS]
  const answers = (await git(ask, { ...at, input: [names] })).toString().split('\0')
  const isConverted = answers.some(
    (value, index) => index % 3 === 2 && !['unspecified', 'unset'].includes(value),
  )
  return isConverted ? 'its files are converted by git' : null
}

/** Attributes that let the files of a tree differ from what is committed. */
const CONVERSIONS = ['filter', 'eol', 'ident', 'working-tree-encoding']

/** Moves the branch that a clean tree has checked out, with its index and its files: all of it, or nothing. */
async function bringAlong(directory: string, target: string, commit: string, at: Date): Promise<void> {
  const { settings, ...tree } = await inTree(directory)
  const safely = ['--no-verify-signatures', '--no-autostash', '--no-overwrite-ignore', '--no-stat', '--quiet']
  await git(['merge', '--ff-only', ...safely, commit], {
    ...tree,
    by: { author: OWN_NAME, at },
    settings: { ...settings, [`branch.${target}.mergeoptions`]: '' },
  })
}

/** Who moves branches, in their reflogs. */
const OWN_NAME = 'claude-agents'

/** How git is called in a tree of the user: no filter that its repository names is started. */
async function inTree(directory: string) {
  const place = { repository: join(directory, '.git'), directory, tree: { directory } }
  const listed = (await git(['config', '--list', '-z'], place)).toString().split('\0')
  const names = listed
    .map((line) => line.split('\n', 1)[0] ?? '')
    .filter((name) => name.startsWith('filter.'))
  const filters = names.map((name) => [name, name.endsWith('.required') ? 'false' : ''])
  const converts = listed.some((line) => /^core\.(autocrlf\n(true|input)|eol\ncrlf)$/i.test(line))
  const settings: Readonly<Record<string, string>> = {
    'status.submoduleSummary': 'false',
    'submodule.recurse': 'false',
    ...Object.fromEntries(filters),
  }
  return { ...place, settings, converts }
}

/** As a shell takes it. */
const shown = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
