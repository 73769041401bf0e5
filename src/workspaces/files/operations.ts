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
import { mergeTrees } from './merge.ts'
import { type ProjectSettings, projectSettings } from './project.ts'
import { FilesRepository, snapshotsIn } from './repository.ts'
import {
  addWorktree,
  advanceBranch,
  commitOf,
  excludesOf,
  headOf,
  isAncestor,
  objectsOf,
  refAt,
  releaseWorktree,
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
}

/** The same of an agent that works on a repository. */
export interface RepositoryPlace extends FilesPlace {
  readonly workspace: RepositoryWorkspace
}

/** Whose snapshots are read, whether or not the agent is still there. */
export type SnapshotsPlace = Pick<FilesPlace, 'agent' | 'directories'>

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
  /** Makes a workspace that is gone again, from the newest snapshot. Everything here that touches it does so first. */
  layOut(place: FilesPlace): Promise<void>
  /** Saves the files as they are. Of a workspace without files, the snapshot is `NO_FILES`. */
  save(place: FilesPlace, note: string): Promise<SavedFiles>
  /** Brings the files back to a snapshot, or to a commit of the repository. The present ones are saved first. */
  restore(
    place: FilesPlace,
    commit: string,
    note: string,
  ): Promise<{ readonly before: SavedFiles; readonly after: SavedFiles }>
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
  /** Saves the files, and lets the repository forget the worktree. Its branch, its snapshots and its directory stay. */
  release(place: FilesPlace): Promise<void>
}

