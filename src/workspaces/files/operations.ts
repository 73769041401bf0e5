/** What runners do with the files of agents: laid out, saved, brought back, compared. */

import type { Clock } from '../../clock.ts'
import { NO_FILES } from '../../events/agent-facts.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import type { RepositoryOptions, RepositoryWorkspace } from '../../events/options/agent.ts'
import type { Logger } from '../../logger.ts'
import { type FileChange, FileHistory, type ListedFile, type SavedFiles } from './file-history.ts'
import { type MergedIn, type Merging, mergeIn } from './merge-in.ts'
import { branchRef, type FilesTips, type MovedFiles, OpenHistories } from './open-histories.ts'
import {
  type FilesPlace,
  hasNothing,
  isGone,
  NOTHING,
  type RepositoryPlace,
  type SnapshotsPlace,
} from './place.ts'
import { type ProjectSettings, projectSettings } from './project.ts'
import { type KeptWork, releaseFiles, type UnlandedWork, unlandedWork } from './unlanded-work.ts'
import { commitOf, refAt } from './worktree.ts'

/** The files before and after they were brought back. */
export interface RestoredFiles {
  readonly before: SavedFiles
  readonly after: SavedFiles
  /** The snapshot that was asked for. */
  readonly to: string
}

export interface FilesOperations {
  /** The workspace that the options describe: its commit is what the base is now. Throws InvalidInputError. */
  resolve(
    options: Required<Pick<RepositoryOptions, 'repo' | 'base' | 'branch'>>,
  ): Promise<RepositoryWorkspace>
  /** Whether there is nothing to save: no file in a directory that never had any. Costs no process. */
  isEmpty(place: FilesPlace): boolean
  /** Whether the workspace has to be made again. */
  isGone(place: FilesPlace): boolean
  /** Whether the newest snapshot is not here: the agent worked on another machine, or the snapshots were lost. */
  isLost(place: FilesPlace): Promise<boolean>
  /**
   * Passes on a snapshot with its history, and what the agent's branch is at, as a pack of git: without what is part of `since`,
   * or all of it (`isWhole`) if that is not here.
   */
  pack<Taken>(
    place: FilesPlace,
    commit: string,
    since: FilesTips | undefined,
    take: (pieces: AsyncIterable<Buffer>) => Promise<Taken>,
  ): Promise<{
    readonly branch: string | undefined
    readonly shallow: readonly string[]
    readonly isWhole: boolean
    readonly taken: Taken
  }>
  /**
   * Brings the files into the state that they had on another machine; `lost`: that is neither here nor in the packs. What is
   * here of an earlier time is kept under a ref, and never mixed with it. Throws if the repository is not as it has to be.
   */
  arrive(place: FilesPlace, moved: MovedFiles): Promise<'kept' | 'restored' | 'lost'>
  /** Makes a workspace that is gone again, from the newest snapshot. Everything here that touches it does so first. */
  layOut(place: FilesPlace): Promise<void>
  /** Saves the files as they are. Of a workspace without files, the snapshot is `NO_FILES`. */
  save(place: FilesPlace, note: string): Promise<SavedFiles>
  /**
   * Brings the files back to a snapshot, or to a commit of the repository. The present ones are saved first. Which snapshot
   * is asked when it is the turn of these files, and nothing else happens to them before `done` has resolved.
   */
  restore<Done>(
    place: FilesPlace,
    to: () => string | undefined,
    note: string,
    done: (restored: RestoredFiles) => Promise<Done>,
  ): Promise<Done | undefined>
  /** The commit that a name means in the repository, or a snapshot. Throws InvalidInputError. */
  find(place: FilesPlace, name: string): Promise<string>
  /** How the files differ between two snapshots, by path. This and the next two need no worktree. */
  changes(place: SnapshotsPlace, from: string, to: string): Promise<readonly FileChange[]>
  /** The files of a snapshot. */
  list(place: SnapshotsPlace, commit: string): Promise<readonly ListedFile[]>
  /** The difference between two snapshots as a patch. */
  patch(place: SnapshotsPlace, from: string, to: string): Promise<string>
  /** The project's own settings in the worktree, and the repository that brings them: what all its working trees share. */
  project(place: RepositoryPlace): Promise<ProjectSettings & { readonly repository: string }>
  /** Commits the files of a snapshot to the agent's branch; null if the branch has them, or the agent has left it. */
  commit(place: FilesPlace, saved: SavedFiles, message: string): Promise<string | null>
  /** Where the agent's branch is, once it has what the files have; while they are being worked on, as it is. */
  head(place: RepositoryPlace, isFree: () => boolean): Promise<string>
  /**
   * Merges a commit of the repository into the agent's branch and its files, in which conflicts are marked; null while they are
   * being worked on. Done once for each `name`, also if a crash comes between.
   *
   * @param merging `before`: the snapshot that they are brought back to first, if the last call did not end well.
   */
  mergeIn(place: RepositoryPlace, commit: string, merging: Merging): Promise<MergedIn | null>
  /** The work that would be nowhere else without the agent; null if there is none. */
  unlanded(place: FilesPlace): Promise<UnlandedWork | null>
  /**
   * Saves the files, and lets the repository forget the worktree. Its branch, its snapshots and its directory stay. Returns
   * where the work is that is not landed.
   */
  release(place: FilesPlace): Promise<KeptWork | null>
}

