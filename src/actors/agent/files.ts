/** What an agent did to its files, turn by turn; and back to an earlier turn. */
import { refuse, type Trust, trust, trustOf } from '../../config/trust.ts'
import { type AgentFact, agentFacts, NO_FILES } from '../../events/agent-facts.ts'
import { AgentBusyError } from '../../events/errors/agent.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { defined } from '../../events/json.ts'
import type { EventStore } from '../../store/event-store.ts'
import type { FileChange, ListedFile } from '../../workspaces/files/file-history.ts'
import type { FilesOperations, RestoredFiles } from '../../workspaces/files/operations.ts'
import type { FilesPlace } from '../../workspaces/files/place.ts'
import type { AnyKind } from '../engine/definition.ts'
import { foldAt } from '../engine/fold-at.ts'
import type { AgentEnvironment, AgentLife } from './environment.ts'
import { agentKind } from './machine.ts'
import type { CopiedFiles } from './moving/copies.ts'
import type { AgentContext } from './state.ts'
import { type HeldTask, heldCurrent, type Verdict } from './tasks/held.ts'

/** One answered task, with the snapshots of the files before and after it. */
export interface FilesTurn {
  /** From 1. */
  readonly turn: number
  readonly taskId: string
  readonly before: string
  readonly after: string
  /** Whether its snapshots were dropped when the log was compacted: it can be neither looked at nor undone. */
  readonly dropped?: true
}

/** Which difference is wanted: of one turn, since a commit, or (the default) since the agent began. */
export interface DiffOptions {
  readonly turn?: number
  /** A commit of the repository or a snapshot. */
  readonly since?: string
}

/** How the files of an agent differ between two snapshots. */
export interface FilesDiff {
  readonly agent: string
  readonly base: string
  readonly head: string
  readonly files: readonly FileChange[]
}

/** The project's own settings in the worktree of an agent: `CLAUDE.md`, `.claude/`, `.mcp.json`. */
export interface ProjectInfo {
  /** Relative to the worktree. */
  readonly files: readonly string[]
  /** Of these files as they are now; empty if there are none. */
  readonly hash: string
  /**
   * `trusted`: they count. `changed`: others of this repository are trusted. `unknown`: you have said nothing of them.
   * `refused`: you said no. `never`: they never count for this agent. `none`: there are none.
   */
  readonly trust: Trust | 'never' | 'none'
  /** Why they cannot be loaded, whatever you say. */
  readonly problem?: string
}

/** What the user has said of the project's settings as they are now. */
export async function projectOf(files: FilesOperations, place: FilesPlace): Promise<ProjectInfo> {
  const { workspace } = place
  if (!workspace) return { files: [], hash: '', trust: 'none' }
  const { repository, ...found } = await files.project({ ...place, workspace })
  if (found.files.length === 0) return { ...found, trust: 'none' }
  if (workspace.project === false) return { ...found, trust: 'never' }
  const trust = await trustOf({ path: repository, text: found.hash }, process.env)
  return { ...found, trust: found.problem !== undefined && trust === 'trusted' ? 'unknown' : trust }
}

/** Where files were brought back to. */
export interface Undone {
  readonly agent: string
  /** The version of the agent's stream that says so. */
  readonly version: number
  /** The snapshot that the files are now. */
  readonly commit: string
}

type RestoredFact = Extract<AgentFact, { type: 'FilesRestored' }>

/** Says that files were brought back. */
export const filesRestored = (
  because: RestoredFact['data']['because'],
  { before, after, to }: RestoredFiles,
  { by }: Verdict = {},
): RestoredFact => ({
  type: 'FilesRestored',
  data: { because, from: before.commit, to, ...after, ...(by && { by }) },
})

/** The files of one agent. */
export class AgentFiles {
  readonly #life: AgentLife
  readonly #store: EventStore
  readonly #files: FilesOperations
  readonly #where: FilesPlace
  readonly #moving: AgentEnvironment['moving']
  readonly #copies: AgentEnvironment['copies']
  /** Of an agent that lives on another machine: a copy of its files. */
  #copy: CopiedFiles | undefined
  readonly #admission: AgentEnvironment['admission']

  /** Throws InvalidInputError if its runner keeps no files. */
  constructor(
    agent: string,
    life: AgentLife,
    { store, runner, directories, admission, moving, copies }: AgentEnvironment,
  ) {
    if (!runner.files) {
      const problem = 'its runner does not keep the files of agents'
      throw new InvalidInputError({ what: `Agent "${agent}"`, problem })
    }
    const workspace = life.snapshot.context.config?.workspace
    this.#life = life
    this.#store = store
    this.#moving = moving
    this.#copies = copies
    this.#files = runner.files
    this.#admission = admission
    this.#where = { agent, workspace, directories: directories(agent) }
  }

