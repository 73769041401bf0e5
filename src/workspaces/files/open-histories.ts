/**
 * The file histories that a process has open: one for each directory, with one writer at a time.
 *
 * H1. What is done to a directory is done in turn: one index and one ref take one writer.
 * H2. A history that is handed out has its directory: one that was lost is made again from the newest snapshot, a worktree
 *     with its branch.
 * H3. What an agent's branch is at is kept before anything is done with its files.
 */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { Clock } from '../../clock.ts'
import { NO_FILES } from '../../events/agent-facts.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { SnapshotMissing, WorkspaceError } from '../../events/errors/workspace.ts'
import type { RepositoryWorkspace } from '../../events/options/agent.ts'
import type { Logger } from '../../logger.ts'
import { type AgentDirectories, snapshotsPath } from '../directories.ts'
import { prepareDirectories } from '../lifecycle.ts'
import { FileHistory, type SavedFiles } from './file-history.ts'
import type { Author } from './git.ts'
import { type FilesPlace, hasNothing, isGone, type RepositoryPlace } from './place.ts'
import { FilesRepository } from './repository.ts'
import {
  addWorktree,
  advanceBranch,
  excludesOf,
  freeBranch,
  headOf,
  moveBranch,
  removeLocks,
  tipsOf,
  type UserRepository,
  userRepository,
} from './worktree.ts'

/** After how many uses to check whether there is much to pack; also after the first one of a process. */
const TIDY_AFTER = 16

/** A snapshot, and what the agent's branch is at. */
export interface FilesTips {
  readonly commit: string
  readonly branch?: string | undefined
}

/** A pack of git: the first has all that its tips consist of, each other one what came after the one before. */
export interface PackedTips extends FilesTips {
  read(): AsyncIterable<Buffer>
}

/** The files of an agent as they were on another machine. */
export interface MovedFiles extends FilesTips {
  readonly packs: readonly PackedTips[]
  readonly shallow?: readonly string[] | undefined
}

/** What is being done with a repository of snapshots. */
interface Usage {
  running: number
  times: number
  /** The tidying that all else waits for. */
  tidied: Promise<void>
}

export class OpenHistories {
  readonly #clock: Clock
  readonly #logger: Logger | undefined
  readonly #histories = new Map<string, FileHistory>()
  readonly #repositories = new Map<string, UserRepository>()
  readonly #snapshots = new Map<string, FilesRepository>()
  readonly #usage = new Map<string, Usage>()
  /** Of each directory, what is done last. */
  readonly #last = new Map<string, Promise<unknown>>()

