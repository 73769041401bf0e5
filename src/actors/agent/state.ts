/** The state of an agent, and how each fact changes it. Its size does not grow with the agent's history. */
import {
  type AgentFact,
  type Failure,
  type Hold,
  NO_FILES,
  type ProjectInCall,
} from '../../events/agent-facts.ts'
import type { JsonObject } from '../../events/json.ts'
import type { AgentConfig } from '../../events/options/agent.ts'
import { spendingIn } from '../../events/spending.ts'
import type { Body, Material, PlacedInput } from '../../events/task-input.ts'
import { givenBack, readBy, received, released, taken, type Unread } from './mailbox/unread.ts'
import { behindAt, movedTo, type StoredState, storedAt } from './moving/stored.ts'
import { type DeferredCall, decidedIn, deferredAt, fromBefore } from './tasks/deferral.ts'

/** A task in the queue. */
export interface QueuedTask {
  readonly taskId: string
  readonly prompt: Body
  readonly textInput: Body | null
  readonly material: Material
  readonly outputSchema?: JsonObject
  readonly session: 'chain' | 'run' | 'fresh'
  /** The head of its run's conversation with the agent. */
  readonly continues?: string
  /** The run that asked. */
  readonly runId?: string
  /** Messages began it, or a task that asks for it: the length of their chain. */
  readonly woken?: number
  /** The agents that wait for its answer, the one that asked last. Absent if none does. */
  readonly askers?: readonly string[]
  /** The messages that its calls begin with. Absent if there are none. */
  readonly messages?: readonly Unread[]
  /** Those that it has read in the middle of a call: its next call begins with them as well. Absent if there are none. */
  readonly news?: readonly Unread[]
  /** The facts of the shared notes and the answers that the open call has read. Absent if it has read none. */
  readonly noted?: readonly string[]
  /** Why it is held. */
  readonly hold?: Hold
  /** Kept from its earlier calls if it was held between two. */
  readonly attempt?: number
  readonly placed?: boolean
  /** The inputs of which something was left out. Absent if there are none. */
  readonly incomplete?: readonly PlacedInput[]
  readonly excused?: number
  readonly deferred?: DeferredCall
  /** The id of the fact that last moved the task: the cause of what happens to it next. */
  readonly cause: string
}

/** The process of a call, and where it runs. */
export interface PlacedProcess {
  readonly pid: number
  readonly startTime: string | null
  /** Absent if it is not known, as in older logs. */
  readonly machine?: string
  readonly home?: string
}

/** A call that was announced and has not ended. */
export interface OpenCall {
  readonly callId: string
  readonly sessionId: string
  readonly parentSessionId: string | null
  /** The parent session is lost: the new session starts with its conversation as text. */
  readonly rebuilt: boolean
  /** How much time the task had left when the call began, in ms; null in older logs. */
  readonly leftMs: number | null
  readonly process: PlacedProcess | null
}

/** The task that the agent is working on. */
export interface CurrentTask extends QueuedTask {
  /** How many calls it has had, including the open one and the excused ones. */
  readonly attempt: number
  readonly deadlineAt: string
  readonly call: OpenCall | null
  /** Whether its material is in the workspace. */
  readonly placed: boolean
  /** When the next call is due, while the agent waits to retry. */
  readonly dueAt: string | null
  /** How long that wait was when it was decided, and in how many ms the deadline came then. Absent in older logs. */
  readonly delayMs?: number
  readonly deadlineInMs?: number
  /** How many of its calls ended through no fault of the task. They do not count as retries. */
  readonly excused: number
  /** Calls in a row that the account refused. */
  readonly refusals: number
  /** The time it has left, in ms, while its deadline stands still; null otherwise. */
  readonly leftMs: number | null
}

/** A task, and the call that it has had or has now. */
export interface CallOfTask {
  readonly task: CurrentTask
  readonly call: OpenCall
}

/**
 * What an agent's calls have cost, added up. What not every log has is absent while it is 0, so that states keep the hashes
 * that old logs recorded.
 */
export interface AgentTotals {
  /** Answered calls. */
  readonly interactions: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costUsd: number
  /** What budgets count beyond input and output: tokens written to the cache, and a share of those read from it. */
  readonly cacheTokens?: number
  /** Calls without an answer that cost something. */
  readonly unanswered?: number
  /** The part of the cost that is an estimate. */
  readonly estimatedUsd?: number
}

