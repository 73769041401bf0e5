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
import { type ProjectSettings, projectSettings } from './project.ts'
import { FilesRepository } from './repository.ts'
import {
  addWorktree,
  advanceBranch,
  commitOf,
  excludesOf,
  headOf,
  objectsOf,
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

export interface FilesOperations {
  /** The workspace that the options describe: its commit is what the base is now. Throws InvalidInputError. */
  resolve(
    options: Required<Pick<RepositoryOptions, 'repo' | 'base' | 'branch'>>,
  ): Promise<RepositoryWorkspace>
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
  /** How the files differ between two snapshots, by path. */
  changes(place: FilesPlace, from: string, to: string): Promise<readonly FileChange[]>
  /** The files of a snapshot. */
  list(place: FilesPlace, commit: string): Promise<readonly ListedFile[]>
  /** The difference between two snapshots as a patch. */
  patch(place: FilesPlace, from: string, to: string): Promise<string>
  /** The project's own settings in the worktree, and the repository that brings them: what all its working trees share. */
  project(place: FilesPlace): Promise<ProjectSettings & { readonly repository: string }>
  /** Commits the files of a snapshot to the agent's branch; null if the branch has them, or the agent has left it. */
  commit(place: FilesPlace, saved: SavedFiles, message: string): Promise<string | null>
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
    changes: (place, from, to) => withHistory(place, (history) => history.changes(from, to)),
    list: (place, commit) => withHistory(place, (history) => history.list(commit)),
    patch: (place, from, to) => withHistory(place, (history) => history.patch(from, to)),
    project: (place) =>
      inTurn(place, async () => {
        const { common: repository } = await repositoryOf(place.workspace)
        return { ...(await projectSettings(place.directories.workspace)), repository }
      }),
    commit: (place, saved, message) =>
      withHistory(place, async (history) => {
        const { agent, workspace, directories } = place
        const directory = directories.workspace
        const parent = await headOf(directory, workspace.branch)
        const commit = parent === null ? null : await history.commit(saved, parent, message, by(agent))
        if (parent === null || commit === null) return null
        const repository = await repositoryOf(workspace)
        const from = join(directories.base ?? '', 'files.git')
        await advanceBranch({ repository, directory, branch: workspace.branch }, { from, commit, parent })
        return commit
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

/** Throws InvalidInputError if it is no longer where it was. */
async function repositoryOf({ repo }: RepositoryWorkspace): Promise<UserRepository> {
  const repository = await userRepository(repo)
  if (repository.path === repo) return repository
  const hint = 'Bring it back, or remove the agent.'
  throw new InvalidInputError({ what: `The repository ${repo}`, problem: 'it is no longer there', hint })
}
