/** What runners do with the files of agents that work on a repository: laid out, saved, brought back, compared. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import type { RepositoryOptions, RepositoryWorkspace } from '../../events/options/agent.ts'
import type { AgentDirectories } from '../directories.ts'
import { prepareDirectories } from '../lifecycle.ts'
import { type FileChange, FileHistory, type ListedFile, type SavedFiles } from './file-history.ts'
import { FilesRepository } from './repository.ts'
import {
  addWorktree,
  advanceBranch,
  commitOf,
  countUnlanded,
  excludesOf,
  headOf,
  keepCommit,
  releaseWorktree,
  removeLocks,
  tipsOf,
  type UserRepository,
  userRepository,
} from './worktree.ts'

/** An agent that works on a repository, and where. */
export interface FilesPlace {
  readonly agent: string
  readonly workspace: RepositoryWorkspace
  readonly directories: AgentDirectories
  /** The snapshot that a worktree which is not there is made from. Default: the commit that the agent began from. */
  readonly last?: string | undefined
  /** Called when a worktree that was gone is there again. */
  readonly rebuilt?: () => void
}

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

/** The files before and after they were brought back. */
export interface RestoredFiles {
  readonly before: SavedFiles
  readonly after: SavedFiles
  /** The snapshot that was asked for. */
  readonly to: string
}

export interface FilesOperations {
  /** The workspace that the options describe: its commit is what the base is now. Throws InvalidInputError. */
  resolve(options: Required<RepositoryOptions>): Promise<RepositoryWorkspace>
  /** Saves the files as they are. A worktree that is gone is made again first, as in everything here. */
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
  /** How the files differ between two snapshots, by path. */
  changes(place: FilesPlace, from: string, to: string): Promise<readonly FileChange[]>
  /** The files of a snapshot. */
  list(place: FilesPlace, commit: string): Promise<readonly ListedFile[]>
  /** The difference between two snapshots as a patch. */
  patch(place: FilesPlace, from: string, to: string): Promise<string>
  /** Commits the files of a snapshot to the agent's branch; null if the branch has them, or the agent has left it. */
  commit(place: FilesPlace, saved: SavedFiles, message: string): Promise<string | null>
  /** The work that would be nowhere else without the agent; null if there is none. */
  unlanded(place: FilesPlace): Promise<UnlandedWork | null>
  /**
   * Saves the files, and lets the repository forget the worktree. Its branch, its snapshots and its directory stay. Returns
   * where the work is that is not landed.
   */
  release(place: FilesPlace): Promise<KeptWork | null>
}