  constructor(clock: Clock, logger?: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  by(agent: string): Author {
    return { author: agent, at: new Date(this.#clock.now()) }
  }

  /** H1, and while the snapshots are not tidied. */
  inTurn<T>(place: FilesPlace, work: () => Promise<T>): Promise<T> {
    const { directories } = place
    const { workspace } = directories
    const turn = (this.#last.get(workspace) ?? Promise.resolve())
      .then(() => this.#untidied(directories, work))
      .catch((error) => {
        // A git that was killed leaves what a crash leaves: the next use begins as after one.
        this.forget(place)
        throw error
      })
    this.#last.set(
      workspace,
      turn.catch(() => {}),
    )
    return turn
  }

  withHistory<T>(place: FilesPlace, work: (history: FileHistory) => Promise<T>): Promise<T> {
    return this.inTurn(place, async () => work(await this.historyOf(place)))
  }

  async #untidied<T>(directories: AgentDirectories, work: () => Promise<T>): Promise<T> {
    const { snapshots, base = '' } = directories
    const key = snapshots ?? base
    const used = this.#usage.get(key) ?? { running: 0, times: TIDY_AFTER - 1, tidied: Promise.resolve() }
    this.#usage.set(key, used)
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
      if (used.running === 0 && used.times >= TIDY_AFTER && base !== '') {
        used.times = 0
        used.tidied = this.snapshotsIn(directories)
          .tidy()
          .catch((error) => this.#logger?.warn({ error }, 'the snapshots of files could not be packed'))
      }
    }
  }

  /** Throws InvalidInputError if it is no longer where it was. */
  async repositoryOf({ repo }: Pick<RepositoryWorkspace, 'repo'>): Promise<UserRepository> {
    const known = this.#repositories.get(repo)
    if (known && existsSync(known.common)) return known
    const repository = await this.repositoryAt(repo)
    const hint = 'Bring it back, or remove the agent.'
    if (repository.path !== repo)
      throw new InvalidInputError({ what: `The repository ${repo}`, problem: 'it is no longer there', hint })
    return repository
  }

  /** The one that a directory belongs to. Throws InvalidInputError. */
  async repositoryAt(directory: string): Promise<UserRepository> {
    const repository = await userRepository(directory)
    this.#repositories.set(repository.path, repository)
    return repository
  }

  /** Where the snapshots of a base directory are. */
  snapshotsIn({ base, workspace, snapshots }: AgentDirectories): FilesRepository {
    if (base === undefined)
      throw new WorkspaceError({ path: workspace, problem: 'the runner does not know the base directory' })
    const path = snapshots ?? snapshotsPath(base)
    const ours = this.#snapshots.get(path) ?? new FilesRepository(path)
    this.#snapshots.set(path, ours)
    return ours
  }

  /** H2 */
  async historyOf(place: FilesPlace): Promise<FileHistory> {
    const { agent, workspace, directories, last } = place
    const ours = this.snapshotsIn(directories)
    const history = await (workspace
      ? this.#worktreeOf({ ...place, workspace }, ours)
      : this.#privateOf(place, ours))
    if (!history.isLaidOut) {
      const by = this.by(agent)
      // A branch that a removed agent of this id has left is continued: its work is not undone.
      const begins = workspace && ((await ours.refAt(branchRef(agent))) ?? workspace.commit)
      try {
        await history.layOut(last ?? begins, by)
        if (last !== undefined) place.rebuilt?.()
      } catch (error) {
        if (workspace || !(error instanceof SnapshotMissing)) throw error
        this.#logger?.warn({ agent, error }, 'the files of an agent are lost: it begins without them')
        await history.layOut(undefined, by)
      }
    }
    this.#histories.set(keyOf(place), history)
    return history
  }

  forget(place: FilesPlace): void {
    this.#histories.delete(keyOf(place))
  }

  /** With a worktree that is there and complete, on a branch whose commits are kept. */
  async #worktreeOf(place: RepositoryPlace, ours: FilesRepository): Promise<FileHistory> {
    const { agent, workspace, directories } = place
    const { workspace: directory } = directories
    const repository = await this.repositoryOf(workspace)
    const worktree = { ...workspace, repository, directory }
    let history = this.#histories.get(keyOf(place))
    if (!history || !existsSync(directory)) {
      await ours.prepare()
      await prepareDirectories(directories)
      await removeLocks(worktree)
      const ignored = { excludes: excludesOf(repository) }
      history = new FileHistory({ repository: ours, agent, directory, ignored, base: workspace.commit })
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

  async #privateOf(place: FilesPlace, ours: FilesRepository): Promise<FileHistory> {
    const { agent, directories, last = NO_FILES } = place
    const { workspace: directory } = directories
    const known = this.#histories.get(keyOf(place))
    if (known && !isGone(place)) return known
    const history = new FileHistory({ repository: ours, agent, directory })
    if (last !== NO_FILES && !existsSync(directory)) await history.forgetLayout()
    await prepareDirectories(directories)
    return history
  }

  /**
   * Passes on a snapshot, its history, and the agent's branch as a pack, without what is part of `since`; all of it if that is
   * not here.
   */
  packed<Taken>(
    place: FilesPlace,
    commit: string,
    since: FilesTips | undefined,
    take: (pieces: AsyncIterable<Buffer>) => Promise<Taken>,
  ) {
    return this.inTurn(place, async () => {
      const ours = this.snapshotsIn(place.directories)
      const branch = place.workspace ? ((await ours.refAt(branchRef(place.agent))) ?? undefined) : undefined
      const known = since ? tipsIn(since) : []
      const areHere = await Promise.all(known.map((one) => ours.has(one)))
      const isWhole = areHere.includes(false) || known.length === 0
      const { shallow, pieces } = await ours.packed(tipsIn({ commit, branch }), isWhole ? [] : known)
      return { branch, shallow, isWhole, taken: await take(pieces) }
    })
  }

  /**
   * Brings the files into the state that they had on another machine. What is here of an earlier time is kept under a ref. A
   * crash on the way leaves what the next call of this completes.
   *
   * @returns `kept` if the files here are these, `lost` if the snapshot is neither here nor in the packs.
   */
  arrive(place: FilesPlace, moved: MovedFiles): Promise<'kept' | 'restored' | 'lost'> {
    return this.inTurn(place, async () => {
      const { agent, workspace, directories } = place
      const { commit, branch, packs, shallow = [] } = moved
      const isEmpty = commit === NO_FILES
      if (isEmpty && hasNothing({ ...place, last: NO_FILES })) return 'kept'
      const ours = this.snapshotsIn(directories)
      await ours.prepare()
      for (const pack of packs) {
        const areHere = await Promise.all(tipsIn(pack).map((one) => ours.has(one)))
        if (areHere.includes(false)) await ours.unpack(pack.read(), shallow)
      }
      if (!isEmpty && !(await ours.has(commit))) return 'lost'
      const ref = `refs/agents/${agent}`
      if (!isEmpty && (await ours.refAt(ref)) === null) await ours.setRef(ref, commit)
      if (workspace) await this.#takeBranch({ ...place, workspace }, branch)
      const [note, by] = ['before it came here', this.by(agent)] as const
      const history = await this.historyOf({ agent, workspace, directories, last: commit })
      const present = await history.save(note, by)
      if (present.commit === commit) return 'kept'
      const isPart = await ours.isAncestor(present.commit, commit)
      if (!isPart && present.tree !== NO_FILES) await ours.keepBeside(ref, present.commit)
      await history.restore(commit, note, by)
      if (!isEmpty) await ours.setRef(ref, commit)
      this.forget(place)
      return 'restored'
    })
  }

  /** The branch of the repository continues from where it was there, unless it has moved on here. */
  async #takeBranch(
    { agent, workspace, directories }: RepositoryPlace,
    tip: string | undefined,
  ): Promise<void> {
    const repository = await this.repositoryOf(workspace)
    const { branch, commit } = workspace
    const worktree = { repository, directory: directories.workspace, branch, commit }
    await freeBranch(worktree)
    if (tip === undefined) return
    const ours = this.snapshotsIn(directories)
    await moveBranch(worktree, { from: ours.path, tip })
    await ours.continueFrom(branchRef(agent), tip)
  }

  /** Commits what the branch has not. Returns where it is then; null if the agent has left it. */
  async committed(
    { agent, workspace: { repo, branch, commit: base }, directories }: RepositoryPlace,
    history: FileHistory,
    saved: SavedFiles,
    message = `Keep what was changed between tasks\n\nAgent: ${agent}\n`,
  ): Promise<{ readonly tip: string; readonly isNew: boolean } | null> {
    const directory = directories.workspace
    const repository = await this.repositoryOf({ repo })
    const parent = await headOf({ repository, directory, branch })
    if (parent === null) return null
    const commit = await history.commit(saved, parent, message, this.by(agent))
    if (commit === null) return { tip: parent, isNew: false }
    const ours = this.snapshotsIn(directories)
    await ours.keep(branchRef(agent), commit, base, repository, parent)
    await advanceBranch({ repository, directory, branch }, { from: ours.path, commit, parent })
    return { tip: commit, isNew: true }
  }
}

/** No snapshot of no files: that is the empty tree, which is everywhere. */
const tipsIn = ({ commit, branch }: FilesTips): readonly string[] => [
  ...(commit === NO_FILES ? [] : [commit]),
  ...(branch === undefined ? [] : [branch]),
]

/** What an agent's branch is at. */
export const branchRef = (agent: string): string => `refs/branches/${agent}`

/** One index and one set of ignored files for each directory, and for what is in it. */
const keyOf = ({ directories, workspace }: FilesPlace) => `${directories.workspace}\0${workspace?.repo}`
