/**
 * A working tree of the user's repository for one agent: a worktree of git, on a branch of its own, in the base directory.
 *
 * W1. The user's tree, index, stash, configuration, hooks and other branches stay byte for byte as they are.
 * W2. Nothing of the repository is executed: git checks nothing out, the files are written by us.
 * W3. A commit of an agent stays, whatever becomes of its branch: what the branch is at is kept in a repository of ours, and
 *     a branch that was deleted is made again from there.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { lstat, mkdir, readdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { shellWord } from '../../events/errors/phrases.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { SWAPPED } from '../inputs/directory.ts'
import { unless } from '../inputs/file-problems.ts'
import { git, gitAnswer, gitPieces, hasOtherRefs, looseRef, textOfGit } from './git.ts'

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
  /** Where the branch was last, and a repository that has that commit: a branch that was deleted is made again there. */
  readonly last?: { readonly tip: string; readonly repository: string } | undefined
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
  const hint = `Make one: git -C ${shellWord(directory)} init`
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
      hint: `Make a copy with SHA-1 objects: git init COPY, then git -C ${shellWord(directory)} fast-export --all | git -C COPY fast-import`,
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
  { path, common }: Pick<UserRepository, 'path' | 'common'>,
  name: string,
  what: 'base' | 'commit' = 'base',
): Promise<string> {
  const command = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`]
  const found = await gitAnswer(command, { repository: gitDirectory(path, common), directory: path })
  if (found) return found.toString().trim()
  const hint =
    name === 'HEAD'
      ? 'The repository has no commit yet. Make one first.'
      : 'Name a branch, a tag or a commit.'
  const problem = `there is no such commit in ${path}`
  throw new InvalidInputError({ what: `The ${what} ${name}`, problem, hint })
}

/** Of the working tree at that path, whose HEAD is its own. */
const gitDirectory = (path: string, common: string) =>
  existsSync(join(path, '.git')) ? join(path, '.git') : common

/** Of a branch between two slashes, in bytes: git makes a file of it, and while it does, one with ".lock" at its end. */
const LONGEST_PART = 255 - '.lock'.length

/**
 * Adds the worktree, without its files, and its branch. Existing ones stay, and so does what is in the directory; what was
 * moved, pruned or deleted is there again.
 */
export async function addWorktree(place: WorktreePlace): Promise<void> {
  const { repository, directory, branch, commit, last } = place
  const { common } = repository
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const real = await realpath(directory)
  const isThere = await isAdded(common, real)
  const tip = await refAt(common, `refs/heads/${branch}`)
  if (isThere && tip !== null) return
  const at = { repository: common, directory: common }
  await assertBase(repository, commit)
  if (isThere) return makeBranch(place)
  if (branch.split('/').some((part) => Buffer.byteLength(part) > LONGEST_PART)) {
    const problem = `a part of its name is longer than ${LONGEST_PART} bytes`
    const what = `The branch ${branch.slice(0, 40)}...`
    throw new InvalidInputError({ what, problem, hint: 'Name another one.' })
  }
  if ((await gitAnswer(['check-ref-format', `refs/heads/${branch}`], at)) === null) {
    const problem = 'git does not allow this name'
    throw new InvalidInputError({ what: `The branch ${branch}`, problem, hint: 'Name another one.' })
  }
  // Git adds worktrees to empty directories only, and not in one step: `.git` moves here when it is complete.
  const fresh = join(real, '..', 'new', basename(real))
  for (const left of [real, fresh]) await releaseWorktree(repository, left)
  await rm(dirname(fresh), { recursive: true, force: true })
  if (tip !== null) await checkBranch(place, tip)
  try {
    await pinBranch(place)
    if (tip === null) await makeBranch(place)
  } catch (error) {
    await assertRoom(place)
    throw error
  }
  // The work of a removed agent of the same id, if it is merged, is part of what the new one begins from.
  if (tip !== null && !last && (await isAncestor(common, tip, commit)))
    await git(['update-ref', `refs/heads/${branch}`, commit, tip], at)
  // One that was lost would keep the agent from returning to its branch.
  await takeFromWorktrees(repository, branch, (link) => !existsSync(link))
  await git(['worktree', 'add', '--force', '--quiet', '--no-checkout', '--', fresh, branch], at)
  await resetIndex(fresh)
  const record = recordIn((await textOfGit(join(fresh, '.git'))) ?? '')
  await writeFile(join(record, 'gitdir'), `${join(real, '.git')}\n`)
  await rename(join(fresh, '.git'), join(real, '.git'))
  await rm(dirname(fresh), { recursive: true, force: true })
}

/** Notes that a branch is an agent's. The base that it begins from stays reachable. */
export async function pinBranch({
  repository: { common },
  branch,
  commit,
}: Pick<WorktreePlace, 'repository' | 'branch' | 'commit'>): Promise<void> {
  await git(['update-ref', pinOf(branch), commit], { repository: common, directory: common })
}

/** What the file `.git` of a worktree says. */
const recordIn = (link: string): string => link.replace(/^gitdir: /, '').trimEnd()

/** Whether the repository has the worktree. Each is told where the other one is now. */
async function isAdded(common: string, directory: string): Promise<boolean> {
  const link = join(directory, '.git')
  const stats = await lstat(link).catch(() => null)
  // The agent has made a repository of its own.
  if (stats && !stats.isFile()) return true
  const linked = stats ? recordIn((await textOfGit(link)) ?? '') : ''
  const [own] = await recordsOf(common, directory)
  if (own !== undefined) {
    if (linked !== own) await writeFile(link, `gitdir: ${own}\n`)
    return true
  }
  const isOurs = linked !== '' && dirname(linked) === join(common, 'worktrees')
  const elsewhere = isOurs ? await textOfGit(join(linked, 'gitdir')) : null
  // Git has forgotten it, or it is a copy, and the record is that of the original.
  if (elsewhere === null || existsSync(elsewhere.trimEnd())) return false
  await writeFile(join(linked, 'gitdir'), `${link}\n`)
  return true
}

/**
 * What a repository knows of its worktrees. A pipe in a record is removed, which has nothing in it: git would wait for its writer
 * whenever it looks for the worktrees of any agent.
 */
async function recordsIn(common: string): Promise<readonly string[]> {
  const directory = join(common, 'worktrees')
  const records = (await readdir(directory).catch(() => [])).map((name) => join(directory, name))
  for (const record of records)
    for (const path of READ_OF_RECORD.map((name) => join(record, name)))
      if ((await lstat(path).catch(() => null))?.isFIFO()) await rm(path, { force: true })
  return records
}

const READ_OF_RECORD = ['gitdir', 'HEAD', 'commondir', 'locked', 'config.worktree']

/** What the repository knows of the worktree in a directory, or also what a git that was killed has left of one. */
async function recordsOf(common: string, directory: string, alsoParts = false): Promise<readonly string[]> {
  const found: string[] = []
  for (const record of await recordsIn(common)) {
    const path = (await textOfGit(join(record, 'gitdir'))) ?? ''
    const isWanted = alsoParts || existsSync(join(record, 'HEAD'))
    if (path.trimEnd() === join(directory, '.git') && isWanted) found.push(record)
  }
  return found
}

/** The worktrees of a repository that are below a directory. */
export async function worktreesBelow(
  { common }: UserRepository,
  directory: string,
): Promise<readonly string[]> {
  const found: string[] = []
  for (const record of await recordsIn(common)) {
    const path = (await textOfGit(join(record, 'gitdir'))) ?? ''
    if (path.startsWith(`${directory}/`)) found.push(dirname(path.trimEnd()))
  }
  return found
}

/** Whether a directory is a worktree that its repository knows. */
export async function isWorktree(directory: string): Promise<boolean> {
  const link = (await textOfGit(join(directory, '.git'))) ?? ''
  return link.startsWith('gitdir: ') && existsSync(join(recordIn(link), 'HEAD'))
}

async function assertBase({ path, common }: UserRepository, commit: string): Promise<void> {
  const at = { repository: common, directory: common }
  if (await gitAnswer(['cat-file', '-e', `${commit}^{commit}`], at)) return
  const problem = `it does not have the commit ${commit}, which its agent began from`
  const hint = 'Fetch that commit into it. The files of the agent are in its snapshots.'
  throw new InvalidInputError({ what: `The repository ${path}`, problem, hint })
}

/** Where it was last, or at the base. */
async function makeBranch({ repository: { common }, branch, commit, last }: WorktreePlace): Promise<void> {
  if (last) await handOver({ common }, { from: last.repository, commit: last.tip, known: [commit] })
  const at = { repository: common, directory: common }
  await git(['update-ref', `refs/heads/${branch}`, last?.tip ?? commit, ''], at)
}

/** An existing branch has to be one of an agent, and no other tree may have it checked out. Throws InvalidInputError. */
async function checkBranch(
  { repository: { common }, branch, last }: WorktreePlace,
  tip: string,
): Promise<void> {
  const what = `The branch ${branch}`
  if (tip !== last?.tip && (await refAt(common, pinOf(branch))) === null)
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
        hint: `Name another one, or free it there: git -C ${shellWord(elsewhere)} switch --detach`,
      })
  }
}

/** Git keeps no branch below another one: `a/b` where there is an `a`. Throws InvalidInputError. */
async function assertRoom({ repository: { common }, branch }: WorktreePlace): Promise<void> {
  const format = '--format=%(refname)'
  for (const [place, whose] of [
    ['refs/heads/', 'the branch'],
    [PINS, "an agent's branch"],
  ] as const) {
    const parts = branch.split('/')
    const above = parts.slice(1).map((_, at) => `${place}${parts.slice(0, at + 1).join('/')}`)
    const asking = ['for-each-ref', format, `${place}${branch}/`, ...above]
    const refs = (await git(asking, { repository: common, directory: common })).toString().split('\n')
    const other = refs.find((ref) => above.includes(ref) || ref.startsWith(`${place}${branch}/`))
    if (other === undefined) continue
    const problem = `git cannot make it next to ${whose} ${other.slice(place.length)}: one is a folder of the other`
    throw new InvalidInputError({
      what: `The branch ${branch}`,
      problem,
      hint: 'Name another one, or rename that.',
    })
  }
}

/**
 * Lets go of an agent's branch in the base directories of others, where the agent lived before: a worktree that has it checked
 * out stays at the commit that it is at. What else has it checked out is the user's.
 */
export async function freeBranch({
  repository: { common },
  directory,
  branch,
}: Omit<WorktreePlace, 'commit'>): Promise<void> {
  const real = await realpath(directory).catch(() => directory)
  // As directories of an agent are called.
  const [agent, workspace] = [basename(dirname(real)), basename(real)]
  const isOfAgent = (link: string) =>
    link !== join(real, '.git') && link.endsWith(`/agents/${agent}/${workspace}/.git`)
  await takeFromWorktrees({ common }, branch, isOfAgent)
}

/**
 * Lets worktrees stay at the commit of a branch without having it checked out.
 *
 * @param areMeant Which ones, by the path of their `.git`.
 */
async function takeFromWorktrees(
  { common }: Pick<UserRepository, 'common'>,
  branch: string,
  areMeant: (link: string) => boolean,
): Promise<void> {
  const tip = await refAt(common, `refs/heads/${branch}`)
  if (tip === null) return
  for (const record of await recordsIn(common)) {
    const [link, head] = await Promise.all(['gitdir', 'HEAD'].map((file) => textOfGit(join(record, file))))
    if (head !== `ref: refs/heads/${branch}\n` || !areMeant((link ?? '').trimEnd())) continue
    await writeFile(join(record, 'HEAD.new'), `${tip}\n`)
    await rename(join(record, 'HEAD.new'), join(record, 'HEAD'))
  }
}

/** Moves an agent's branch to a later commit that is in a repository of ours. One that has moved on, or is not there, stays. */
export async function moveBranch(
  { repository: { common }, directory, branch, commit }: WorktreePlace,
  { from, tip }: { readonly from: string; readonly tip: string },
): Promise<void> {
  const old = await refAt(common, `refs/heads/${branch}`)
  if (old === null || old === tip || !(await isAncestor(from, old, tip))) return
  await handOver({ common }, { from, commit: tip, known: [old, commit] })
  await git(['update-ref', `refs/heads/${branch}`, tip, old], { repository: common, directory: common })
  if (await isWorktree(directory)) await resetIndex(directory)
}

/** Whether a commit is part of the history of another one. */
export const isAncestor = async (common: string, commit: string, of: string): Promise<boolean> => {
  const asking = ['merge-base', '--is-ancestor', commit, of]
  return (await gitAnswer(asking, { repository: common, directory: common })) !== null
}

/** null if there is no such ref: what git would find from a name, such as the commit before a branch, is none. */
export async function refAt(common: string, ref: string): Promise<string | null> {
  // Most refs are files: no process for these, nor for one that is nowhere.
  const loose = ref.includes('..') ? '' : await looseRef(common, ref)
  if (loose === null && !hasOtherRefs(common)) return null
  if (loose !== null && OID.test(loose)) return loose.trim()
  return firstLine(common, ['show-ref', '--verify', '--hash', '--', ref])
}

/** null if there is no such commit. */
export const commitAt = (common: string, ref: string): Promise<string | null> =>
  firstLine(common, ['rev-parse', '--verify', '--quiet', ref])

async function firstLine(common: string, command: readonly string[]): Promise<string | null> {
  const output = await gitAnswer(command, { repository: common, directory: common })
  return output?.toString().trim() ?? null
}

const OID = /^([0-9a-f]{40}|[0-9a-f]{64})\n$/

/** The commits that an agent's branch and its worktree are at: one, unless the agent has left its branch. */
export async function tipsOf({
  repository: { common },
  directory,
  branch,
}: Pick<WorktreePlace, 'repository' | 'directory' | 'branch'>): Promise<{
  readonly branch: string | null
  readonly head: string | null
}> {
  const name = `refs/heads/${branch}`
  const tip = await refAt(common, name)
  const [record] = await recordsOf(common, await realpath(directory))
  if (record === undefined) return { branch: tip, head: null }
  const head = (await textOfGit(join(record, 'HEAD'))) ?? ''
  if (head === `ref: ${name}\n`) return { branch: tip, head: tip }
  const left = head.startsWith('ref: ') ? await refAt(common, head.slice('ref: '.length).trim()) : head.trim()
  return { branch: tip, head: left || null }
}

/** The commit that a worktree's branch is at; null if the agent has left its branch. */
export async function headOf({
  repository: { common },
  directory,
  branch,
}: Pick<WorktreePlace, 'repository' | 'directory' | 'branch'>): Promise<string | null> {
  const record = recordIn((await textOfGit(join(directory, '.git'))) ?? '')
  if (dirname(record) === join(common, 'worktrees')) {
    const head = (await textOfGit(join(record, 'HEAD'))) ?? ''
    const tip = head === `ref: refs/heads/${branch}\n` ? await refAt(common, `refs/heads/${branch}`) : null
    if (tip !== null) return tip
  }
  const at = { repository: join(directory, '.git'), directory }
  const current = await gitAnswer(['symbolic-ref', '--quiet', 'HEAD'], at)
  if (current?.toString().trim() !== `refs/heads/${branch}`) return null
  return (await git(['rev-parse', '--verify', 'HEAD'], at)).toString().trim()
}

/** Commits that are copied from a repository of ours. */
interface HandedOver {
  readonly from: string
  readonly commit: string
  /** What the other one may have of their history: what a ref keeps there is not copied. */
  readonly known: readonly string[]
  /** The ref that is moved there. Mostly it is at what is known: then no other one is looked at. */
  readonly moving?: string
}

/** Copies commits from a repository of ours, so that nothing of their history is missing, whatever was removed there. */
export async function handOver(
  { common }: Pick<UserRepository, 'common'>,
  { from, commit, known, moving }: HandedOver,
): Promise<void> {
  const at = { repository: common, directory: common }
  const tip = moving === undefined ? null : await refAt(common, moving)
  const isEnough = tip !== null && known.every((one) => one === tip)
  const refs = isEnough ? tip : await git(['for-each-ref', '--format=%(objectname)'], at)
  const kept = new Set(refs.toString().split('\n'))
  // Not fetched: a fetch runs what the configuration of the repository names.
  const without = known.filter((one) => kept.has(one)).map((one) => `^${one}`)
  const input = [Buffer.from([commit, ...without, ''].join('\n'))]
  const pack = gitPieces(['pack-objects', '--quiet', '--revs', '--stdout'], { repository: from, input })
  await git(['unpack-objects', '-q'], { ...at, input: pack })
}

/** Moves the branch of a worktree on to a commit that is in a repository of ours. Its files are those of the commit already. */
export async function advanceBranch(
  { repository: { common }, directory, branch }: Omit<WorktreePlace, 'commit'>,
  {
    parent,
    known = [],
    ...moved
  }: Omit<HandedOver, 'known'> & Partial<HandedOver> & { readonly parent: string },
): Promise<void> {
  const { commit } = moved
  const ref = `refs/heads/${branch}`
  await handOver({ common }, { ...moved, known: [parent, ...known], moving: ref })
  // First: after a crash in between, the changes are staged, and not reverted by what the agent commits next.
  await resetIndex(directory, commit)
  try {
    await git(['update-ref', ref, commit, parent], { repository: common, directory: common })
  } catch (error) {
    // The agent has committed meanwhile, and its commit stays.
    await resetIndex(directory)
    throw error
  }
}

/** How many commits no other branch of the repository has, nor a tag: those that came after the base, and are not in `landed`. */
export async function countUnlanded(
  { repository: { common }, branch, commit }: Pick<WorktreePlace, 'repository' | 'branch' | 'commit'>,
  tips: readonly string[],
  landed: readonly string[],
): Promise<number> {
  const others = [`--exclude=${branch}`, '--branches', '--remotes', '--tags', commit, ...landed]
  const counting = ['rev-list', '--count', ...tips, '--not', ...others]
  return Number(await git(counting, { repository: common, directory: common }))
}

/** Whether another branch of the repository has a commit, or a tag. */
export async function isOnAnother(
  { repository: { common }, branch }: Pick<WorktreePlace, 'repository' | 'branch'>,
  commit: string,
): Promise<boolean> {
  const asking = ['for-each-ref', '--format=%(refname)', `--contains=${commit}`, 'refs/heads', 'refs/remotes']
  // It fails where the repository does not have the commit.
  const found = await gitAnswer([...asking, 'refs/tags'], { repository: common, directory: common })
  const refs = (found ?? '').toString().split('\n').filter(Boolean)
  return refs.some((ref) => ref !== `refs/heads/${branch}`)
}

/** What the branches are at that came after the base and are no agent's, the newest ones. */
export async function userBranches(
  { repository: { common }, commit }: Pick<WorktreePlace, 'repository' | 'commit'>,
  most: number,
): Promise<readonly string[]> {
  const at = { repository: common, directory: common }
  const lines = async (...command: string[]) =>
    String(await git(['for-each-ref', ...command], at)).split('\n')
  const pins = await lines('--format=%(refname)', PINS)
  const agents = new Set(pins.map((pin) => pin.replace(PINS, 'refs/heads/')))
  const format = ['--sort=-committerdate', '--format=%(objectname) %(refname)']
  const branches = await lines(...format, `--contains=${commit}`, 'refs/heads', 'refs/remotes')
  const tips = branches.flatMap((line) => {
    const [tip = '', ref = ''] = line.split(' ')
    return tip === '' || agents.has(ref) ? [] : [tip]
  })
  return [...new Set(tips)].slice(0, most)
}

/** Keeps a commit that is in a repository of ours under a ref of the user's. Returns the name of the ref. */
export async function keepCommit(
  { repository: { common } }: Pick<WorktreePlace, 'repository'>,
  agent: string,
  { from, commit, without }: { readonly from: string; readonly commit: string; readonly without: string },
): Promise<string> {
  await handOver({ common }, { from, commit, known: [without] })
  const ref = `refs/claude-agents/kept/${agent}/${commit.slice(0, SHORT)}`
  await git(['update-ref', ref, commit], { repository: common, directory: common })
  return ref
}

/** So many digits name a commit. */
const SHORT = 12

/** Lets the repository forget a worktree. Its branch and its files stay. */
export async function releaseWorktree({ common }: UserRepository, directory: string): Promise<void> {
  const real = await realpath(directory).catch(() => directory)
  for (const record of await recordsOf(common, real, true)) await rm(record, { recursive: true, force: true })
}

/** Removes the locks of git processes that were killed: no other process writes what they lock while the agent is not at work. */
export async function removeLocks({
  repository: { common },
  directory,
  branch,
}: Pick<WorktreePlace, 'repository' | 'directory' | 'branch'>): Promise<void> {
  const locked = [join(common, 'refs/heads', branch), join(common, pinOf(branch))]
  for (const record of await recordsOf(common, await realpath(directory).catch(() => directory)))
    locked.push(join(record, 'HEAD'), join(record, 'index'))
  // Where something else is in the place of a directory, git says so. No file has a name that is too long.
  for (const path of locked) await unless([...SWAPPED, 'ENAMETOOLONG'], rm(`${path}.lock`))
}

/** What keeps the commits that an agent began from. */
const pinOf = (branch: string): string => `${PINS}${branch}`
const PINS = 'refs/claude-agents/base/'

/** Lets the index of a worktree have what a commit has, by default its HEAD, without looking at the files. */
export async function resetIndex(directory: string, commit = 'HEAD'): Promise<void> {
  await git(['read-tree', commit], { repository: join(directory, '.git'), directory })
}

/** The patterns of a repository beside its `.gitignore` files. */
export const excludesOf = ({ common }: UserRepository): string => join(common, 'info', 'exclude')
