/**
 * A working tree of the user's repository for one agent: a worktree of git, on a branch of its own, in the base directory.
 *
 * W1. The user's tree, index, stash, configuration, hooks and other branches stay byte for byte as they are.
 * W2. Nothing of the repository is executed: git checks nothing out, the files are written by us.
 * W3. What an agent began from stays in the repository for as long as its agent is there: a ref of ours pins it.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
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
  refusePipes(directory, repository)
  const asked = ['--show-object-format', '--path-format=absolute', '--git-common-dir']
  const output = (await git(['rev-parse', ...asked], { repository, directory })).toString()
  const [format = ''] = output.split('\n', 1)
  if (format !== 'sha1')
    throw new InvalidInputError({
      what: `The repository ${directory}`,
      problem: 'agents cannot work on a repository with SHA-256 objects',
      hint: 'Use a clone with SHA-1 objects.',
    })
  return { path: directory, common: output.slice(format.length + 1).trimEnd(), isBare }
}

/** What git opens by its name. Refs are looked for. */
const OPENED = [
  ...['config', 'config.worktree', 'HEAD', 'commondir', 'packed-refs', 'shallow', 'info/exclude'],
  ...['info/attributes', 'info/grafts', 'info/sparse-checkout', 'objects/info/alternates'],
]

/** Git would wait for the writer of a pipe, for ever. Throws InvalidInputError. */
function refusePipes(directory: string, repository: string): void {
  // In a worktree of the user, `.git` is a file.
  const isPipe = (path: string) => existsSync(path) && statSync(path).isFIFO()
  const refs = existsSync(join(repository, 'refs'))
    ? readdirSync(join(repository, 'refs'), { recursive: true, withFileTypes: true })
    : []
  const pipes = [
    ...[repository, ...OPENED.map((name) => join(repository, name))].filter(isPipe),
    ...refs.filter((entry) => entry.isFIFO()).map((entry) => join(entry.parentPath, entry.name)),
  ]
  const [pipe] = pipes
  if (pipe === undefined) return
  throw new InvalidInputError({
    what: `The repository ${directory}`,
    problem: `${relative(directory, pipe)} is a pipe`,
    hint: 'Somebody made it to stop programs that read it. Remove it.',
  })
}

/** The commit that a name means there. Throws InvalidInputError. */
export async function commitOf(
  at: Pick<UserRepository, 'path' | 'common'>,
  name: string,
  what: 'base' | 'commit' = 'base',
): Promise<string> {
  try {
    const command = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]
    return (await git(command, { repository: gitDirectory(at), directory: at.path })).toString().trim()
  } catch (cause) {
    const hint =
      name === 'HEAD'
        ? 'The repository has no commit yet. Make one first.'
        : 'Name a branch, a tag or a commit.'
    const problem = `there is no such commit in ${at.path}`
    throw new InvalidInputError({ what: `The ${what} ${name}`, problem, hint }, { cause })
  }
}

/** Of the working tree at that path, whose HEAD is its own. */
export const gitDirectory = ({ path, common }: Pick<UserRepository, 'path' | 'common'>): string =>
  existsSync(join(path, '.git')) ? join(path, '.git') : common

/** Adds the worktree, without its files. An existing one stays, and so does what is in the directory. */
export async function addWorktree({ repository, directory, branch, commit }: WorktreePlace): Promise<void> {
  if (existsSync(join(directory, '.git'))) return
  const { common } = repository
  const at = { repository: common, directory: common }
  await git(['check-ref-format', '--branch', branch], at)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const real = await realpath(directory)
  // Git adds worktrees to empty directories only, and not in one step: `.git` moves here when it is complete.
  const fresh = join(real, '..', 'new', basename(real))
  for (const left of [real, fresh]) await releaseWorktree(repository, left)
  await rm(dirname(fresh), { recursive: true, force: true })
  const tip = await refAt(common, `refs/heads/${branch}`)
  await checkBranch(repository, branch, tip)
  await git(['update-ref', pinOf(branch), commit], at)
  // The work of a removed agent of the same id, if it is merged, is part of what the new one begins from.
  const isMerged = tip !== null && (await isAncestor(common, tip, commit))
  if (isMerged) await git(['update-ref', `refs/heads/${branch}`, commit, tip], at)
  const branching = tip === null ? ['--no-track', '-b', branch, '--', fresh, commit] : ['--', fresh, branch]
  await git(['worktree', 'add', '--force', '--quiet', '--no-checkout', ...branching], at)
  await resetIndex(fresh)
  const record = (await readFile(join(fresh, '.git'), 'utf8')).replace(/^gitdir: /, '').trimEnd()
  await writeFile(join(record, 'gitdir'), `${join(real, '.git')}\n`)
  await rename(join(fresh, '.git'), join(real, '.git'))
  await rm(dirname(fresh), { recursive: true, force: true })
}

