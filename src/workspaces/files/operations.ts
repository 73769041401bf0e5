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
import { commitTree, mergeTrees } from './merge.ts'
import { FilesRepository } from './repository.ts'
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

/** An agent that works on a repository, and where. */
export interface FilesPlace {
  readonly agent: string
  readonly workspace: RepositoryWorkspace
  readonly directories: AgentDirectories
  /** The snapshot that a worktree which is not there is made from. Default: the commit that the agent began from. */
  readonly last?: string | undefined
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
  resolve(options: Required<RepositoryOptions>): Promise<RepositoryWorkspace>
  /** Saves the files as they are. A worktree that is gone is made again first, as in everything here. */
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
  /** Commits the files of a snapshot to the agent's branch; null if the branch has them, or the agent has left it. */
  commit(place: FilesPlace, saved: SavedFiles, message: string): Promise<string | null>
  /** Where the agent's branch is, once it has what the files have; while they are being worked on, as it is. */
  head(place: FilesPlace, isFree: () => boolean): Promise<string>
  /**
   * Merges a commit of the repository into the agent's branch and its files, in which conflicts are marked; null while they are
   * being worked on. Done once for each `name`, also if a crash comes between.
   *
   * @param merging `before`: the snapshot that they are brought back to first, if the last call did not end well.
   */
  mergeIn(place: FilesPlace, commit: string, merging: Merging): Promise<MergedIn | null>
  /** Saves the files, and lets the repository forget the worktree. Its branch, its snapshots and its directory stay. */
  release(place: FilesPlace): Promise<void>
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

  async function historyOf({
    agent,
    workspace,
    directories,
    last: newest,
  }: FilesPlace): Promise<FileHistory> {
    const { workspace: directory, base } = directories
    if (base === undefined)
      throw new WorkspaceError({ path: directory, problem: 'the runner does not know the base directory' })
    const known = histories.get(directory)
    if (known && existsSync(join(directory, '.git'))) return known
    const repository = await repositoryOf(workspace)
    const ours = new FilesRepository(join(base, 'files.git'))
    await ours.borrow(objectsOf(repository))
    const ignored = { excludes: excludesOf(repository) }
    const history = new FileHistory({ repository: ours, agent, directory, ignored })
    await prepareDirectories(directories)
    if ((await readdir(directory)).length === 0) await history.forgetLayout()
    await addWorktree({ ...workspace, repository, directory })
    if (!history.isLaidOut) await history.layOut(newest ?? workspace.commit, by(agent))
    histories.set(directory, history)
    return history
  }

  /** Commits what the branch has not. Returns where it is then; null if the agent has left it. */
  async function committed(
    { agent, workspace: { repo, branch }, directories }: FilesPlace,
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
    await advanceBranch({ repository, directory, branch }, { from: oursOf(directories), commit, parent })
    return { tip: commit, isNew: true }
  }

  const oursOf = ({ base }: AgentDirectories) => join(base ?? '', 'files.git')

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
    save: (place, note) => withHistory(place, (history) => history.save(note, by(place.agent))),
    restore: (place, commit, note) =>
      withHistory(place, (history) => history.restore(commit, note, by(place.agent))),
    async find({ workspace, directories }, name) {
      const ours = join(directories.base ?? '', 'files.git')
      return commitOf(await repositoryOf(workspace), name, 'commit').catch((unknown) =>
        commitOf({ path: ours, common: ours }, name).catch(() => Promise.reject(unknown)),
      )
    },
    changes: (place, from, to) => reading(place).changes(from, to),
    list: (place, commit) => reading(place).list(commit),
    patch: (place, from, to) => reading(place).patch(from, to),
    commit: (place, saved, message) =>
      withHistory(place, async (history) => {
        const made = await committed(place, history, saved, message)
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
        const ours = new FilesRepository(oursOf(directories))
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
          merged = await commitTree(ours, tree, [tip, commit], { message, by: by(agent) })
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
    release: (place) =>
      inTurn(place, async () => {
        const { workspace, directories } = place
        const repository = await repositoryOf(workspace).catch(() => null)
        // Without its repository, there is nothing that its files could be saved in.
        if (repository && existsSync(join(directories.workspace, '.git')))
          await (await historyOf(place)).save('when its agent was removed', by(place.agent))
        histories.delete(directories.workspace)
        if (repository) await releaseWorktree(repository, directories.workspace)
      }),
  }
}

const reading = ({ agent, directories: { base = '', workspace } }: SnapshotsPlace) =>
  new FileHistory({ repository: new FilesRepository(join(base, 'files.git')), agent, directory: workspace })

/** The subject of a commit of changes that no task has made. */
const UNASKED = 'Keep what was changed between tasks'

/** Throws InvalidInputError if it is no longer where it was. */
async function repositoryOf({ repo }: Pick<RepositoryWorkspace, 'repo'>): Promise<UserRepository> {
  const repository = await userRepository(repo)
  if (repository.path === repo) return repository
  const hint = 'Bring it back, or remove the agent.'
  throw new InvalidInputError({ what: `The repository ${repo}`, problem: 'it is no longer there', hint })
}
