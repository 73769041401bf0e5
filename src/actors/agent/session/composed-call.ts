/** Composes a call from the log: its prompt, its session and its settings. */
import type { Call, CallSettings } from '../../../claude/runner.ts'
import { defined } from '../../../events/json.ts'
import { type AgentConfig, equipmentOf } from '../../../events/options/agent.ts'
import { composePrompt, leftOutOf } from '../../../events/task-input.ts'
import type { EventStore } from '../../../store/event-store.ts'
import type { AgentDirectories } from '../../../workspaces/directories.ts'
import type { Bodies } from '../../engine/bodies.ts'
import { messagesAsText } from '../mailbox/unread.ts'
import type { CurrentTask, OpenCall } from '../state.ts'
import { resumedTurn } from '../tasks/deferral.ts'
import { conversationBefore, type LeftOut } from './conversation.ts'

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

const FILES_LOST =
  '\n\n(The files of your earlier turns are not in your workspace: you work on another machine now, or they were lost. Look before you rely on one.)'

/** A call, and what its prompt leaves out of a conversation that had to be rebuilt. */
export interface ComposedCall {
  readonly call: Call
  readonly leftOut: LeftOut | null
}

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
