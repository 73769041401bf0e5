/** What runners do with the files of agents: laid out, saved, brought back, compared. */
import { existsSync, readdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../clock.ts'
import { NO_FILES } from '../../events/agent-facts.ts'
import { codeOf } from '../../events/errors/phrases.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { GitNotInstalled, SnapshotMissing, WorkspaceError } from '../../events/errors/workspace.ts'
import type { RepositoryOptions, RepositoryWorkspace } from '../../events/options/agent.ts'
import type { Logger } from '../../logger.ts'
import type { AgentDirectories } from '../directories.ts'
import { prepareDirectories } from '../lifecycle.ts'
import { type FileChange, FileHistory, type ListedFile, type SavedFiles } from './file-history.ts'
import { commitTree, mergeTrees, mergingRepository } from './merge.ts'
import { type ProjectSettings, projectSettings } from './project.ts'
import { FilesRepository } from './repository.ts'
import {
  addWorktree,
  advanceBranch,
  commitAt,
  commitOf,
  countUnlanded,
  excludesOf,
  headOf,
  isAncestor,
  keepCommit,
  refAt,
  releaseWorktree,
  removeLocks,
  tipsOf,
  type UserRepository,
  userRepository,
} from './worktree.ts'

/** Whose files these are, and where. */
export interface FilesPlace {
  readonly agent: string
  /** The repository that it works on; undefined if its workspace is a directory of its own. */
  readonly workspace: RepositoryWorkspace | undefined
  readonly directories: AgentDirectories
  /**
   * The newest snapshot in the log, from which a workspace that is gone is made again. Default: the commit that the agent
   * began from, or no files.
   */
  readonly last?: string | undefined
  /** Called when a workspace that was gone is there again. */
  readonly rebuilt?: () => void
}

/** The same of an agent that works on a repository. */
export interface RepositoryPlace extends FilesPlace {
  readonly workspace: RepositoryWorkspace
}

/** Whose snapshots are read, whether or not the agent is still there. */
export type SnapshotsPlace = Pick<FilesPlace, 'agent' | 'directories'>

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

export interface Merging {
  readonly name: string
  readonly isFree: () => boolean
  readonly before?: string | undefined
}

export interface MergedIn {
  /** The paths in which both versions are marked. */
  readonly conflicts: readonly string[]
  /** How the files were changed for it. */
  readonly restored: { readonly from: string; readonly to: string } & SavedFiles
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
  const histories = new Map<string, FileHistory>()
  const by = (agent: string) => ({ author: agent, at: new Date(clock.now()) })

  /** Of each directory, what is done last: one index and one ref take one writer. */
  const last = new Map<string, Promise<unknown>>()
  function inTurn<T>(place: FilesPlace, work: () => Promise<T>): Promise<T> {
    const { workspace } = place.directories
    const turn = (last.get(workspace) ?? Promise.resolve()).then(work).catch((error) => {
      // A git that was killed leaves what a crash leaves: the next use begins as after one.
      histories.delete(keyOf(place))
      throw error
    })
    last.set(
      workspace,
      turn.catch(() => {}),
    )
    return turn
  }
  const withHistory = <T>(place: FilesPlace, work: (history: FileHistory) => Promise<T>): Promise<T> =>
    inTurn(place, () => untidied(place, async () => work(await historyOf(place))))

  /** Of each repository of snapshots: what is being done there, and the tidying that all else waits for. */
  const usage = new Map<string, { running: number; times: number; tidied: Promise<void> }>()
  async function untidied<T>({ directories }: FilesPlace, work: () => Promise<T>): Promise<T> {
    const path = repositoryAt(directories)
    const used = usage.get(path) ?? { running: 0, times: TIDY_AFTER - 1, tidied: Promise.resolve() }
    usage.set(path, used)
    // Another one may have begun meanwhile.
    for (let seen = used.tidied; ; seen = used.tidied) {
      await seen
      if (seen === used.tidied) break
    }
    used.running += 1
    try {
      return await work()
    } finally {
      used.running -= 1
      used.times += 1
      if (used.running === 0 && used.times >= TIDY_AFTER) {
        used.times = 0
        used.tidied = repositoryIn(directories)
          .tidy()
          .catch((error) => logger?.warn({ error }, 'the snapshots of files could not be packed'))
      }
    }
  }

  const repositories = new Map<string, UserRepository>()
  /** Throws InvalidInputError if it is no longer where it was. */
  async function repositoryOf({ repo }: Pick<RepositoryWorkspace, 'repo'>): Promise<UserRepository> {
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
  function repositoryIn(directories: AgentDirectories): FilesRepository {
    const path = repositoryAt(directories)
    const ours = snapshots.get(path) ?? new FilesRepository(path)
    snapshots.set(path, ours)
    return ours
  }

  async function historyOf(place: FilesPlace): Promise<FileHistory> {
    const { agent, workspace, directories, last } = place
    const ours = repositoryIn(directories)
    const history = await (workspace ? worktreeOf({ ...place, workspace }, ours) : privateOf(place, ours))
    if (!history.isLaidOut) {
      await history.layOut(last ?? workspace?.commit, by(agent)).catch((error) => {
        if (workspace || !(error instanceof SnapshotMissing)) throw error
        logger?.warn({ agent, error }, 'the files of an agent are lost: it begins without them')
        return history.layOut(undefined, by(agent))
      })
      if (last !== undefined) place.rebuilt?.()
    }
    histories.set(keyOf(place), history)
    return history
  }

  /** With a worktree that is there and complete, on a branch whose commits are kept. */
  async function worktreeOf(place: RepositoryPlace, ours: FilesRepository): Promise<FileHistory> {
    const { agent, workspace, directories } = place
    const { workspace: directory } = directories
    const repository = await repositoryOf(workspace)
    const worktree = { ...workspace, repository, directory }
    let history = histories.get(keyOf(place))
    if (!history || !existsSync(directory)) {
      await ours.prepare()
      await prepareDirectories(directories)
      await removeLocks(worktree)
      const ignored = { excludes: excludesOf(repository) }
      history = new FileHistory({ repository: ours, agent, directory, ignored })
    }
    if ((await readdir(directory)).length === 0) await history.forgetLayout()
    const tip = await ours.refAt(branchRef(agent))
    await addWorktree({ ...worktree, ...(tip !== null && { last: { tip, repository: ours.path } }) })
    await ours.keepBase(workspace.commit, repository)
    const { branch, head } = await tipsOf(worktree)
    if (branch !== null) await ours.keep(branchRef(agent), branch, workspace.commit, repository)
    if (head !== null && head !== branch)
      await ours.keep(`refs/left/${agent}/${head}`, head, workspace.commit, repository)
    return history
  }

  async function privateOf(place: FilesPlace, ours: FilesRepository): Promise<FileHistory> {
    const { agent, directories, last = NO_FILES } = place
    const { workspace: directory } = directories
    const known = histories.get(keyOf(place))
    if (known && !isGone(place)) return known
    const history = new FileHistory({ repository: ours, agent, directory })
    if (last !== NO_FILES && !existsSync(directory)) await history.forgetLayout()
    await prepareDirectories(directories)
    return history
  }

  /** What an agent has done that is not landed, after its files were saved. The problem if that cannot be told. */
  async function workOf(place: RepositoryPlace) {
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
    (await repositoryIn(directories).refAt(`refs/agents/${agent}`)) !== null

  /** Keeps the work that is not landed in the repository, or where the snapshots are if that is not there. */
  async function keepWork(place: RepositoryPlace): Promise<KeptWork | null> {
    const { agent, directories } = place
    const { commits, files, found } = await workOf(place)
    const ours = repositoryIn(directories)
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

  /** Commits what the branch has not. Returns where it is then; null if the agent has left it. */
  async function committed(
    { agent, workspace: { repo, branch, commit: base }, directories }: RepositoryPlace,
    history: FileHistory,
    saved: SavedFiles,
    message: string,
  ): Promise<{ readonly tip: string; readonly isNew: boolean } | null> {
    const directory = directories.workspace
    const parent = await headOf(directory, branch)
    if (parent === null) return null
    const commit = await history.commit(saved, parent, message, by(agent))
    if (commit === null) return { tip: parent, isNew: false }
    const repository = await repositoryOf({ repo })
    const ours = repositoryIn(directories)
    await ours.keep(branchRef(agent), commit, base, repository)
    await advanceBranch({ repository, directory, branch }, { from: ours.path, commit, parent })
    return { tip: commit, isNew: true }
  }

  async function tipOf({ repo, branch }: RepositoryWorkspace): Promise<string> {
    const tip = await refAt((await repositoryOf({ repo })).common, `refs/heads/${branch}`)
    if (tip !== null) return tip
    throw new WorkspaceError({ path: repo, problem: `the branch ${branch} is gone` })
  }

  return {
    async resolve({ repo, base, branch }) {
      const repository = await userRepository(repo)
      return { repo: repository.path, base, commit: await commitOf(repository, base), branch }
    },
    isEmpty: hasNothing,
    isGone,
    async layOut(place) {
      if (!hasNothing(place) && isGone(place)) await withHistory(place, async () => {})
    },
    async save(place, note) {
      if (hasNothing(place)) return NOTHING
      return withHistory(place, (history) => history.save(note, by(place.agent)))
    },
    restore: (place, to, note, done) =>
      inTurn(place, async () => {
        const commit = to()
        if (commit === undefined) return undefined
        const isNothing = commit === NO_FILES && hasNothing(place)
        const restored = isNothing
          ? { before: NOTHING, after: NOTHING }
          : await (await historyOf(place)).restore(commit, note, by(place.agent))
        return done({ ...restored, to: commit })
      }),
    async find({ workspace, directories }, name) {
      const ours = repositoryIn(directories)
      const snapshot = () => commitOf({ path: ours.path, common: ours.path }, name, 'commit')
      if (!workspace) return snapshot()
      try {
        const repository = await repositoryOf(workspace)
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
      inTurn(place, async () => {
        const { common: repository } = await repositoryOf(place.workspace)
        // It is looked at again once the next call has made it again.
        if (isGone(place)) return { files: [], hash: '', repository }
        return { ...(await projectSettings(place.directories.workspace)), repository }
      }),
    commit: (place, saved, message) =>
      withHistory(place, async (history) => {
        const { workspace } = place
        const made = workspace ? await committed({ ...place, workspace }, history, saved, message) : null
        return made?.isNew ? made.tip : null
      }),
    head: (place, isFree) =>
      inTurn(place, async () => {
        // An agent that commits by itself says so what is to land.
        if (isFree() && place.workspace.commits !== 'agent') {
          const history = await historyOf(place)
          const saved = await history.save('before landing', by(place.agent))
          await committed(place, history, saved, `${UNASKED}\n\nAgent: ${place.agent}\n`)
        }
        const { agent, workspace, directories } = place
        const tip = await tipOf(workspace)
        // Whatever becomes of the branch, what is queued stays.
        const ours = repositoryIn(directories)
        await ours.prepare()
        await ours.keep(branchRef(agent), tip, workspace.commit, await repositoryOf(workspace))
        return tip
      }),
    mergeIn: (place, commit, { name, isFree, before: begins }) =>
      inTurn(place, async () => {
        if (!isFree()) return null
        const { agent, workspace, directories } = place
        const directory = directories.workspace
        const history = await historyOf(place)
        const ours = repositoryIn(directories)
        const repository = await repositoryOf(workspace)
        const merging = await mergingRepository(ours, repository)
        const ref = `refs/landing/${name}`
        const begun = await ours.refAt(ref)
        let tip = await headOf(directory, workspace.branch)
        // If it was begun at this tip, a crash has come between: what that has left of the files is not the agent's work.
        const isBegun = begun !== null && (await commitAt(ours.path, `${ref}^1`)) === tip
        if (!isBegun) {
          const isMerged = begun !== null && tip !== null && (await isAncestor(merging.path, begun, tip))
          const saved =
            begins === undefined || isMerged
              ? await history.save(`before ${name}`, by(agent))
              : (await history.restore(begins, `before ${name}`, by(agent))).after
          const message = `${UNASKED}\n\nAgent: ${agent}\n`
          tip = (await committed(place, history, saved, message))?.tip ?? null
          if (tip !== null && (await isAncestor(merging.path, commit, tip))) {
            const conflicts = isMerged
              ? (await mergeTrees(merging, `${begun}^1`, `${begun}^2`, by(agent).at)).conflicts
              : []
            return { conflicts, restored: { from: saved.commit, to: saved.commit, ...saved } }
          }
        }
        if (tip === null) {
          const problem = `the agent has left the branch ${workspace.branch}`
          throw new WorkspaceError({ path: directory, problem })
        }
        const { tree, conflicts } = await mergeTrees(merging, tip, commit, by(agent).at)
        let merged = isBegun ? begun : null
        if (merged === null) {
          const message = `Merge what ${workspace.branch} is to land on\n\nAgent: ${agent}\nTask: ${name}\n`
          merged = await commitTree(merging, tree, [tip, commit], { message, by: by(agent) })
          await ours.keep(ref, merged, workspace.commit, { common: merging.path })
        }
        // The files first: without the commit, they are at worst committed as the agent's work.
        const { before: from, after } = await history.restore(merged, `for ${name}`, by(agent))
        await advanceBranch(
          { repository, directory, branch: workspace.branch },
          { from: merging.path, commit: merged, parent: tip, known: [commit] },
        )
        return { conflicts, restored: { from: from.commit, to: merged, ...after } }
      }),
    unlanded: (place) =>
      inTurn(place, async () => {
        if (!hasWorktree(place) || !(await isBegun(place))) return null
        const { found: _, ...work } = await workOf(place)
        return work.commits + work.files === 0 && !work.problem ? null : work
      }),
    release: (place) => inTurn(place, () => release(place)),
  }

  /** Looks at snapshots, whatever has become of the files. Throws SnapshotMissing. */
  async function look<Seen>(
    { agent, directories }: SnapshotsPlace,
    commits: readonly string[],
    work: (snapshots: FileHistory) => Promise<Seen>,
  ): Promise<Seen> {
    const repository = repositoryIn(directories)
    try {
      return await work(new FileHistory({ repository, agent, directory: directories.workspace }))
    } catch (error) {
      for (const commit of commits) await repository.assertHas(commit)
      throw error
    }
  }

  async function release(place: FilesPlace): Promise<KeptWork | null> {
    const { agent, directories } = place
    let kept: KeptWork | null = null
    if (hasWorktree(place)) {
      if (await isBegun(place)) kept = await keepWork(place)
      const repository = await repositoryOf(place.workspace).catch(() => null)
      if (repository) await releaseWorktree(repository, directories.workspace)
      // A new agent of the same id does not go on from there.
      await repositoryIn(directories).leave(branchRef(agent))
    } else if (!isGone(place) && !hasNothing(place)) await endPrivate(place)
    histories.delete(keyOf(place))
    return kept
  }

  async function endPrivate(place: FilesPlace): Promise<void> {
    try {
      await (await historyOf(place)).end('when its agent was removed', by(place.agent))
    } catch (error) {
      if (!(error instanceof GitNotInstalled)) throw error
    }
  }
}

const hasWorktree = (place: FilesPlace): place is RepositoryPlace => place.workspace !== undefined

/** What an agent's branch is at. */
const branchRef = (agent: string): string => `refs/branches/${agent}`

/** After so many uses it is looked whether there is much to pack; also after the first one of a process. */
const TIDY_AFTER = 16

const NOTHING: SavedFiles = { commit: NO_FILES, tree: NO_FILES, changed: 0, added: 0, removed: 0 }

/** One index and one set of ignored files for each directory, and for what is in it. */
const keyOf = ({ directories, workspace }: FilesPlace) => `${directories.workspace}\0${workspace?.repo}`

/** Whether the workspace has to be made again: until then, nothing that is not there was removed by anybody. */
const isGone = ({ directories: { workspace: directory }, workspace }: FilesPlace): boolean =>
  !existsSync(workspace ? join(directory, '.git') : directory)

/** Whether a directory of the agent's own has never had a file, as far as the log knows, and has none. */
const hasNothing = ({ workspace, directories, last = NO_FILES }: FilesPlace): boolean =>
  !workspace && last === NO_FILES && !hasEntries(directories.workspace)

function hasEntries(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0
  } catch (error) {
    return codeOf(error) !== 'ENOENT'
  }
}

function repositoryAt({ base, workspace }: AgentDirectories): string {
  if (base !== undefined) return join(base, 'files.git')
  throw new WorkspaceError({ path: workspace, problem: 'the runner does not know the base directory' })
}

/** The subject of a commit of changes that no task has made. */
const UNASKED = 'Keep what was changed between tasks'