export function filesOperations(clock: Clock, logger?: Logger): FilesOperations {
  const open = new OpenHistories(clock, logger)

  /** Looks at snapshots, whatever has become of the files. Throws SnapshotMissing. */
  async function look<Seen>(
    { agent, directories }: SnapshotsPlace,
    commits: readonly string[],
    work: (snapshots: FileHistory) => Promise<Seen>,
  ): Promise<Seen> {
    const repository = open.snapshotsIn(directories)
    try {
      return await work(new FileHistory({ repository, agent, directory: directories.workspace }))
    } catch (error) {
      for (const commit of commits) await repository.assertHas(commit)
      throw error
    }
  }

  return {
    async resolve({ repo, base, branch }) {
      const repository = await open.repositoryAt(repo)
      return { repo: repository.path, base, commit: await commitOf(repository, base), branch }
    },
    isEmpty: hasNothing,
    isGone,
    async isLost({ agent, directories, last = NO_FILES }) {
      if (last === NO_FILES) return false
      const snapshots = open.snapshotsIn(directories)
      // Mostly it is the newest one there, too.
      return (await snapshots.refAt(`refs/agents/${agent}`)) !== last && !(await snapshots.has(last))
    },
    pack: (...what) => open.packed(...what),
    arrive: (place, moved) => open.arrive(place, moved),
    async layOut(place) {
      if (!hasNothing(place) && isGone(place)) await open.withHistory(place, async () => {})
    },
    async save(place, note) {
      if (hasNothing(place)) return NOTHING
      return open.withHistory(place, (history) => history.save(note, open.by(place.agent)))
    },
    restore: (place, to, note, done) =>
      open.inTurn(place, async () => {
        const commit = to()
        if (commit === undefined) return undefined
        const isNothing = commit === NO_FILES && hasNothing(place)
        const restored = isNothing
          ? { before: NOTHING, after: NOTHING }
          : await (await open.historyOf(place)).restore(commit, note, open.by(place.agent))
        return done({ ...restored, to: commit })
      }),
    async find({ workspace, directories }, name) {
      const ours = open.snapshotsIn(directories)
      const snapshot = () => commitOf({ path: ours.path, common: ours.path }, name, 'commit')
      if (!workspace) return snapshot()
      try {
        const repository = await open.repositoryOf(workspace)
        const commit = await commitOf(repository, name, 'commit')
        await ours.copy(commit, repository)
        return commit
      } catch (unknown) {
        return snapshot().catch(() => Promise.reject(unknown))
      }
    },
    changes: async (place, from, to) =>
      from === to ? [] : look(place, [from, to], (snapshots) => snapshots.changes(from, to)),
    list: async (place, commit) =>
      commit === NO_FILES ? [] : look(place, [commit], (snapshots) => snapshots.list(commit)),
    patch: async (place, from, to) =>
      from === to ? '' : look(place, [from, to], (snapshots) => snapshots.patch(from, to)),
    project: (place) =>
      open.inTurn(place, async () => {
        const { common: repository } = await open.repositoryOf(place.workspace)
        // It is looked at again once the next call has made it again.
        if (isGone(place)) return { files: [], hash: '', repository }
        return { ...(await projectSettings(place.directories.workspace)), repository }
      }),
    commit: (place, saved, message) =>
      open.withHistory(place, async (history) => {
        const { workspace } = place
        const made = workspace ? await open.committed({ ...place, workspace }, history, saved, message) : null
        return made?.isNew ? made.tip : null
      }),
    head: (place, isFree) =>
      open.inTurn(place, async () => {
        // An agent that commits by itself says so what is to land.
        if (isFree() && place.workspace.commits !== 'agent') {
          const history = await open.historyOf(place)
          const saved = await history.save('before landing', open.by(place.agent))
          await open.committed(place, history, saved)
        }
        const { repo, branch, commit } = place.workspace
        const repository = await open.repositoryOf({ repo })
        const tip = await refAt(repository.common, `refs/heads/${branch}`)
        if (tip !== null) {
          // Whatever becomes of the branch, what is queued stays.
          const ours = open.snapshotsIn(place.directories)
          await ours.prepare()
          await ours.keep(branchRef(place.agent), tip, commit, repository)
          return tip
        }
        throw new WorkspaceError({ path: repo, problem: `the branch ${branch} is gone` })
      }),
    mergeIn: (place, commit, merging) =>
      open.inTurn(place, async () => (merging.isFree() ? mergeIn(open, place, commit, merging) : null)),
    unlanded: (place) => open.inTurn(place, () => unlandedWork(open, place)),
    release: (place) => open.inTurn(place, () => releaseFiles(open, place)),
  }
}
