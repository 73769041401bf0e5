/** Merges commits in a repository of ours, where no filter, merge driver, hook or configuration of a user's repository counts. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { type Author, gitAnswer, shallowCommits } from './git.ts'
import { readable } from './paths.ts'
import { FilesRepository } from './repository.ts'
import { isAncestor, type UserRepository } from './worktree.ts'

/** Beside the snapshots. */
export const mergingPath = ({ path }: FilesRepository): string => join(dirname(path), 'landing.git')

/** One of each, so that its users take turns. */
const MERGING = new WeakMap<FilesRepository, FilesRepository>()

/** Where commits are merged: it reads the user's repository, with all of its history, and the snapshots. */
export async function mergingRepository(
  snapshots: FilesRepository,
  { common }: UserRepository,
): Promise<FilesRepository> {
  const merging = MERGING.get(snapshots) ?? new FilesRepository(mergingPath(snapshots))
  MERGING.set(snapshots, merging)
  for (const repository of [common, snapshots.path]) await merging.borrow(join(repository, 'objects'))
  for (;;) {
    const from = merging.borrowed()
    const ends = await endsOf(from.map(dirname).filter((path) => path !== snapshots.path && existsSync(path)))
    // Another repository may have been borrowed from meanwhile.
    if (merging.borrowed().length > from.length) continue
    merging.cutOffAt(ends)
    return merging
  }
}

/**
 * Where the history that these repositories have together ends: where that of a shallow clone does, unless another one knows
 * what came before. The user may deepen a clone, or fetch it anew, between any two merges.
 */
async function endsOf(repositories: readonly string[]): Promise<readonly string[]> {
  const ends = new Set((await Promise.all(repositories.map(shallowCommits))).flat())
  for (const repository of ends.size > 0 && repositories.length > 1 ? repositories : []) {
    const asked = [...ends]
    const input = [Buffer.from(asked.map((commit) => `${commit}^1\n`).join(''))]
    const found = await gitAnswer(['cat-file', '--batch-check'], { repository, input })
    const lines = (found ?? '').toString().split('\n')
    for (const [at, commit] of asked.entries()) if (lines[at]?.includes(' commit ')) ends.delete(commit)
  }
  return [...ends]
}

/** Two commits merged. */
export interface MergedTree {
  /** With both versions marked in the files that conflict. */
  readonly tree: string
  /** The paths that conflict. */
  readonly conflicts: readonly string[]
  /** What git says about each conflict. */
  readonly said: string
}

/** Merges two commits. What one of them has of the other's work as one commit of its own (`squash`) counts as merged. */
export async function mergeTrees(
  repository: FilesRepository,
  ours: string,
  theirs: string,
  at: Date,
): Promise<MergedTree> {
  const sides = [
    await withSquashed(repository, ours, theirs, at),
    await withSquashed(repository, theirs, ours, at),
  ]
  const command = ['merge-tree', '--write-tree', '-z', '--name-only', ...sides]
  const output = (await repository.git(command, { mayBeOne: true })).toString('latin1')
  const [tree = '', ...rest] = output.split('\0')
  if (!/^[0-9a-f]{40}$/.test(tree)) {
    const problem = 'git cannot merge without a working tree'
    throw new WorkspaceError({ path: repository.path, problem, hint: 'Install git 2.38 or later.' })
  }
  const end = rest.indexOf('')
  const conflicts = rest.slice(0, Math.max(0, end)).map(readable)
  const said = rest
    .slice(end + 1)
    .filter((text) => text.startsWith('CONFLICT') && text.endsWith('\n'))
    .map(readable)
  return { tree, conflicts, said: said.join('') }
}

/** The work of one agent, and how it becomes part of another branch. */
export interface MergedWork {
  readonly entry: string
  readonly agent: string
  readonly branch: string
  readonly head: string
  readonly squash: boolean
}