/** The cost of a call. */
export interface CallCost {
  readonly usd: number
  readonly tokens: number
}

/** What an agent is doing. */
export type AgentStatus = 'absent' | 'idle' | 'busy' | 'retry' | 'held' | 'error' | 'stopped'

/** A state of the agent's machine: {@link AgentContext}, and what it is doing. */
export interface AgentState {
  readonly value: AgentStatus
  readonly context: AgentContext
}

export interface AgentContext {
  readonly config: AgentConfig | null
  readonly queue: readonly QueuedTask[]
  readonly current: CurrentTask | null
  /** The head of the session chain: what the next call continues. */
  readonly session: string | null
  /** A session that should have been continued and is gone. */
  readonly lostSession: string | null
  readonly totals: AgentTotals
  /** The cost of the last call that told it. */
  readonly lastCost: CallCost | null
  /**
   * How many answers arrived after their task had ended. The field keeps the old name, because hashes of states are in
   * the log and a renamed field would change them all.
   */
  readonly deadLetters: number
  /** Why the last task failed, until one succeeds. */
  readonly failure: Failure | null
  /** Calls whose tasks ended before them: how they ended is still to be recorded. Absent as long as there were none. */
  readonly abandoned?: readonly CallOfTask[]
  /** Tool calls that match one of these need no decision. Absent as long as there are none. */
  readonly rules?: readonly string[]
  /** Its mailbox, first in, first out. Absent as long as there was no message. */
  readonly unread?: readonly Unread[]
  /** The files of its workspace. Absent as long as nothing is known of them. */
  readonly files?: SavedState | undefined
  /** Where it lives, and what is in the store for another machine. Absent outside of a cluster. */
  readonly stored?: StoredState | undefined
  /**
   * The sets of labels that it required before that of now, the last one first: what has it by one of these lets go of it
   * first. Absent if they never changed.
   */
  readonly requiredBefore?: readonly (readonly string[])[]
}

/** What is known of an agent's files. */
export interface SavedState {
  /** The newest snapshot. */
  readonly commit: string
  /** The snapshot before the call that is open, or that did not end well: the next call begins from it. */
  readonly before?: string
  /** The project's own settings at the newest call. Absent if there were none. */
  readonly project?: ProjectInCall
  /** Those of its earlier turns are not on this machine, and no call since then was answered. */
  readonly lost?: true
}

export const absent: AgentContext = {
  config: null,
  queue: [],
  current: null,
  session: null,
  lostSession: null,
  totals: { interactions: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 },
  lastCost: null,
  deadLetters: 0,
  failure: null,
}

/** The tokens of all calls, as budgets count them. */
export const totalTokens = ({ inputTokens, outputTokens, cacheTokens = 0 }: AgentTotals): number =>
  inputTokens + outputTokens + cacheTokens

type DataOf<T extends AgentFact['type']> = Extract<AgentFact, { type: T }>['data']
type Change = Partial<AgentContext>

/** As many as people correct before it has moved once. */
const LAST_LABELS = 8

/** Sets of labels, each once, without the one of now. */
function lastLabels(
  sets: readonly (readonly string[])[],
  now: readonly string[],
): readonly (readonly string[])[] {
  const byKey = new Map(sets.map((set) => [String(set), set]))
  byKey.delete(String(now))
  return [...byKey.values()].slice(0, LAST_LABELS)
}

