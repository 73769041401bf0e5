/** One call: composed from the log, then run, or recovered, with one of four endings. */
import { recordable, recordableSetup, recordableSpending } from '../../claude/recordable.ts'
import type {
  AgentRunner,
  Call,
  CallMessage,
  CallResult,
  CallSettings,
  CallSpending,
  DeferredTool,
  Recovered,
} from '../../claude/runner.ts'
import type { AgentFact, Failure } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { NoResultError, OutcomeUnknownError } from '../../events/errors/call.ts'
import { callErrorData } from '../../events/errors/recorded.ts'
import { defined } from '../../events/json.ts'
import { type AgentConfig, equipmentOf } from '../../events/options/agent.ts'
import type { CallSetup } from '../../events/options/servers.ts'
import { composePrompt, leftOutOf } from '../../events/task-input.ts'
import type { EventStore } from '../../store/event-store.ts'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import { isElsewhere, type Place } from '../../workspaces/place.ts'
import type { Decision } from '../engine/actor.ts'
import type { Bodies } from '../engine/bodies.ts'
import type { Decides } from '../engine/life.ts'
import type { agentMachine } from './machine.ts'
import { messagesAsText } from './mailbox/unread.ts'
import { conversationBefore, type LeftOut } from './session/conversation.ts'
import type { CallOfTask, CurrentTask, OpenCall, QueuedTask } from './state.ts'
import { resumedTurn } from './tasks/deferral.ts'

/** Where the parts of a call are read from. */
export interface CallSources {
  readonly store: EventStore
  readonly stream: string
  readonly bodies: Bodies
  readonly directories: AgentDirectories
  /** Tool calls that were approved for good. */
  readonly rules?: readonly string[] | undefined
  /** Whether the settings of its project count. undefined: it does not work on a repository. */
  readonly project?: boolean | undefined
  /** Whether the files of its earlier turns are not on this machine. */
  readonly areFilesLost?: boolean
}

/** A call, and what its prompt leaves out of a conversation that had to be rebuilt. */
export interface ComposedCall {
  readonly call: Call
  readonly leftOut: LeftOut | null
}

/** How a call ended, as the log records it; `setup` is what came up when it began, if it said so. */
export type CallEnding = { readonly setup?: CallSetup } & (
  | { readonly type: 'CallSucceeded'; readonly result: CallResult; readonly harvested: boolean }
  /** At a tool call that a person has to decide. */
  | { readonly type: 'CallDeferred'; readonly deferred: DeferredTool; readonly spent?: CallSpending }
  | Unanswered<'CallFailed'>
  | Unanswered<'CallOutcomeUnknown'>
)

export type Answered = CallEnding & { readonly type: 'CallSucceeded' }

interface Unanswered<Type> {
  readonly type: Type
  readonly error: Failure
  /** What the call cost all the same, as far as it is known. */
  readonly spent?: CallSpending
}

/** What became of a task that an earlier process left open. */
export type RecoveryOutcome = 'harvested' | 'deferred' | 'redispatched' | 'retried' | 'failed' | 'unknown'

/** Composes what the runner needs from the log. */
export async function composeCall(
  agent: string,
  config: AgentConfig,
  task: CurrentTask,
  { callId, sessionId, parentSessionId, rebuilt }: OpenCall,
  sources: CallSources,
): Promise<ComposedCall> {
  const { bodies, directories, areFilesLost = false } = sources
  const prompt = typeof task.prompt === 'string' ? task.prompt : await bodies.read(task.prompt)
  const asked =
    task.textInput === null ? prompt : composePrompt({ prompt, textInput: await bodies.read(task.textInput) })
  const resumes = task.deferred && (await resumedTurn(task.deferred, bodies))
  const before =
    !resumes && rebuilt && parentSessionId !== null
      ? await conversationBefore(parentSessionId, sources)
      : null
  const call: Call = {
    agent,
    callId,
    sessionId,
    parentSessionId: task.deferred?.sessionId ?? (rebuilt ? null : parentSessionId),
    taskId: task.taskId,
    attempt: task.attempt,
    prompt: `${before?.text ?? ''}${messagesAsText(task.messages)}${asked}${noteOf(task)}${areFilesLost ? FILES_LOST : ''}`,
    ...(resumes && { resumes }),
    settings: { ...callSettings(config, sources), ...defined({ outputSchema: task.outputSchema }) },
    directories,
  }
  const { turns = 0, characters = 0 } = before?.leftOut ?? {}
  return { call, leftOut: turns + characters > 0 ? { turns, characters } : null }
}

/** How an agent with this configuration is called. */
export function callSettings(
  config: AgentConfig,
  { rules, project }: Pick<CallSources, 'rules' | 'project'>,
): CallSettings {
  const { allowedTools, maxTurns, model, permissions, approveTools, questions, team } = config
  return defined({
    systemPrompt: systemPromptOf(config),
    allowedTools: allowedTools ?? undefined,
    maxTurns: maxTurns ?? undefined,
    model: model ?? undefined,
    permissions,
    approveTools,
    approvedRules: rules,
    questions,
    team,
    ...equipmentOf(config),
    project,
  })
}