/** An existing branch has to be one of an agent, and no other tree may have it checked out. Throws InvalidInputError. */
async function checkBranch({ common }: UserRepository, branch: string, tip: string | null): Promise<void> {
  if (tip === null) return
  const what = `The branch ${branch}`
  if ((await refAt(common, pinOf(branch))) === null)
    throw new InvalidInputError({
      what,
      problem: 'the repository already has a branch of that name, and no agent made it',
      hint: 'Name a new one.',
    })
  const listed = await git(['worktree', 'list', '--porcelain'], { repository: common, directory: common })
  for (const record of listed.toString().split('\n\n')) {
    const [path = '', ...lines] = record.split('\n')
    const elsewhere = path.replace(/^worktree /, '')
    if (lines.includes(`branch refs/heads/${branch}`) && existsSync(elsewhere))
      throw new InvalidInputError({
        what,
        problem: `it is checked out in ${elsewhere}`,
        hint: 'Name another one, or check out another branch there.',
      })
  }
}

/** Whether a commit is part of the history of another one. */
export const isAncestor = (common: string, commit: string, of: string): Promise<boolean> =>
  git(['merge-base', '--is-ancestor', commit, of], { repository: common, directory: common }).then(
    () => true,
    () => false,
  )

/** null if there is no such ref. */
export const refAt = (common: string, ref: string): Promise<string | null> =>
  git(['rev-parse', '--verify', '--quiet', ref], { repository: common, directory: common }).then(
    (output) => output.toString().trim(),
    () => null,
  )

/** The commit that a worktree's branch is at; null if the agent has left its branch. */
export async function headOf(directory: string, branch: string): Promise<string | null> {
  const at = { repository: join(directory, '.git'), directory }
  const current = await git(['symbolic-ref', '--quiet', 'HEAD'], at).catch(() => Buffer.alloc(0))
  if (current.toString().trim() !== `refs/heads/${branch}`) return null
  return (await git(['rev-parse', '--verify', 'HEAD'], at)).toString().trim()
}

/** Copies commits from a repository of ours. `known`: what the other one has. */
export async function handOver(
  { common }: Pick<UserRepository, 'common'>,
  {
    from,
    commit,
    known,
  }: { readonly from: string; readonly commit: string; readonly known: readonly string[] },
): Promise<void> {
  // Not fetched: a fetch runs what the configuration of the repository names.
  const input = [Buffer.from([commit, ...known.map((one) => `^${one}`), ''].join('\n'))]
  const pack = await git(['pack-objects', '--quiet', '--revs', '--stdout'], { repository: from, input })
  await git(['unpack-objects', '-q'], { repository: common, directory: common, input: [pack] })
}

/** Moves the branch of a worktree on to a commit that is in a repository of ours. Its files are those of the commit already. */
export async function advanceBranch(
  { repository: { common }, directory, branch }: Omit<WorktreePlace, 'commit'>,
  {
    parent,
    known = [],
    ...moved
  }: {
    readonly from: string
    readonly commit: string
    readonly parent: string
    /** What else the repository has of the commit's history. */
    readonly known?: readonly string[]
  },
): Promise<void> {
  const { commit } = moved
  const at = { repository: common, directory: common }
  await handOver({ common }, { ...moved, known: [parent, ...known] })
  // If the agent has committed meanwhile, its commit stays.
  await git(['update-ref', `refs/heads/${branch}`, commit, parent], at)
  await resetIndex(directory)
}

/** Lets the repository forget a worktree. Its branch and its files stay. */
export async function releaseWorktree({ common }: UserRepository, directory: string): Promise<void> {
  const real = await realpath(directory).catch(() => directory)
  const records = join(common, 'worktrees')
  for (const name of await readdir(records).catch(() => [])) {
    const path = await readFile(join(records, name, 'gitdir'), 'utf8').catch(() => '')
    if (path.trimEnd() === join(real, '.git')) await rm(join(records, name), { recursive: true, force: true })
  }
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