/** How each fact changes the context, once the machine has accepted it. */
export const changes: {
  readonly [T in AgentFact['type']]: (context: AgentContext, data: DataOf<T>, id: string) => Change
} = {
  // A fork continues the conversation. The tasks and costs of the original stay with the original.
  AgentCreated: ({ deadLetters }, { config, forkedFrom }) => ({
    ...absent,
    deadLetters,
    config,
    session: forkedFrom?.sessionId ?? null,
  }),
  // What was saved of a private workspace is nothing that a worktree begins from.
  AgentConfigured: ({ config: before, files, requiredBefore = [] }, { config }) => ({
    config,
    ...(files && config.workspace && !before?.workspace && { files: undefined }),
    ...(String(before?.requires ?? []) !== String(config.requires ?? []) && {
      requiredBefore: lastLabels([before?.requires ?? [], ...requiredBefore], config.requires ?? []),
    }),
  }),
  TaskAccepted: ({ queue }, task, cause) => ({ queue: [...queue, { cause, ...task }] }),
  TaskHeld: ({ queue, current }, { taskId, hold }) =>
    current?.taskId === taskId
      ? { current: null, queue: [{ ...queuedAgain(current), ...excusedBy(hold, current), hold }, ...queue] }
      : { queue: queue.map((queued) => (queued.taskId === taskId ? { ...queued, hold } : queued)) },
  TaskApproved: ({ queue }, { taskId }, cause) => ({
    queue: queue.map(({ hold, ...queued }) =>
      queued.taskId === taskId ? { ...queued, cause } : { ...queued, ...(hold && { hold }) },
    ),
  }),
  CallStarted(
    { queue, current, unread },
    {
      taskId,
      callId,
      attempt,
      sessionId,
      parentSessionId,
      deadlineAt,
      rebuilt = false,
      leftMs = null,
      empty,
      messages: read = [],
    },
    cause,
  ) {
    const task = current ?? queue.find((queued) => queued.taskId === taskId)
    if (!task) return {}
    const call: OpenCall = { callId, sessionId, parentSessionId, rebuilt, leftMs, process: null }
    const { prompt, textInput, material, session, continues, outputSchema, runId, woken, askers } = task
    const box = taken({ unread }, read)
    const messages = [...readBy(task), ...box.messages]
    return {
      queue: queue.filter((queued) => queued.taskId !== taskId),
      ...(unread && box.left),
      ...(empty && { files: { commit: NO_FILES, before: NO_FILES } }),
      current: {
        taskId,
        prompt,
        textInput,
        material,
        session,
        ...(continues === undefined ? {} : { continues }),
        ...(outputSchema === undefined ? {} : { outputSchema }),
        ...(runId === undefined ? {} : { runId }),
        ...(woken === undefined ? {} : { woken }),
        ...(askers === undefined ? {} : { askers }),
        ...(messages.length === 0 ? {} : { messages }),
        cause,
        attempt,
        deadlineAt,
        call,
        placed: task.placed ?? false,
        ...(task.incomplete === undefined ? {} : { incomplete: task.incomplete }),
        dueAt: null,
        excused: task.excused ?? 0,
        ...(task.deferred && { deferred: task.deferred }),
        refusals: current?.refusals ?? 0,
        leftMs: null,
      },
    }
  },
  ConversationCut: () => ({}),
  InputsPlaced({ current }, { inputs }) {
    if (!current) return {}
    const incomplete = inputs.filter(({ leftOut }) => leftOut !== undefined)
    return { current: { ...current, placed: true, ...(incomplete.length > 0 ? { incomplete } : {}) } }
  },
  FilesSaved: ({ files }, { when, commit, project, lost = files?.lost }) => ({
    files:
      when === 'after'
        ? { ...files, commit }
        : { commit, before: commit, ...(project && { project }), ...(lost && { lost }) },
  }),
  FilesCommitted: () => ({}),
  AgentStored: storedAt,
  AgentMoved: movedTo,
  FilesRestored: ({ files, stored }, data) => ({
    files: { ...(files && restingFiles(files)), commit: data.commit },
    ...behindAt({ stored }, data),
  }),
  ProcessStarted: ({ current }, { pid, startTime, machine, home }) => {
    if (!current?.call) return {}
    const process: PlacedProcess = {
      ...{ pid, startTime },
      ...(machine === null ? {} : { machine }),
      ...(home === null ? {} : { home }),
    }
    return { current: { ...current, call: { ...current.call, process } } }
  },
  CallSucceeded: ({ totals, current, session, queue, lastCost, files }, data) => ({
    current: null,
    // A fresh conversation ends with its task, and that of a run continues in its tasks; the agent's own stays where it was.
    session: (current?.session ?? 'chain') === 'chain' ? data.sessionId : session,
    queue: continuedBy(queue, current, data.sessionId),
    failure: null,
    ...(files && { files: knownFiles(restingFiles(files)) }),
    totals: { ...withSpending(totals, data), interactions: totals.interactions + 1 },
    lastCost: lastCostIn(data) ?? lastCost,
  }),
  LateAnswerRecorded: ({ totals, deadLetters, abandoned }, data) => ({
    totals: withSpending(totals, data),
    deadLetters: deadLetters + 1,
    ...without(abandoned, data.callId),
  }),
  LateCostRecorded: ({ totals, abandoned }, data) => ({
    ...(!isFree(data) && { totals: withSpending(totals, data, 1) }),
    ...without(abandoned, data.callId),
  }),
  CallDeferred: ({ current, totals, lastCost, files }, data, cause) => ({
    ...(current && {
      current: { ...current, ...deferredAt(data, current.deferred, files), cause, call: null },
    }),
    // The turn continues from the present files.
    ...(files && { files: restingFiles(files) }),
    ...(!isFree(data) && { totals: withSpending(totals, data, 1), lastCost: lastCostIn(data) ?? lastCost }),
  }),
  ToolDecided: ({ current }, data, cause) =>
    current ? { current: { ...current, ...decidedIn(current, data), cause } } : {},
  ToolRuleRemembered: ({ rules = [] }, { rule }) => ({
    rules: [...rules.filter((one) => one !== rule), rule],
  }),
  ToolRuleForgotten: ({ rules = [] }, { rule }) => ({ rules: rules.filter((one) => one !== rule) }),
  CallFailed: endCall,
  CallOutcomeUnknown: (context, data) =>
    data.late ? without(context.abandoned, data.callId) : endCall(context, data),
  RetryScheduled: ({ current }, { dueAt, delayMs, deadlineInMs, because, leftMs }, cause) =>
    current
      ? {
          current: {
            ...current,
            cause,
            dueAt,
            ...(delayMs === undefined ? {} : { delayMs }),
            ...(deadlineInMs === undefined ? {} : { deadlineInMs }),
            leftMs: leftMs ?? null,
            excused: current.excused + (because === undefined ? 0 : 1),
            refusals: because === 'account' ? current.refusals + 1 : 0,
          },
        }
      : {},
  SessionAdopted: ({ totals }, data) => ({ session: data.sessionId, totals: withSpending(totals, data) }),
  SessionLost: ({ current, files }, { sessionId }) => {
    if (current?.deferred?.sessionId !== sessionId) return { lostSession: sessionId }
    // The turn begins anew.
    const { deferred, ...task } = current
    return { current: task, ...fromBefore(files, deferred) }
  },
  TaskFailed: (context, { taskId, error }) => ({
    ...(context.current?.taskId === taskId && { failure: error }),
    ...withoutTask(context, taskId),
  }),
  TaskCancelled: (context, { taskId, running }) => ({
    ...(running && context.current?.taskId === taskId && withCall(context.abandoned, context.current)),
    ...withoutTask(context, taskId),
  }),
  MessageReceived: received,
  MessagesRead: ({ unread, current }, { messages }) => {
    const { messages: news, left } = taken({ unread }, messages)
    return current ? { ...left, current: { ...current, news: [...(current.news ?? []), ...news] } } : {}
  },
  NoteRead: noteUses,
  AnswerRead: noteUses,
  MessageReleased: (context, { messageId }) => released(context, messageId),
  MessageRejected: ({ unread }, { messageId }) => taken({ unread }, [messageId]).left,
  MessageSent: () => ({}),
  MessageUndeliverable: () => ({}),
  AgentReset: () => ({ session: null, lostSession: null, failure: null }),
  AgentRestarted: () => ({ failure: null }),
  AgentStopped: () => ({}),
  AgentRemoved: ({ deadLetters, files, abandoned, rules, unread, stored }) => ({
    ...absent,
    deadLetters,
    ...(files && { files: undefined }),
    ...(abandoned && { abandoned: [] }),
    ...(rules && { rules: [] }),
    ...(unread && { unread: [] }),
    ...(stored && { stored: undefined }),
  }),
}

