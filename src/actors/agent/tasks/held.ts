/** A held task: what it waits for, in words, and the decisions to approve or reject it. */
import type { AgentFact, Hold } from '../../../events/agent-facts.ts'
import { TaskNotHeldError, TaskRejectedError } from '../../../events/errors/hold.ts'
import { callErrorData } from '../../../events/errors/recorded.ts'
import { canonicalJson, defined } from '../../../events/json.ts'
import { oneLine } from '../../../events/secrets/redaction.ts'
import type { Body } from '../../../events/task-input.ts'
import type { Admission, BudgetInfo } from '../../admission/admission.ts'
import type { AgentContext } from '../state.ts'
import { type AnyHold, heldAt, type ToolHold } from './deferral.ts'

/** A task that waits for an approval, for room in a budget, for its account, or for what a person says to a tool call. */
export interface HeldTask {
  readonly agent: string
  readonly taskId: string
  readonly runId: string | null
  readonly reason: AnyHold['reason']
  /** Why it waits, as a sentence. */
  readonly message: string
  /** How to resume it. */
  readonly hint: string
  /** The budget that has no room for it, as it stands. */
  readonly budget: BudgetInfo | null
  /** The estimated cost of its next call; null unless it waits for a budget. */
  readonly estimate: { readonly usd: number; readonly tokens: number } | null
}

/** A held task as it is told. */
export async function heldTask(
  task: { readonly agent: string; readonly taskId: string; readonly runId?: string },
  hold: AnyHold,
  admission: Pick<Admission, 'explain'>,
): Promise<HeldTask> {
  const { agent, taskId, runId = null } = task
  const what = `Task ${taskId} of agent "${agent}" is held`
  if ('tool' in hold) {
    const id = `${hold.reason}:${agent}:${hold.callId}`
    const hints = {
      tool: `claude-agents inbox approve ${id}, or: claude-agents inbox deny ${id} --reason "..."`,
      question: `claude-agents inbox answer ${id} "..."`,
    }
    return {
      ...{ agent, taskId, runId, reason: hold.reason, budget: null, estimate: null },
      message: `${what}: ${wishInWords(hold)}`,
      hint: hints[hold.reason],
    }
  }
  if (hold.reason === 'approval') {
    return {
      ...{ agent, taskId, runId, reason: hold.reason, budget: null, estimate: null },
      message: `${what}: it needs approval${hold.note === null ? '' : ` (${oneLine(hold.note)})`}.`,
      hint: `claude-agents agent approve ${taskId}, or: claude-agents agent reject ${taskId} --reason "..."`,
    }
  }
  if (hold.reason === 'account') {
    return {
      ...{ agent, taskId, runId, reason: hold.reason, budget: null, estimate: null },
      message: `${what}: ${hold.said}`,
      hint: 'Nothing is sent until you say so. Add credit or raise the limit, then: claude-agents account resume',
    }
  }
  const { usd, tokens, reason } = hold
  const { message, hint, budget } = await admission.explain(hold)
  return {
    ...{ agent, taskId, runId, reason, budget, estimate: { usd, tokens } },
    message: `${what}: ${message}`,
    hint,
  }
}

/** In characters. The inbox has the whole input. */
const LONGEST_INPUT = 300

/** What is asked of a person, in one line. */
function wishInWords({ reason, tool, input }: ToolHold): string {
  if (reason === 'question') return `it asks: ${oneLine(questionIn(input), LONGEST_INPUT)}`
  const shown = typeof input === 'string' ? oneLine(input, LONGEST_INPUT) : `(${input.bytes} bytes of input)`
  return `it needs approval to use ${tool}: ${shown}`
}

function questionIn(input: Body): string {
  try {
    const { question } = JSON.parse(typeof input === 'string' ? input : '{}') as { question?: unknown }
    return typeof question === 'string' ? question : '(a long question)'
  } catch {
    return '(a long question)'
  }
}

