/** Answers that have come: what they cost counts at once, and those that come too late for anybody are kept. */

import type { Budgets } from '../../admission/budgets.ts'
import type { Bodies } from '../../engine/bodies.ts'
import type { CallEnding } from '../call.ts'
import { deadLetter } from '../decisions.ts'
import type { AgentActor } from '../environment.ts'
import type { CurrentTask, OpenCall } from '../state.ts'

export interface AnsweredCall {
  readonly task: CurrentTask
  readonly call: OpenCall
}

type Answered = CallEnding & { readonly type: 'CallSucceeded' }

/** Tells the budgets what an answer has cost, before its end is written down. */
export async function learnCost(
  budgets: Budgets,
  agent: string,
  { task: { runId }, call: { callId } }: AnsweredCall,
  { result: { costUsd, usage }, harvested }: Answered,
): Promise<void> {
  // Of an answer that was found after a crash the cost is not always known.
  if (harvested && costUsd === 0) return
  const cost = { usd: costUsd, tokens: usage.inputTokens + usage.outputTokens }
  await budgets.learn({ agent, callId, ...(runId === undefined ? {} : { runId }) }, cost)
}

/** Keeps an answer whose task has ended already. It was paid for, and nobody is given it. */
export async function recordDeadLetter(
  actor: AgentActor,
  bodies: Bodies,
  { task, call }: AnsweredCall,
  { result, harvested }: Answered,
): Promise<void> {
  const letter = deadLetter(task, call, result, { text: await bodies.write(result.text), harvested })
  await actor.decide(({ context }) => (context.current?.call?.callId === call.callId ? [] : [letter]), {
    ...{ correlationId: task.taskId, causationId: task.cause },
    commitId: `dead-letter/${call.callId}`,
  })
}