/** What merging some work came to. */
export interface MergedEntries {
  /** In their order, each on the one before. */
  readonly commits: readonly { readonly entry: string; readonly commit: string }[]
  /** What the commit that they are merged on contains already. */
  readonly contained: readonly string[]
  /** The first one that was not merged because it conflicts: after others, it may be their fault. */
  readonly conflict: ({ readonly entry: string } & MergedTree) | null
}

/** Merges work on a commit, one after the other, up to the first conflict. The commits are in the repository of ours. */
export async function mergeWork(
  repository: FilesRepository,
  onto: string,
  works: readonly MergedWork[],
  at: Date,
): Promise<MergedEntries> {
  const commits: { entry: string; commit: string }[] = []
  const contained: string[] = []
  let last = onto
  for (const work of works) {
    const { entry, head } = work
    if (await isAncestor(repository.path, head, onto)) {
      contained.push(entry)
      continue
    }
    const merged = await mergeTrees(repository, last, head, at)
    if (merged.conflicts.length > 0) return { commits, contained, conflict: { entry, ...merged } }
    if (merged.tree === (await treeOf(repository, last))) {
      if (last === onto) contained.push(entry)
      else commits.push({ entry, commit: last })
      continue
    }
    const by = { author: work.agent, at }
    last = await commitTree(repository, merged.tree, work.squash ? [last] : [last, head], {
      by,
      message: await messageOf(repository, await withSquashed(repository, onto, head, at), work),
    })
    if (work.squash) await repository.setRef(`${SQUASHED}${last}`, head)
    commits.push({ entry, commit: last })
  }
  return { commits, contained, conflict: null }
}

/** Under the name of each commit that work became: the work. */
const SQUASHED = 'refs/squashed/'

/** The work in the history of a commit that was squashed, and the commit that each became. */
export async function squashedWork(
  repository: FilesRepository,
  commit: string,
): Promise<readonly { readonly work: string; readonly as: string }[]> {
  const format = '--format=%(refname:lstrip=2) %(objectname)'
  const refs = (await repository.git(['for-each-ref', format, '--merged', commit, SQUASHED])).toString()
  return refs.split('\n').flatMap((line) => {
    const [as = '', work] = line.split(' ')
    return work === undefined ? [] : [{ work, as }]
  })
}

/** A commit as it would be if the work of another one that was squashed into its history had been merged; or itself. */
async function withSquashed(
  repository: FilesRepository,
  commit: string,
  of: string,
  at: Date,
): Promise<string> {
  const heads: string[] = []
  for (const { work, as } of await squashedWork(repository, of))
    if (await isAncestor(repository.path, as, commit)) heads.push(work)
  if (heads.length === 0) return commit
  const by = { author: 'claude-agents', at }
  return commitTree(repository, await treeOf(repository, commit), [commit, ...heads], { message: '', by })
}

/** A commit of a tree. */
export async function commitTree(
  repository: FilesRepository,
  tree: string,
  parents: readonly string[],
  { message, by }: { readonly message: string; readonly by: Author },
): Promise<string> {
  const command = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-F', '-']
  return (await repository.git(command, { input: [Buffer.from(message)], by })).toString().trim()
}

export async function treeOf(repository: FilesRepository, commit: string): Promise<string> {
  return (await repository.git(['rev-parse', '--verify', `${commit}^{tree}`])).toString().trim()
}

/** So many turns are named in the message of one commit. */
const MOST_NAMED = 50

async function messageOf(
  repository: FilesRepository,
  onto: string,
  { entry, agent, branch, head, squash }: MergedWork,
): Promise<string> {
  const trailers = `Agent: ${agent}\nLanding: ${entry}\n`
  if (!squash) return `Merge ${branch}\n\n${trailers}`
  const log = ['log', '--reverse', '--no-merges', '--format=%s', `${onto}..${head}`]
  const subjects = (await repository.git(log)).toString().trim().split('\n').slice(0, MOST_NAMED)
  const [first = ''] = subjects
  const others = subjects.length > 1 ? `${subjects.map((subject) => `- ${subject}`).join('\n')}\n\n` : ''
  return `${first || `Work of ${agent}`}\n\n${others}${trailers}`
}