export function filesOperations(clock: Clock, logger?: Logger): FilesOperations {
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
    inTurn(place, () => untidied(place, async () => work(await historyOf(place))))

  /** Of each repository of snapshots: what is being done there, and the tidying that all else waits for. */
  const usage = new Map<string, { running: number; times: number; tidied: Promise<void> }>()
  async function untidied<T>({ directories }: FilesPlace, work: () => Promise<T>): Promise<T> {
    const path = snapshotsOf(directories)
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
        used.tidied = new FilesRepository(path)
          .tidy()
          .catch((error) => logger?.warn({ error }, 'the snapshots of files could not be packed'))
      }
    }
  }

  async function historyOf(place: FilesPlace): Promise<FileHistory> {
    const { agent, workspace, directories, last } = place
    const known = histories.get(keyOf(place))
    if (known && !isGone(place)) return known
    const ours = new FilesRepository(snapshotsOf(directories))
    const history = await (workspace ? worktreeOf({ ...place, workspace }, ours) : privateOf(place, ours))
    if (!history.isLaidOut)
      await history.layOut(last ?? workspace?.commit, by(agent)).catch((error) => {
        if (workspace || !(error instanceof SnapshotMissing)) throw error
        logger?.warn({ agent, error }, 'the files of an agent are lost: it begins without them')
        return history.layOut(undefined, by(agent))
      })
    histories.set(keyOf(place), history)
    return history
  }

  async function worktreeOf(
    { agent, workspace, directories }: FilesPlace & { readonly workspace: RepositoryWorkspace },
    ours: FilesRepository,
  ): Promise<FileHistory> {
    const { workspace: directory } = directories
    const repository = await repositoryOf(workspace)
    await ours.borrow(objectsOf(repository))
    const ignored = { excludes: excludesOf(repository) }
    const history = new FileHistory({ repository: ours, agent, directory, ignored })
    await prepareDirectories(directories)
    if ((await readdir(directory)).length === 0) await history.forgetLayout()
    await addWorktree({ ...workspace, repository, directory })
    return history
  }

  async function privateOf(
    { agent, directories, last = NO_FILES }: FilesPlace,
    ours: FilesRepository,
  ): Promise<FileHistory> {
    const { workspace: directory } = directories
    const history = new FileHistory({ repository: ours, agent, directory })
    if (last !== NO_FILES && !existsSync(directory)) await history.forgetLayout()
    await prepareDirectories(directories)
    return history
  }

  /** Commits what the branch has not. Returns where it is then; null if the agent has left it. */
  async function committed(
    { agent, workspace: { repo, branch }, directories }: RepositoryPlace,
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
    await advanceBranch({ repository, directory, branch }, { from: snapshotsOf(directories), commit, parent })
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
    async layOut(place) {
      if (!hasNothing(place) && isGone(place)) await withHistory(place, async () => {})
    },
    async save(place, note) {
      if (hasNothing(place)) return NOTHING
      return withHistory(place, (history) => history.save(note, by(place.agent)))
    },
    async restore(place, commit, note) {
      if (commit === NO_FILES && hasNothing(place)) return { before: NOTHING, after: NOTHING }
      return withHistory(place, (history) => history.restore(commit, note, by(place.agent)))
    },
    async find({ workspace, directories }, name) {
      const ours = snapshotsOf(directories)
      const snapshot = () => commitOf({ path: ours, common: ours }, name, 'commit')
      if (!workspace) return snapshot()
      return commitOf(await repositoryOf(workspace), name, 'commit').catch((unknown) =>
        snapshot().catch(() => Promise.reject(unknown)),
      )
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
        if (isFree()) {
          const history = await historyOf(place)
          const saved = await history.save('before landing', by(place.agent))
          await committed(place, history, saved, `${UNASKED}\n\nAgent: ${place.agent}\n`)
        }
        return tipOf(place.workspace)
      }),
    mergeIn: (place, commit, { name, isFree, before: begins }) =>
      inTurn(place, async () => {
        if (!isFree()) return null
        const { agent, workspace, directories } = place
        const directory = directories.workspace
        const history = await historyOf(place)
        const ours = new FilesRepository(snapshotsOf(directories))
        const ref = `refs/landing/${name}`
        const begun = await refAt(ours.path, ref)
        let tip = await headOf(directory, workspace.branch)
        // If it was begun at this tip, a crash has come between: what that has left of the files is not the agent's work.
        const isBegun = begun !== null && (await refAt(ours.path, `${ref}^1`)) === tip
        if (!isBegun) {
          const isMerged = begun !== null && tip !== null && (await isAncestor(ours.path, begun, tip))
          const saved =
            begins === undefined || isMerged
              ? await history.save(`before ${name}`, by(agent))
              : (await history.restore(begins, `before ${name}`, by(agent))).after
          const message = `${UNASKED}\n\nAgent: ${agent}\n`
          tip = (await committed(place, history, saved, message))?.tip ?? null
          if (tip !== null && (await isAncestor(ours.path, commit, tip))) {
            const conflicts = isMerged ? (await mergeTrees(ours, `${begun}^1`, `${begun}^2`)).conflicts : []
            return { conflicts, restored: { from: saved.commit, to: saved.commit, ...saved } }
          }
        }
        if (tip === null) {
          const problem = `the agent has left the branch ${workspace.branch}`
          throw new WorkspaceError({ path: directory, problem })
        }
        const { tree, conflicts } = await mergeTrees(ours, tip, commit)
        let merged = isBegun ? begun : null
        if (merged === null) {
          const message = `Merge what ${workspace.branch} is to land on\n\nAgent: ${agent}\nTask: ${name}\n`
          merged = await ours.commitTree(tree, [tip, commit], { message, by: by(agent) })
          await ours.git(['update-ref', ref, merged])
        }
        // The files first: without the commit, they are at worst committed as the agent's work.
        const { before: from, after } = await history.restore(merged, `for ${name}`, by(agent))
        const repository = await repositoryOf(workspace)
        await advanceBranch(
          { repository, directory, branch: workspace.branch },
          { from: ours.path, commit: merged, parent: tip, known: [commit] },
        )
        return { conflicts, restored: { from: from.commit, to: merged, ...after } }
      }),
    release: (place) => inTurn(place, () => release(place)),
  }

  /** Looks at snapshots, whatever has become of the files. Throws SnapshotMissing. */
  async function look<Seen>(
    { agent, directories }: SnapshotsPlace,
    commits: readonly string[],
    work: (snapshots: FileHistory) => Promise<Seen>,
  ): Promise<Seen> {
    const repository = new FilesRepository(snapshotsOf(directories))
    try {
      return await work(new FileHistory({ repository, agent, directory: directories.workspace }))
    } catch (error) {
      for (const commit of commits) await repository.assertHas(commit)
      throw error
    }
  }

  async function release(place: FilesPlace): Promise<void> {
    const { agent, workspace, directories } = place
    const note = 'when its agent was removed'
    // Without its repository, there is nothing that its files could be saved in.
    const repository = workspace && (await repositoryOf(workspace).catch(() => null))
    try {
      if (repository && !isGone(place)) await (await historyOf(place)).save(note, by(agent))
      if (!workspace && !isGone(place) && !hasNothing(place))
        await (await historyOf(place)).end(note, by(agent))
    } catch (error) {
      if (workspace || !(error instanceof GitNotInstalled)) throw error
    }
    histories.delete(keyOf(place))
    if (repository) await releaseWorktree(repository, directories.workspace)
  }
}

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

function snapshotsOf({ base, workspace }: AgentDirectories): string {
  if (base !== undefined) return snapshotsIn(base)
  throw new WorkspaceError({ path: workspace, problem: 'the runner does not know the base directory' })
}

/** The subject of a commit of changes that no task has made. */
const UNASKED = 'Keep what was changed between tasks'

/** Throws InvalidInputError if it is no longer where it was. */
async function repositoryOf({ repo }: Pick<RepositoryWorkspace, 'repo'>): Promise<UserRepository> {
  const repository = await userRepository(repo)
  if (repository.path === repo) return repository
  const hint = 'Bring it back, or remove the agent.'
  throw new InvalidInputError({ what: `The repository ${repo}`, problem: 'it is no longer there', hint })
}