/**
 * Runs a call to its end. Never throws: what the runner or `hear` throws ends the call as `CallFailed`, unless the answer
 * was there before.
 */
export async function carryOutCall(
  runner: AgentRunner,
  call: Call,
  signal: AbortSignal,
  hear: (message: CallMessage) => Promise<void> | undefined,
): Promise<CallEnding> {
  let given: { readonly result: CallResult } | { readonly deferred: DeferredTool } | undefined
  let spent: CallSpending | undefined
  let setup: CallSetup | undefined
  try {
    for await (const message of runner.start(call, { signal })) {
      if (message.type === 'result') given = { result: message.result }
      if (message.type === 'deferred') given ??= { deferred: message }
      if (message.type === 'init') setup = recordableSetup(message)
      if (message.type === 'spent') spent = recordableSpending(message)
      const hearing = hear(message)
      if (hearing) await hearing
    }
    if (!given) throw new NoResultError()
  } catch (error) {
    if (!given) return defined({ type: 'CallFailed', error: callErrorData(error), spent, setup })
  }
  if ('result' in given) return { ...answered(given.result, false), ...defined({ setup }) }
  return defined({ type: 'CallDeferred', deferred: given.deferred, spent, setup })
}

/**
 * Finds out how a call of an earlier process ended. undefined: it was never sent, so it can be started. A call that began
 * elsewhere has left its answer here, or its outcome is unknown: what is not here proves nothing.
 */
export async function recoverAnnouncedCall(
  runner: AgentRunner,
  call: Call,
  process: OpenCall['process'],
  here: Place,
  signal: AbortSignal,
): Promise<CallEnding | undefined> {
  const isGone = process !== null && isElsewhere(process, here)
  const found = await runner.recover(call, { process: isGone ? null : process, signal })
  const recovered = isGone && found.outcome === 'unsent' ? UNANSWERED : found
  switch (recovered.outcome) {
    case 'answered':
      return answered(recovered.result, true)
    case 'deferred':
      return {
        type: 'CallDeferred',
        deferred: recovered.deferred,
        ...recordedSpending(recovered.spent),
      }
    case 'failed':
      return {
        type: 'CallFailed',
        error: callErrorData(recovered.error),
        ...recordedSpending(recovered.spent),
      }
    case 'unanswered':
      return {
        type: 'CallOutcomeUnknown',
        error: callErrorData(new OutcomeUnknownError()),
        ...recordedSpending(recovered.spent),
      }
    case 'unsent':
      return undefined
  }
}

/** What an effect has found out is written down while its actor closes, too: it may have cost something. */
export const decideOn = (
  actor: Decides<typeof agentMachine>,
  { taskId, cause }: Pick<QueuedTask, 'taskId' | 'cause'>,
  decision: Decision<typeof agentMachine>,
): Promise<readonly Recorded[]> =>
  actor.decide(decision, { correlationId: taskId, causationId: cause, whileClosing: true })

/** Records facts of a call, unless it is over. */
export const recordInCall = (
  actor: Decides<typeof agentMachine>,
  { task, call }: CallOfTask,
  ...facts: readonly AgentFact[]
): Promise<readonly Recorded[]> =>
  decideOn(actor, task, ({ context: { current } }) => (current?.call?.callId === call.callId ? facts : []))

/** The ending of a call with this result: a failure that tells its cost if the result is not valid. */
function answered(result: CallResult, harvested: boolean): CallEnding {
  try {
    return { type: 'CallSucceeded', result: recordable(result), harvested }
  } catch (error) {
    return { type: 'CallFailed', error: callErrorData(error), ...recordedSpending(result) }
  }
}

const UNANSWERED: Recovered = { outcome: 'unanswered' }

const recordedSpending = (spent: CallSpending | undefined) => defined({ spent: recordableSpending(spent) })

const FILES_LOST =
  '\n\n(The files of your earlier turns are not in your workspace: you work on another machine now, or they were lost. Look before you rely on one.)'

/** Of both, the CLI knows one text. */
const systemPromptOf = ({ systemPrompt, appendClaudeMd }: AgentConfig) =>
  appendClaudeMd === undefined ? systemPrompt : `${systemPrompt}\n\n${appendClaudeMd}`

/** What the model must know of its inputs beyond what it sees. */
function noteOf({ incomplete = [] }: CurrentTask): string {
  const told = incomplete.map((input) => `- ${leftOutOf(input)}`)
  return told.length === 0
    ? ''
    : `\n\n(Of the inputs in the workspace, not everything is there:\n${told.join('\n')})`
}