/** The tasks that wait, and why: the current one before those in the queue. */
export function waitingTasks(context: AgentContext) {
  const { current, queue } = context
  const hold = heldAt(context)
  return [
    ...(current && hold ? [{ task: current, hold: hold as AnyHold }] : []),
    ...queue.flatMap(({ hold, ...task }) => (hold ? [{ task, hold: hold as AnyHold }] : [])),
  ]
}

/** The held tasks of an agent. */
export const heldTasksIn = (
  agent: string,
  context: AgentContext,
  admission: Pick<Admission, 'explain'>,
): Promise<readonly HeldTask[]> =>
  Promise.all(waitingTasks(context).map(({ task, hold }) => heldTask({ ...task, agent }, hold, admission)))

/** The task that an agent has begun, if that is held: until it is decided, the agent is not idle. */
export const heldCurrent = async (
  agent: string,
  context: AgentContext,
  admission: Pick<Admission, 'explain'>,
): Promise<HeldTask | undefined> => {
  const held = await heldTasksIn(agent, context, admission)
  return held.find(({ taskId }) => taskId === context.current?.taskId)
}

/** Who approves. */
export interface Verdict {
  /** A person or a program; it is recorded in the log. */
  readonly by?: string
}

/** Who rejects a task, and why. */
export interface Rejection extends Verdict {
  readonly reason?: string
}

/** Holds a task whose next call may not begin. No fact if it is already held for the same reason. */
export function holdForMoney(
  { current, queue }: AgentContext,
  taskId: string,
  hold: Exclude<Hold, { readonly reason: 'approval' }>,
): readonly AgentFact[] {
  const task = [...(current ? [current] : []), ...queue].find((one) => one.taskId === taskId)
  if (!task || current?.call || task.hold?.reason === 'approval') return []
  if (canonicalJson(task.hold) === canonicalJson(hold)) return []
  return [{ type: 'TaskHeld', data: { taskId, hold } }]
}

/** Throws TaskNotHeldError unless the task needs approval. */
export function approveTask({ queue }: AgentContext, taskId: string, { by }: Verdict): readonly AgentFact[] {
  const needsApproval = queue.some((task) => task.taskId === taskId && task.hold?.reason === 'approval')
  if (!needsApproval) throw new TaskNotHeldError({ taskId })
  return [{ type: 'TaskApproved', data: { taskId, by: by ?? null } }]
}

/** Throws TaskNotHeldError unless the task is held, for whatever reason. */
export function rejectTask(
  context: AgentContext,
  agent: string,
  taskId: string,
  { by = '', reason = '' }: Rejection,
): readonly AgentFact[] {
  if (!waitingTasks(context).some(({ task }) => task.taskId === taskId))
    throw new TaskNotHeldError({ taskId })
  const error = callErrorData(new TaskRejectedError({ agent, taskId, by, reason }))
  return [{ type: 'TaskFailed', data: { taskId, error, fatal: false } }]
}

/** What a person decides of a tool call. */
export interface ToolVerdict extends Rejection {
  readonly verdict: 'allow' | 'deny'
  /** What it is called with instead, as JSON. */
  readonly input?: Body
  /** A rule for tool calls that no longer need a decision. */
  readonly always?: string
}

/** Throws TaskNotHeldError unless the agent waits at the tool call where this call ended. */
export function decideTool(
  { current }: AgentContext,
  callId: string,
  { verdict, input, reason, always, by = null }: Omit<ToolVerdict, 'by'> & { readonly by?: string | null },
): readonly AgentFact[] {
  const { deferred, taskId = '' } = current ?? {}
  if (deferred?.callId !== callId || deferred.decided || current?.call)
    throw new TaskNotHeldError({ taskId: callId })
  const { tool, toolUseId } = deferred
  return [
    ...(always === undefined ? [] : [{ type: 'ToolRuleRemembered', data: { rule: always, by } } as const]),
    {
      type: 'ToolDecided',
      data: { taskId, callId, tool, toolUseId, verdict, ...defined({ input, reason }), by },
    },
  ]
}