function noteUses({ current }: AgentContext, { uses }: { readonly uses: readonly string[] }): Change {
  return current ? { current: { ...current, noted: [...(current.noted ?? []), ...uses] } } : {}
}

/** The queue after an answer: the tasks of the same run continue from it. */
function continuedBy(
  queue: readonly QueuedTask[],
  current: CurrentTask | null,
  sessionId: string,
): readonly QueuedTask[] {
  if (current?.session !== 'run' || current.runId === undefined) return queue
  return queue.map((task) =>
    task.session === 'run' && task.runId === current.runId ? { ...task, continues: sessionId } : task,
  )
}

/** A task ends without an answer. */
function withoutTask({ current, queue, files, unread }: AgentContext, taskId: string): Change {
  const isCurrent = current?.taskId === taskId
  const { deferred, ...task } = (isCurrent ? current : queue.find((one) => one.taskId === taskId)) ?? {}
  return {
    ...givenBack({ unread }, task),
    ...(isCurrent ? { current: null } : { queue: queue.filter((queued) => queued.taskId !== taskId) }),
    ...fromBefore(files, deferred),
  }
}

/** The present files are what the next call begins from. */
const restingFiles = ({ before: _, ...resting }: SavedState): SavedState => resting

/** An answered call knew of those that are lost. */
const knownFiles = ({ lost: _, ...known }: SavedState): SavedState => known

