/**
 * A working tree of the user's repository for one agent: a worktree of git, on a branch of its own, in the base directory.
 *
 * W1. The user's tree, index, stash, configuration, hooks and other branches stay byte for byte as they are.
 * W2. Nothing of the repository is executed: git checks nothing out, the files are written by us.
 * W3. What an agent began from stays in the repository for as long as its agent is there: a ref of ours pins it.
 */
import { existsSync } from 'node:fs'
import { mkdir, realpath } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { git } from './git.ts'

/** A repository of the user. */
export interface UserRepository {
  /** Its top directory, or the repository itself if it is bare. */
  readonly path: string
  /** What all its working trees share. */
  readonly common: string
  readonly isBare: boolean
}

export interface WorktreePlace {
  readonly repository: UserRepository
  /** Where its files are. */
  readonly directory: string
  /** A new branch, or one that was made for it before. */
  readonly branch: string
  /** The commit that it begins from. */
  readonly commit: string
}

/** The repository that a directory belongs to. Throws InvalidInputError. */
export async function userRepository(directory: string): Promise<UserRepository> {
  const start = await realpath(directory).catch(() => {
    throw new InvalidInputError({
      what: `The repository ${directory}`,
      problem: 'there is no such directory',
    })
  })
  for (let at = start; ; at = resolve(at, '..')) {
    const found = await repositoryAt(at)
    if (found) return found
    if (at === resolve(at, '..')) break
  }
  const hint = `Make one: git -C ${JSON.stringify(directory)} init`
  throw new InvalidInputError({
    what: `The repository ${directory}`,
    problem: 'it is not in a git repository',
    hint,
  })
}

async function repositoryAt(directory: string): Promise<UserRepository | null> {
  const isBare = !existsSync(join(directory, '.git'))
  if (isBare && !(existsSync(join(directory, 'HEAD')) && existsSync(join(directory, 'objects')))) return null
  const repository = isBare ? directory : join(directory, '.git')
  const output = await git(['rev-parse', '--path-format=absolute', '--git-common-dir'], {
    repository,
    directory,
  })
  return { path: directory, common: output.toString().trimEnd(), isBare }
}

/** The commit that a name means there. Throws InvalidInputError. */
export async function commitOf(
  { path, common }: Pick<UserRepository, 'path' | 'common'>,
  name: string,
  what: 'base' | 'commit' = 'base',
): Promise<string> {
  try {
    const command = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]
    return (await git(command, { repository: gitDirectory(path, common), directory: path })).toString().trim()
  } catch (cause) {
    const hint =
      name === 'HEAD'
        ? 'The repository has no commit yet. Make one first.'
        : 'Name a branch, a tag or a commit.'
    const problem = `there is no such commit in ${path}`
    throw new InvalidInputError({ what: `The ${what} ${name}`, problem, hint }, { cause })
  }
}

/** Of the working tree at that path, whose HEAD is its own. */
const gitDirectory = (path: string, common: string) =>
  existsSync(join(path, '.git')) ? join(path, '.git') : common

/** Adds the worktree, without its files. An existing one stays. */
export async function addWorktree({ repository, directory, branch, commit }: WorktreePlace): Promise<void> {
  if (existsSync(join(directory, '.git'))) return
  const { common } = repository
  const at = { repository: common, directory: common }
  await git(['check-ref-format', '--branch', branch], at)
  await git(['update-ref', pinOf(branch), commit], at)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  // A worktree of it that was removed by hand leaves its record.
  const isNew = await git(['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`], at).then(
    () => false,
    () => true,
  )
  const branching = isNew ? ['--no-track', '-b', branch, '--', directory, commit] : ['--', directory, branch]
  await git(['worktree', 'add', '--force', '--quiet', '--no-checkout', ...branching], at)
}

/** The commit that a worktree's branch is at; null if the agent has left its branch. */
export async function headOf(directory: string, branch: string): Promise<string | null> {
  const at = { repository: join(directory, '.git'), directory }
  const current = await git(['symbolic-ref', '--quiet', 'HEAD'], at).catch(() => Buffer.alloc(0))
  if (current.toString().trim() !== `refs/heads/${branch}`) return null
  return (await git(['rev-parse', '--verify', 'HEAD'], at)).toString().trim()
}

/** Moves the branch of a worktree on to a commit that is in a repository of ours. Its files are those of the commit already. */
export async function advanceBranch(
  { repository: { common }, directory, branch }: Omit<WorktreePlace, 'commit'>,
  { from, commit, parent }: { readonly from: string; readonly commit: string; readonly parent: string },
): Promise<void> {
  const at = { repository: common, directory: common }
  const options = [
    '--quiet',
    '--no-tags',
    '--no-write-fetch-head',
    '--no-recurse-submodules',
    '--no-auto-maintenance',
  ]
  await git(['fetch', ...options, '--', from, commit], { ...at, from })
  // If the agent has committed meanwhile, its commit stays.
  await git(['update-ref', `refs/heads/${branch}`, commit, parent], at)
  await resetIndex(directory)
}

/** Lets the repository forget a worktree. Its branch stays. */
export async function releaseWorktree({ common }: UserRepository, directory: string): Promise<void> {
  await git(['worktree', 'remove', '--force', '--force', '--', directory], {
    repository: common,
    directory: common,
  })
}

/** What keeps the commits that an agent began from. */
const pinOf = (branch: string): string => `refs/claude-agents/base/${branch}`

/** Lets the index of a worktree have what its HEAD has, without looking at the files. */
export async function resetIndex(directory: string): Promise<void> {
  await git(['read-tree', 'HEAD'], { repository: join(directory, '.git'), directory })
}

export const objectsOf = ({ common }: UserRepository): string => join(common, 'objects')

/** The patterns of a repository beside its `.gitignore` files. */
export const excludesOf = ({ common }: UserRepository): string => join(common, 'info', 'exclude')