  get #place(): FilesPlace {
    return { ...this.#where, last: this.#life.snapshot.context.files?.commit }
  }

  /** Where they can be looked at: here, once they have come here, or in a copy. */
  async #look(): Promise<void> {
    await this.#arrive()
    this.#copy = await this.#copies?.of(this.#where.agent, this.#life.snapshot.context)
  }

  get #seen(): FilesPlace {
    const { agent } = this.#where
    return this.#copy ? { agent, workspace: undefined, directories: this.#copy.directories } : this.#place
  }

  /** They come from where the agent lived before. */
  async #arrive(): Promise<void> {
    await this.#moving?.arrive(this.#where.agent, this.#life)
  }

  async #keep(commit: string): Promise<void> {
    const { context } = this.#life.snapshot
    const stored = await this.#moving?.store(this.#where.agent, context, { commit })
    if (stored && stored.length > 0) await this.#life.decide(() => stored)
  }

  /** The answered tasks, oldest first. */
  async turns(): Promise<readonly FilesTurn[]> {
    return (await filesTurns(this.#store, this.#life.stream)).turns
  }

  /** The files, by path: those of now, or those at a version of the agent's stream. */
  async list({ at }: { readonly at?: number } = {}): Promise<readonly ListedFile[]> {
    await this.#look()
    if (at === undefined) return this.#files.list(this.#seen, await this.#now())
    const { state } = await foldAt(agentKind as unknown as AnyKind, this.#store, this.#life.stream, at)
    const { files } = state.context as unknown as AgentContext
    return this.#files.list(this.#seen, files?.commit ?? this.#place.workspace?.commit ?? NO_FILES)
  }

  /** How the files differ. Without options, from where the agent began to now. */
  async diff({ turn, since }: DiffOptions = {}): Promise<FilesDiff> {
    await this.#look()
    const { base, head } = await this.#range({ ...(turn && { turn }), ...(since && { since }) })
    const files = await this.#files.changes(this.#seen, base, head)
    return { agent: this.#place.agent, base, head, files }
  }

  /** The same as a patch, as `git apply` takes it. */
  async patch(options: DiffOptions = {}): Promise<string> {
    await this.#look()
    const { base, head } = await this.#range(options)
    return this.#files.patch(this.#seen, base, head)
  }

  /**
   * Brings the files back to what they were after a turn (0: where the agent began); by default before the last turn that is
   * not undone. The present files are saved first, so that this can be undone. The conversation stays as it is. Throws
   * AgentBusyError while a task runs, and InvalidInputError if no turn is left. A task that begins meanwhile waits for it.
   */
  async undo({ to, by }: Verdict & { readonly to?: number } = {}): Promise<Undone> {
    await this.#arrive()
    for (;;) {
      const held = await heldCurrent(this.#where.agent, this.#life.snapshot.context, this.#admission)
      this.#assertIdle(held)
      const { version } = this.#life
      const { turns, standing, began } = await filesTurns(this.#store, this.#life.stream)
      const target =
        to === undefined
          ? await this.#before(standing)
          : to === 0 && began !== undefined
            ? began
            : this.#turn(turns, to).after
      const restored = () => {
        this.#assertIdle(held)
        // What has happened since may be another turn to undo.
        return this.#life.version === version ? target : undefined
      }
      const undone = await this.#files.restore(this.#place, restored, 'undone', async (files) => {
        const [fact] = await this.#life.decide(() => [filesRestored('undo', files, defined({ by }))])
        return { agent: this.#place.agent, version: fact?.version ?? 0, commit: files.after.commit }
      })
      if (!undone) continue
      await this.#keep(undone.commit)
      return undone
    }
  }

  /** The project's own settings in its worktree, and whether they count. */
  async project(): Promise<ProjectInfo> {
    await this.#arrive()
    return projectOf(this.#files, this.#place)
  }

  /**
   * Lets the project's own settings count from the next call on, as they are now, or (`counts: false`) not. That is remembered
   * for all agents on the repository, until the settings change. `hash`: those that the user has seen. Throws InvalidInputError
   * if they have changed since, and WorkspaceError if they cannot be loaded.
   */
  async trust({
    hash,
    counts = true,
  }: {
    readonly hash: string
    readonly counts?: boolean
  }): Promise<ProjectInfo> {
    const what = `The project's settings of agent "${this.#place.agent}"`
    const { workspace } = this.#place
    if (!workspace) throw new InvalidInputError({ what, problem: 'it does not work on a repository' })
    if (counts && workspace.project === false) {
      const hint = 'Create another agent with --project, or without --no-project.'
      throw new InvalidInputError({ what, problem: 'it was created not to load them', hint })
    }
    const { repository, ...found } = await this.#files.project({ ...this.#place, workspace })
    if (found.hash !== hash) {
      const hint = `Look at them again: claude-agents agent show ${this.#place.agent}`
      throw new InvalidInputError({ what, problem: 'they have changed meanwhile', hint })
    }
    const path = this.#place.directories.workspace
    if (counts && found.problem !== undefined) throw new WorkspaceError({ path, problem: found.problem })
    await (counts ? trust : refuse)({ path: repository, text: hash }, process.env)
    return this.project()
  }

  #assertIdle(held: HeldTask | undefined): void {
    if (this.#life.snapshot.context.current !== null)
      throw new AgentBusyError({ agent: this.#place.agent, held })
  }

  async #range({ turn, since }: DiffOptions): Promise<{ readonly base: string; readonly head: string }> {
    if (turn !== undefined) {
      const found = this.#turn(await this.turns(), turn)
      return { base: found.before, head: found.after }
    }
    const head = await this.#now()
    if (since !== undefined) return { base: await this.#files.find(this.#seen, since), head }
    // Before its first call, an agent has changed nothing.
    return { base: (await filesTurns(this.#store, this.#life.stream)).began ?? head, head }
  }

  /** A snapshot of the files as they are; the newest one while a call changes them, and if they cannot be made again. */
  async #now(): Promise<string> {
    if (this.#copy) return this.#copy.commit
    const { current, files } = this.#life.snapshot.context
    if (current?.call && files) return files.commit
    try {
      return (await this.#files.save(this.#place, 'when it was looked at')).commit
    } catch (error) {
      // A copy of a store can be looked at, although the original still has the branch checked out.
      if (files && this.#files.isGone(this.#place)) return files.commit
      throw error
    }
  }

  /** The snapshot before the last turn that stands and changed something. */
  async #before(standing: readonly FilesTurn[]): Promise<string> {
    for (const { before, after, dropped } of standing.toReversed())
      if (dropped) break
      else if ((await this.#files.changes(this.#place, before, after)).length > 0) return before
    const { agent } = this.#place
    const hint = `To bring the files back to where it began, without what was changed by hand: claude-agents agent undo ${agent} --to 0`
    throw new InvalidInputError({ what: `Agent "${agent}"`, problem: 'no turn is left to undo', hint })
  }

  #turn(turns: readonly FilesTurn[], turn: number): FilesTurn {
    const found = turns[turn - 1]
    if (found && !found.dropped) return found
    const problem = found
      ? 'its files were dropped when the log was compacted'
      : turns.length === 0
        ? 'it has answered nothing yet'
        : `its turns are 1 to ${turns.length}`
    throw new InvalidInputError({ what: `Turn ${turn} of agent "${this.#place.agent}"`, problem })
  }
}

/** All turns of an agent, those that stand (what was undone is not among them), and where it began, once that is known. */
export async function filesTurns(
  store: EventStore,
  stream: string,
): Promise<{
  readonly turns: readonly FilesTurn[]
  readonly standing: readonly FilesTurn[]
  readonly began: string | undefined
}> {
  const turns: FilesTurn[] = []
  const standingAfter: (readonly FilesTurn[])[] = []
  let standing: readonly FilesTurn[] = []
  let before = ''
  let after = ''
  let dropped = false
  /** A turn in the middle: its next call does not begin from where it did. */
  let halfDone: { readonly taskId: string; readonly before: string } | undefined
  let began: string | undefined
  for await (const recorded of store.read(stream)) {
    const { type, data } = agentFacts.read(recorded)
    // Another agent may have had the id before.
    if (type === 'AgentCreated') [before, began] = ['', data.config.workspace?.commit]
    if (type === 'AgentConfigured') began = data.config.workspace?.commit ?? began
    if (type === 'CallStarted') {
      before = after = data.empty ? NO_FILES : ''
      dropped = false
    }
    if (type === 'FilesSaved') {
      if (data.when === 'before') before = data.commit
      after = data.commit
      dropped ||= data.dropped === true
    }
    if (type === 'FilesRestored' && data.because === 'fork') began ??= data.commit
    if (before !== '') began ??= before
    if (type === 'CallDeferred' && before !== '' && halfDone?.taskId !== data.taskId)
      halfDone = { taskId: data.taskId, before }
    if (type === 'SessionLost') halfDone = undefined
    if (type === 'CallSucceeded' && before !== '') {
      const { taskId } = data
      const from = halfDone?.taskId === taskId ? halfDone.before : before
      turns.push({ turn: turns.length + 1, taskId, before: from, after, ...(dropped && { dropped }) })
      standing = [...standing, ...turns.slice(-1)]
      standingAfter.push(standing)
    }
    if (type === 'FilesRestored' && data.because === 'undo') {
      const undone = standing.findLastIndex((turn) => turn.before === data.to)
      const restored = turns.findLastIndex((turn) => turn.after === data.to)
      standing = undone < 0 ? (standingAfter[restored] ?? []) : standing.slice(0, undone)
    }
  }
  return { turns, standing, began }
}
