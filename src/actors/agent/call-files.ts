/**
 * The files of an agent around a call. Each call begins from the files that the last answer left, and what it did is a
 * snapshot; after an answer of an agent on a repository, its changes are a commit on its branch. Only that agent depends on
 * git: without it, the files of the others are not kept.
 */
import { type AgentFact, NO_FILES } from '../../events/agent-facts.ts'
import { shellWord } from '../../events/errors/phrases.ts'
import { unsentErrorData } from '../../events/errors/recorded.ts'
import { GitNotInstalled, SnapshotMissing } from '../../events/errors/workspace.ts'
import type { MESSAGE_PARTS } from '../../events/options/agent.ts'
import type { SavedFiles } from '../../workspaces/files/file-history.ts'
import type { FilesOperations, RestoredFiles } from '../../workspaces/files/operations.ts'
import type { FilesPlace } from '../../workspaces/files/place.ts'
import { type CallEnding, decideOn, recordInCall } from './call.ts'
import type { AgentActor, AgentEnvironment, AskedTasks } from './environment.ts'
import { filesRestored, type ProjectInfo, projectOf } from './files.ts'
import type { CallOfTask, OpenCall, QueuedTask } from './state.ts'

interface KeptFiles {
  readonly files: FilesOperations
  readonly place: FilesPlace
}

/** What an ended call has left of the files: facts that come before its ending, and what that says of them. */
export interface LeftFiles {
  readonly facts: readonly AgentFact[]
  readonly said: { readonly untouched?: true }
}

type RestoredFact = Extract<AgentFact, { type: 'FilesRestored' }>

export interface SavedAfter {
  /** Undefined if there is nothing to save. */
  readonly saved?: SavedFiles
  readonly problem?: string
}

export interface CallFiles {
  /** Whether there is anything to do before a call: mostly no file is there, and none has to come back. */
  areToPrepare(): boolean
  /** Whether there is nothing to save before a call. */
  isEmpty(): boolean
  /** What an earlier call that did not end well has left is taken back. Returns the call's ending if that fails. */
  begin(of: CallOfTask): Promise<CallEnding | undefined>
  /** Saves the files that the call begins from. Returns the call's ending if that fails. */
  saveBefore(of: CallOfTask): Promise<CallEnding | undefined>
  /**
   * Saves the files that an answered call left; undefined if there are none. Returns why that failed, if it did: the answer is
   * recorded without them.
   */
  saveAfter(of: CallOfTask): Promise<SavedAfter> | undefined
  /**
   * Brings the files back to before a call that did not end well, at once: what is changed later is not its work. If
   * that fails, the next call begins with it.
   */
  left(of: CallOfTask): Promise<LeftFiles>
  /**
   * The same if its task has ended without it; undefined if nothing is to be brought back. A call that is still open in the log
   * will be recovered.
   */
  abandon(of: CallOfTask): Promise<void> | undefined
  /** Commits them to the agent's branch. */
  commit(task: QueuedTask, call: OpenCall, saved: SavedFiles): Promise<void>
}

/** The runners of those that were told that git is missing: once is enough. */
const withoutGit = new WeakSet<FilesOperations>()

/** The settings of which the log of this process was told that they do not count: other agents on them need not say so again. */
const untrusted = new WeakMap<FilesOperations, Set<string>>()