/** A task that returns to the queue between two calls. Its next call gets a new deadline. */
function queuedAgain(current: CurrentTask): QueuedTask {
  const { call, deadlineAt, dueAt, delayMs, deadlineInMs, refusals, leftMs, ...task } = current
  return task
}

/** A call that the account could not pay for does not count as one of the task's retries. */
const excusedBy = (hold: Hold, { excused, dueAt }: CurrentTask) =>
  hold.reason === 'account' && dueAt === null ? { excused: excused + 1 } : {}

/** Whether it is still to be recorded how a call ended, although its task has. */
export const isAbandoned = ({ abandoned = [] }: AgentContext, callId: string): boolean =>
  abandoned.some(({ call }) => call.callId === callId)

function withCall(abandoned: AgentContext['abandoned'] = [], task: CurrentTask | null): Change {
  if (!task?.call) return {}
  return { abandoned: [...abandoned, { task: { ...task, call: null }, call: task.call }] }
}

function without(abandoned: AgentContext['abandoned'] = [], callId: string): Change {
  const others = abandoned.filter(({ call }) => call.callId !== callId)
  return others.length === abandoned.length ? {} : { abandoned: others }
}

type EndedCall = DataOf<'CallFailed' | 'CallOutcomeUnknown'>

/** A call ended without an answer. The retry or the end of the task that follows is a fact of its own. */
function endCall({ current, totals, lastCost, files, abandoned }: AgentContext, data: EndedCall): Change {
  const ended = {
    ...(current && { current: { ...current, call: null } }),
    ...('running' in data && data.running && withCall(abandoned, current)),
    ...(data.untouched && files && { files: restingFiles(files) }),
  }
  if (isFree(data)) return ended
  return { ...ended, totals: withSpending(totals, data, 1), lastCost: lastCostIn(data) ?? lastCost }
}

/**
 * The totals with what the call that a fact ends has cost.
 *
 * @param unanswered How many calls without an answer that adds.
 */
export function withSpending(totals: AgentTotals, data: object, unanswered = 0): AgentTotals {
  const spending = spendingIn({ data })
  if (!spending) return totals
  const { costUsd, usage, tokens, estimated } = spending
  const { inputTokens, outputTokens } = usage
  const seldom = {
    cacheTokens: (totals.cacheTokens ?? 0) + tokens - inputTokens - outputTokens,
    unanswered: (totals.unanswered ?? 0) + unanswered,
    estimatedUsd: (totals.estimatedUsd ?? 0) + (estimated ? costUsd : 0),
  }
  return {
    interactions: totals.interactions,
    inputTokens: totals.inputTokens + inputTokens,
    outputTokens: totals.outputTokens + outputTokens,
    costUsd: totals.costUsd + costUsd,
    ...Object.fromEntries(Object.entries(seldom).filter(([, amount]) => amount !== 0)),
  }
}

/** What a call cost, unless it was cut off and says nothing about the next one. */
export function lastCostIn(data: object): CallCost | undefined {
  const spending = spendingIn({ data })
  return spending && !spending.estimated ? { usd: spending.costUsd, tokens: spending.tokens } : undefined
}

export function isFree(data: object): boolean {
  const spending = spendingIn({ data })
  return !spending || (spending.costUsd === 0 && spending.tokens === 0)
}

/** Decides the state, so it is part of the kind's fingerprint. */
export const TOTALS_FOLD = { spendingIn, withSpending, lastCostIn, isFree }
