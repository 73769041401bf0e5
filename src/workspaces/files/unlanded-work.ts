/** The work of an agent that is nowhere else: found before the agent is removed, and kept when it is. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { GitNotInstalled } from '../../events/errors/workspace.ts'
import { FileHistory } from './file-history.ts'
import { mergeTrees, mergingPath, mergingRepository, squashedWork, treeOf } from './merge.ts'
import { branchRef, type OpenHistories } from './open-histories.ts'
import { type FilesPlace, hasNothing, hasWorktree, isGone, type RepositoryPlace } from './place.ts'
import type { FilesRepository } from './repository.ts'
import {
  countUnlanded,
  isOnAnother,
  keepCommit,
  releaseWorktree,
  tipsOf,
  userBranches,
  type WorktreePlace,
} from './worktree.ts'

/** Work of an agent that is nowhere else. */
export interface UnlandedWork {
  readonly repository: string
  readonly branch: string
  /** How many commits no other branch of the repository has. */
  readonly commits: number
  /** How many files are in no commit. */
  readonly files: number
  /** Why that cannot be told. */
  readonly problem?: string
}

/** Where work is that was not landed when its agent was removed: a ref of a repository. */
export interface KeptWork {
  readonly repository: string
  readonly ref: string
  readonly commit: string
}

/** null if all of it is elsewhere. */
export async function unlandedWork(open: OpenHistories, place: FilesPlace): Promise<UnlandedWork | null> {
  if (!hasWorktree(place) || !(await isBegun(open, place))) return null
  const { found: _, ...work } = await workOf(open, place)
  return work.commits + work.files === 0 && !work.problem ? null : work
}

/** Saves the files, and lets go of the directory. Returns where the work is that is not landed. */
export async function releaseFiles(open: OpenHistories, place: FilesPlace): Promise<KeptWork | null> {
  const { agent, directories } = place
  let kept: KeptWork | null = null
  if (hasWorktree(place)) {
    if (await isBegun(open, place)) kept = await keepWork(open, place)
    const repository = await open.repositoryOf(place.workspace).catch((error) => {
      if (error instanceof InvalidInputError) return null
      throw error
    })
    if (repository) await releaseWorktree(repository, directories.workspace)
    // A new agent of the same id does not continue from there.
    await open.snapshotsIn(directories).leave(branchRef(agent))
  } else if (!isGone(place) && !hasNothing(place)) await endPrivate(open, place)
  open.forget(place)
  return kept
}

/** Whether there ever were files. */
const isBegun = async (open: OpenHistories, { agent, directories }: FilesPlace): Promise<boolean> =>
  existsSync(join(directories.workspace, '.git')) ||
  (await open.snapshotsIn(directories).refAt(`refs/agents/${agent}`)) !== null

/** What an agent has done that is not landed, after its files were saved. The problem if that cannot be told. */
async function workOf(open: OpenHistories, place: RepositoryPlace) {
  const { workspace, directories } = place
  const { repo, branch } = workspace
  try {
    const history = await open.historyOf(place)
    const saved = await history.save('when its work was looked for', open.by(place.agent))
    const repository = await open.repositoryOf(workspace)
    const worktree = { ...workspace, repository, directory: directories.workspace }
    const tips = await tipsOf(worktree)
    const tip = tips.head ?? tips.branch ?? workspace.commit
    const ours = open.snapshotsIn(directories)
    const both = [tip, tips.branch ?? tip]
    const counted = await countUnlanded(worktree, both, await landedWork(worktree, tip, ours))
    const isTaken = counted > 0 && (await isTakenOver(worktree, both, ours, open.by(place.agent).at))
    const commits = isTaken ? 0 : counted
    const { length: files } = await history.changes(tip, saved.commit)
    return { repository: repo, branch, commits, files, found: { history, saved, worktree, tip } }
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error
    return { repository: repo, branch, commits: 0, files: 0, problem: error.message }
  }
}

/** What of the history of a commit has landed as other commits, which a branch of the user has. */
async function landedWork(
  worktree: WorktreePlace,
  tip: string,
  ours: FilesRepository,
): Promise<readonly string[]> {
  if (!existsSync(mergingPath(ours))) return []
  const landed: string[] = []
  const merging = await mergingRepository(ours, worktree.repository)
  for (const { work, as } of await squashedWork(merging, tip))
    if (await isOnAnother(worktree, as)) landed.push(work)
  return landed
}

/** How many branches are looked at. */
const MOST_BRANCHES = 10

/**
 * Whether the user has taken over what the commits changed, in whatever form: squashed, rebased, picked. A branch has it if
 * merging it there changes nothing.
 */
async function isTakenOver(
  worktree: WorktreePlace,
  tips: readonly string[],
  ours: FilesRepository,
  at: Date,
): Promise<boolean> {
  const merging = await mergingRepository(ours, worktree.repository)
  const base = await treeOf(merging, worktree.commit)
  const branches = await userBranches(worktree, MOST_BRANCHES)
  const isTaken = async (tip: string) => {
    // Commits without a change are in no other form.
    if ((await treeOf(merging, tip)) === base) return false
    for (const branch of branches) {
      const { tree, conflicts } = await mergeTrees(merging, branch, tip, at)
      if (conflicts.length === 0 && tree === (await treeOf(merging, branch))) return true
    }
    return false
  }
  for (const tip of new Set(tips)) if (!(await isTaken(tip))) return false
  return true
}

/** Keeps the work that is not landed in the repository, or where the snapshots are if that is not there. */
async function keepWork(open: OpenHistories, place: RepositoryPlace): Promise<KeptWork | null> {
  const { agent, directories } = place
  const { commits, files, found } = await workOf(open, place)
  const repository = open.snapshotsIn(directories)
  const by = open.by(agent)
  const message = `The work of ${agent} when it was removed\n`
  if (!found) {
    const directory = directories.workspace
    const history = new FileHistory({ repository, agent, directory, ignored: {} })
    if (!history.isLaidOut || !existsSync(directory)) return null
    const { commit } = await history.save('when its agent was removed', by)
    return { repository: repository.path, ref: history.ref, commit }
  }
  if (commits + files === 0) return null
  const { history, saved, worktree, tip } = found
  const commit = (await history.commit(saved, tip, message, by)) ?? tip
  const ref = await keepCommit(worktree, agent, { from: repository.path, commit, without: worktree.commit })
  return { repository: worktree.repo, ref, commit }
}

async function endPrivate(open: OpenHistories, place: FilesPlace): Promise<void> {
  try {
    await (await open.historyOf(place)).end('when its agent was removed', open.by(place.agent))
  } catch (error) {
    if (!(error instanceof GitNotInstalled)) throw error
  }
}
