/** A call that ends in the middle of its turn, at a tool call that a person has to decide; and how the turn continues. */
import type { ResumedTurn } from '../../../claude/runner.ts'
import type { AgentFact, Hold } from '../../../events/agent-facts.ts'
import { defined, type JsonObject } from '../../../events/json.ts'
import { ASK_HUMAN } from '../../../events/options/tools.ts'
import type { Body } from '../../../events/task-input.ts'
import type { Bodies } from '../../engine/bodies.ts'

/** A call that ended at a tool call for a person to decide. Its task's next call continues from there. */
export interface DeferredCall {
  readonly callId: string
  readonly sessionId: string
  readonly tool: string
  readonly toolUseId: string
  /** As JSON. */
  readonly input: Body
  /** The snapshot of the files before the turn, if there is one. */
  readonly before?: string
  /** Absent until a person has decided. */
  readonly decided?: ToolDecision
}

/** What a person decided of a tool call. */
export interface ToolDecision {
  readonly verdict: 'allow' | 'deny'
  /** What it is called with instead, as JSON. */
  readonly input?: Body
  readonly reason?: string
}

/** A tool call at which a call has ended, until a person decides it: `question` if it asks the person something. */
export interface ToolHold {
  readonly reason: 'tool' | 'question'
  /** The call that ended at it. */
  readonly callId: string
  readonly tool: string
  /** As JSON. */
  readonly input: Body
}

/** Why a task waits. */
export type AnyHold = Hold | ToolHold

/** A deferred tool call as what its task waits for. */
export const toolHold = ({ callId, tool, input }: Omit<ToolHold, 'reason'>): ToolHold => ({
  reason: tool === ASK_HUMAN ? 'question' : 'tool',
  callId,
  tool,
  input,
})

type Deferred = Extract<AgentFact, { type: 'CallDeferred' }>['data']
type Decided = Extract<AgentFact, { type: 'ToolDecided' }>['data']

/** What a task becomes whose call is deferred. In several parts, its turn began before the first. */
export function deferredAt(
  { callId, sessionId, tool, toolUseId, input, leftMs }: Deferred,
  earlier: DeferredCall | undefined,
  files: { readonly before?: string } | undefined,
) {
  const before = earlier?.before ?? files?.before
  const deferred = { callId, sessionId, tool, toolUseId, input, ...(before !== undefined && { before }) }
  return { dueAt: null, leftMs, refusals: 0, deferred }
}

/** What a task becomes whose tool call is decided: its next call is due at once, no wait being longer than its delay. */
export function decidedIn(
  task: { readonly deferred?: DeferredCall; readonly deadlineAt: string; readonly excused: number },
  { verdict, input, reason }: Decided,
) {
  const decided = { verdict, ...(input !== undefined && { input }), ...(reason !== undefined && { reason }) }
  return {
    ...(task.deferred && { deferred: { ...task.deferred, decided } }),
    ...{ dueAt: task.deadlineAt, delayMs: 0, excused: task.excused + 1 },
  }
}

/** The next call begins from the files before the turn, of which a part is done. */
export const fromBefore = <Files extends object>(
  files: Files | undefined,
  { before }: Partial<DeferredCall> = {},
) => (files && before !== undefined ? { files: { ...files, before } } : {})

/** They decide the state, so they are part of the kind's fingerprint. */
export const DEFERRAL_FOLD = { deferredAt, decidedIn, fromBefore }

interface DeferringTask {
  readonly call: object | null
  readonly deferred?: DeferredCall
}

/** What the current task waits for, if that is a person's decision on a tool call. */
export function heldAt({ current }: { readonly current: DeferringTask | null }): ToolHold | undefined {
  const { call, deferred } = current ?? {}
  return deferred && !deferred.decided && !call ? toolHold(deferred) : undefined
}

/** In the middle of the turn of a task, no other one may begin: it would come between in the conversation and the files. */
export function withinTurn<Task extends Pick<DeferringTask, 'deferred'>>(
  queue: readonly Task[],
): readonly Task[] {
  const begun = queue.filter(({ deferred }) => deferred)
  return begun.length === 0 ? queue : begun
}

/** What a person decided of the tool call that a task's next call continues from; undefined before that. */
export async function resumedTurn(
  { tool, toolUseId, input, decided }: DeferredCall,
  { read }: Bodies,
): Promise<ResumedTurn | undefined> {
  if (!decided) return undefined
  const { verdict, input: updated, reason } = decided
  const inputOf = async (body: typeof input) => JSON.parse(await read(body)) as JsonObject
  return defined({
    ...{ tool, toolUseId, input: await inputOf(input), verdict, reason },
    updatedInput: updated === undefined ? undefined : await inputOf(updated),
  })
}