export function callFiles(
  agent: string,
  actor: AgentActor,
  { runner, logger, directories, moving }: AgentEnvironment,
  { bodies, channel }: Pick<AskedTasks, 'bodies' | 'channel'>,
): CallFiles {
  const { files } = runner
  const place: FilesPlace = {
    agent,
    directories: directories(agent),
    get workspace() {
      return actor.snapshot.context.config?.workspace
    },
    get last() {
      return actor.snapshot.context.files?.commit
    },
    rebuilt() {
      const { current } = actor.snapshot.context
      if (current) warn(current, 'its workspace was gone: it was made again from the newest snapshot')
    },
  }
  const kept = files && { files, place }
  /** Undefined if there is nothing to do. */
  const keptNow = () => (actor.snapshot.context.config ? kept : undefined)

  /** Tells those who listen to the task, and the log if this is news to it. */
  function warn({ taskId }: QueuedTask, message: string, isNews = true): void {
    if (isNews) logger.warn({ agent, taskId }, message)
    channel.say(taskId, { type: 'warning', message })
  }

  /** Whether the files of its past are not here: that is said in the log before the call begins. */
  let isLost = false

  /** What was said of files that are left, so that it is said once. */
  let saidOfLeft = ''
  function tellLeft(task: QueuedTask, { left = [], leftInAll = left.length }: SavedFiles): void {
    const names = left.join(', ')
    const others = leftInAll - left.length
    const said = others === 0 ? names : `${names} and ${others} others`
    if (said !== saidOfLeft && said !== '')
      warn(
        task,
        `some files are neither saved nor brought back, because they are too large, too many or cannot be read: ${said}`,
      )
    saidOfLeft = said
  }

  /** Does it in the open call, where it is recorded. */
  async function inCall(
    of: CallOfTask,
    work: (
      given: KeptFiles & { readonly write: (...facts: AgentFact[]) => Promise<unknown> },
    ) => Promise<unknown>,
  ): Promise<CallEnding | undefined> {
    const found = keptNow()
    if (!found) return undefined
    try {
      await work({ ...found, write: (...facts) => recordInCall(actor, of, ...facts) })
      return undefined
    } catch (error) {
      if (isDoneWithout(found, error)) return undefined
      return { type: 'CallFailed', error: unsentErrorData(error) }
    }
  }

  /** Whether the project's own settings count in a call that begins now. Says why they do not, once. */
  async function projectInCall(task: QueuedTask, files: FilesOperations, place: FilesPlace) {
    const { trust, hash, files: names, problem } = await projectOf(files, place)
    if (trust === 'none' || trust === 'never') return {}
    const counts = trust === 'trusted'
    const before = actor.snapshot.context.files?.project
    const isSaid = trust === 'refused' || (before?.hash === hash && !before.counts)
    if (!counts && !isSaid) {
      const told = untrusted.get(files) ?? new Set()
      untrusted.set(files, told)
      const settings = `${place.workspace?.repo} ${hash}`
      const isNews = !told.has(settings)
      told.add(settings)
      warn(
        task,
        `The project's own settings do not count (${names.join(', ')}): ${whyNot(trust, problem)}. Look at them. If you want them: claude-agents config trust ${shellWord(place.directories.workspace)}`,
        isNews,
      )
    }
    return { project: { hash, counts } }
  }

  /** Whether the work continues without the files of its past, which is then said. */
  function isDoneWithout({ files, place: { workspace } }: KeptFiles, error: unknown) {
    if (workspace) return false
    if (error instanceof SnapshotMissing)
      logger.warn(
        { agent, error },
        'the files could not be brought back: its calls continue with the present ones',
      )
    else if (!(error instanceof GitNotInstalled)) return false
    else if (!withoutGit.has(files)) {
      withoutGit.add(files)
      logger.warn(
        { error },
        'the files of agents are not kept: failed calls leave theirs, and nothing can be undone',
      )
    }
    return true
  }

  async function takeBack({
    task: { taskId },
    call: { callId },
  }: CallOfTask): Promise<RestoredFact | undefined> {
    const found = keptNow()
    const to = actor.snapshot.context.files?.before
    if (!found || to === undefined) return undefined
    try {
      const note = `after call ${callId}, which did not end well`
      const written = async (restored: RestoredFiles) => filesRestored('call', restored)
      return await found.files.restore(found.place, () => to, note, written)
    } catch (error) {
      if (!isDoneWithout(found, error))
        logger.warn(
          { agent, taskId, error },
          'the files are not as before a call: the next one begins with that',
        )
      return undefined
    }
  }

  async function abandoned(of: CallOfTask): Promise<void> {
    const fact = await takeBack(of)
    if (fact) await decideOn(actor, of.task, () => [fact])
  }

  async function savedAfter(found: KeptFiles, of: CallOfTask): Promise<SavedAfter> {
    const { task, call } = of
    const { taskId } = task
    const { callId } = call
    try {
      const saved = await found.files.save(found.place, `after call ${callId}`)
      if (saved.commit === NO_FILES) return {}
      tellLeft(task, saved)
      await recordInCall(actor, of, { type: 'FilesSaved', data: { taskId, callId, when: 'after', ...saved } })
      return { saved }
    } catch (error) {
      if (isDoneWithout(found, error)) return {}
      const said = 'the files after its answer could not be saved'
      const problem = error instanceof Error ? error.message : String(error)
      warn(task, `${said}, and the next call saves them: ${problem}`)
      return { problem: `${said}: ${problem}` }
    }
  }

  return {
    areToPrepare() {
      const found = keptNow()
      const { before = NO_FILES } = actor.snapshot.context.files ?? {}
      return found !== undefined && (before !== NO_FILES || !found.files.isEmpty(found.place))
    },

    isEmpty() {
      const found = keptNow()
      return found?.files.isEmpty(found.place) ?? false
    },

    begin: (of) =>
      inCall(of, async ({ files, place, write }) => {
        isLost = await files.isLost(place)
        if (isLost && !actor.snapshot.context.files?.lost)
          warn(
            of.task,
            'the files of its earlier turns are not on this machine: it works with those that are in its workspace',
          )
        await files.layOut(place)
        const to = () => {
          const before = actor.snapshot.context.files?.before
          return before === NO_FILES && files.isEmpty(place) ? undefined : before
        }
        if (to() === undefined) return
        const note = `before call ${of.call.callId}`
        await files.restore(place, to, note, (restored) => write(filesRestored('call', restored)))
      }),

    saveBefore: (of) =>
      inCall(of, async ({ files, place, write }) => {
        const { taskId } = of.task
        const { callId } = of.call
        const saved = await files.save(place, `before call ${callId}`)
        if (saved.commit === NO_FILES) return
        tellLeft(of.task, saved)
        const project = await projectInCall(of.task, files, place)
        const lost = isLost ? { lost: true as const } : {}
        const { context } = actor.snapshot
        const tell = (said: string) => warn(of.task, said, false)
        const stored = await moving?.store(agent, context, { commit: saved.commit }, tell)
        const data = { taskId, callId, when: 'before', ...saved, ...project, ...lost } as const
        await write({ type: 'FilesSaved', data }, ...(stored ?? []))
      }),

    saveAfter(of) {
      const found = keptNow()
      return found && !found.files.isEmpty(found.place) ? savedAfter(found, of) : undefined
    },

    async left(of) {
      const fact = await takeBack(of)
      if (!fact) return { facts: [], said: {} }
      return fact.data.from === fact.data.to
        ? { facts: [], said: { untouched: true } }
        : { facts: [fact], said: {} }
    },

    abandon(of) {
      const { current, files: saved } = actor.snapshot.context
      const isOpen = current?.call?.callId === of.call.callId
      return isOpen || saved?.before === undefined ? undefined : abandoned(of)
    },

    async commit(task, { sessionId }, saved) {
      const found = keptNow()
      const workspace = found?.place.workspace
      if (!found || !workspace || workspace.commits === 'agent') return
      const { taskId, runId } = task
      const run = runId === undefined ? '' : `Run: ${runId}\n`
      try {
        const [first = ''] = (await bodies.read(task.prompt)).trim().split(/[\r\n]/, 1)
        const parts: Parts = { subject: shortened(first), agent, task: taskId, run: runId ?? '' }
        const text = messageFrom(workspace.message ?? '{subject}', parts)
        const message = `${text}\n\nAgent: ${agent}\nTask: ${taskId}\n${run}Session: ${sessionId}\n`
        const commit = await found.files.commit(found.place, saved, message)
        if (commit === null) return
        await decideOn(actor, task, () => [
          { type: 'FilesCommitted', data: { taskId, commit, branch: workspace.branch } },
        ])
      } catch (error) {
        logger.warn({ agent, taskId, error }, 'a turn could not be committed: the next commit contains it')
      }
    },
  }
}

function whyNot(trust: ProjectInfo['trust'], problem: string | undefined): string {
  if (problem !== undefined) return problem
  return trust === 'changed' ? 'they have changed since you trusted them' : 'you have not trusted them'
}

type Parts = Readonly<Record<(typeof MESSAGE_PARTS)[number], string>>

/** What a part contains is not looked at for further ones. */
const messageFrom = (template: string, parts: Parts): string =>
  template.replaceAll(/\{(\w+)\}/g, (_, part: keyof Parts) => parts[part]).trim() || parts.subject

/** In characters, as git log shows it. */
const LONGEST_SUBJECT = 72

const shortened = (subject: string): string =>
  subject.length <= LONGEST_SUBJECT ? subject || 'Work' : `${subject.slice(0, LONGEST_SUBJECT - 1)}…`