export function filesOperations(clock: Clock): FilesOperations {
  const histories = new Map<string, FileHistory>()
  const by = (agent: string) => ({ author: agent, at: new Date(clock.now()) })

  /** Of each directory, what is done last: one index and one ref take one writer. */
  const last = new Map<string, Promise<unknown>>()
  function inTurn<T>({ directories: { workspace } }: FilesPlace, work: () => Promise<T>): Promise<T> {
    const turn = (last.get(workspace) ?? Promise.resolve()).then(work)
    last.set(
      workspace,
      turn.catch(() => {}),
    )
    return turn
  }
  const withHistory = <T>(place: FilesPlace, work: (history: FileHistory) => Promise<T>): Promise<T> =>
    inTurn(place, async () => work(await historyOf(place)))

  /** Of the snapshots alone: they can be looked at when nothing else is there. */
  const snapshotHistory = ({ agent, directories }: FilesPlace): FileHistory =>
    new FileHistory({ repository: snapshotsOf(directories), agent, directory: directories.workspace })

  const repositories = new Map<string, UserRepository>()
  /** Throws InvalidInputError if it is no longer where it was. */
  async function repositoryOf({ repo }: RepositoryWorkspace): Promise<UserRepository> {
    const known = repositories.get(repo)
    if (known && existsSync(known.common)) return known
    const repository = await userRepository(repo)
    const hint = 'Bring it back, or remove the agent.'
    if (repository.path !== repo)
      throw new InvalidInputError({ what: `The repository ${repo}`, problem: 'it is no longer there', hint })
    repositories.set(repo, repository)
    return repository
  }

  const snapshots = new Map<string, FilesRepository>()
  /** Where the snapshots of a base directory are. */
  function snapshotsOf({ workspace, base }: AgentDirectories): FilesRepository {
    if (base === undefined)
      throw new WorkspaceError({ path: workspace, problem: 'the runner does not know the base directory' })
    const ours = snapshots.get(base) ?? new FilesRepository(join(base, 'files.git'))
    snapshots.set(base, ours)
    return ours
  }

  /** The history of the files, whose worktree is there and complete, on a branch whose commits are kept. */
  async function historyOf(place: FilesPlace): Promise<FileHistory> {
    const { agent, workspace, directories, last: newest } = place
    const { workspace: directory } = directories
    const ours = snapshotsOf(directories)
    const repository = await repositoryOf(workspace)
    const worktree = { ...workspace, repository, directory }
    let history = histories.get(directory)
    if (!history || !existsSync(directory)) {
      await ours.prepare()
      await prepareDirectories(directories)
      await removeLocks(worktree)
      history = new FileHistory({
        repository: ours,
        agent,
        directory,
        ignored: { excludes: excludesOf(repository) },
      })
    }
    if ((await readdir(directory)).length === 0) await history.forgetLayout()
    const tip = await ours.refAt(branchRef(agent))
    await addWorktree({ ...worktree, ...(tip !== null && { last: { tip, repository: ours.path } }) })
    await ours.keepBase(workspace.commit, repository)
    const { branch, head } = await tipsOf(worktree)
    if (branch !== null) await ours.keep(branchRef(agent), branch, workspace.commit, repository)
    if (head !== null && head !== branch)
      await ours.keep(`refs/left/${agent}/${head}`, head, workspace.commit, repository)
    if (!history.isLaidOut) {
      await history.layOut(newest ?? workspace.commit, by(agent))
      if (newest !== undefined) place.rebuilt?.()
    }
    histories.set(directory, history)
    return history
  }

  /** What an agent has done that is not landed, after its files were saved. The problem if that cannot be told. */
  async function workOf(place: FilesPlace) {
    const { workspace, directories } = place
    const { repo: repository, branch } = workspace
    try {
      const history = await historyOf(place)
      const saved = await history.save('when its work was looked for', by(place.agent))
      const worktree = {
        ...workspace,
        repository: await repositoryOf(workspace),
        directory: directories.workspace,
      }
      const tips = await tipsOf(worktree)
      const tip = tips.head ?? tips.branch ?? workspace.commit
      const commits = await countUnlanded(worktree, [tip, tips.branch ?? tip])
      const { length: files } = await history.changes(tip, saved.commit)
      return { repository, branch, commits, files, found: { history, saved, worktree, tip } }
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error
      return { repository, branch, commits: 0, files: 0, problem: error.message }
    }
  }

  /** Whether there ever were files. */
  const isBegun = async ({ agent, directories }: FilesPlace): Promise<boolean> =>
    existsSync(join(directories.workspace, '.git')) ||
    (await snapshotsOf(directories).refAt(`refs/agents/${agent}`)) !== null

  /** Keeps the work that is not landed in the repository, or where the snapshots are if that is not there. */
  async function keepWork(place: FilesPlace): Promise<KeptWork | null> {
    const { agent, directories } = place
    const { commits, files, found } = await workOf(place)
    const ours = snapshotsOf(directories)
    if (!found) {
      const history = new FileHistory({
        repository: ours,
        agent,
        directory: directories.workspace,
        ignored: {},
      })
      if (!history.isLaidOut || !existsSync(directories.workspace)) return null
      const { commit } = await history.save('when its agent was removed', by(agent))
      return { repository: ours.path, ref: history.ref, commit }
    }
    if (commits + files === 0) return null
    const { history, saved, worktree, tip } = found
    const message = `The work of ${agent} when it was removed\n`
    const commit = (await history.commit(saved, tip, message, by(agent))) ?? tip
    const ref = await keepCommit(worktree, agent, { from: ours.path, commit, without: worktree.commit })
    return { repository: worktree.repo, ref, commit }
  }

  return {
    async resolve({ repo, base, branch }) {
      const repository = await userRepository(repo)
      return { repo: repository.path, base, commit: await commitOf(repository, base), branch }
    },
    save: (place, note) => withHistory(place, (history) => history.save(note, by(place.agent))),
    restore: (place, to, note, done) =>
      withHistory(place, async (history) => {
        const commit = to()
        if (commit === undefined) return undefined
        return done({ ...(await history.restore(commit, note, by(place.agent))), to: commit })
      }),
    async find({ workspace, directories }, name) {
      const ours = snapshotsOf(directories)
      try {
        const repository = await repositoryOf(workspace)
        const commit = await commitOf(repository, name, 'commit')
        await ours.copy(commit, repository)
        return commit
      } catch (unknown) {
        return commitOf({ path: ours.path, common: ours.path }, name).catch(() => Promise.reject(unknown))
      }
    },
    changes: (place, from, to) => snapshotHistory(place).changes(from, to),
    list: (place, commit) => snapshotHistory(place).list(commit),
    patch: (place, from, to) => snapshotHistory(place).patch(from, to),
    commit: (place, saved, message) =>
      withHistory(place, async (history) => {
        const { agent, workspace, directories } = place
        const directory = directories.workspace
        const parent = await headOf(directory, workspace.branch)
        const commit = parent === null ? null : await history.commit(saved, parent, message, by(agent))
        if (parent === null || commit === null) return null
        const repository = await repositoryOf(workspace)
        const ours = snapshotsOf(directories)
        await ours.keep(branchRef(agent), commit, workspace.commit, repository)
        const from = ours.path
        await advanceBranch({ repository, directory, branch: workspace.branch }, { from, commit, parent })
        return commit
      }),
    unlanded: (place) =>
      inTurn(place, async () => {
        if (!(await isBegun(place))) return null
        const { found: _, ...work } = await workOf(place)
        return work.commits + work.files === 0 && !work.problem ? null : work
      }),
    release: (place) =>
      inTurn(place, async () => {
        const { agent, workspace, directories } = place
        const kept = (await isBegun(place)) ? await keepWork(place) : null
        histories.delete(directories.workspace)
        const repository = await repositoryOf(workspace).catch(() => null)
        if (repository) await releaseWorktree(repository, directories.workspace)
        // A new agent of the same id does not go on from there.
        await snapshotsOf(directories).leave(branchRef(agent))
        return kept
      }),
  }
}

/** What an agent's branch is at. */
const branchRef = (agent: string): string => `refs/branches/${agent}`
