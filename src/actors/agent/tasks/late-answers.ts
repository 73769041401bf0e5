/** Late answers: those that arrived after their task had ended are recorded, and can be listed. */
import { type AgentFact, agentFacts } from '../../../events/agent-facts.ts'
import { checkId } from '../../../events/ids.ts'
import { type RecordedSpending, spendingIn } from '../../../events/spending.ts'
import type { Body } from '../../../events/task-input.ts'
import type { EventStore } from '../../../store/event-store.ts'
import { type Bodies, bodiesIn } from '../../engine/bodies.ts'
import type { Answered } from '../call.ts'
import type { AgentActor } from '../environment.ts'
import { AGENT_STREAMS, agentIdOf } from '../list.ts'
import { type CurrentTask, isAbandoned, type OpenCall } from '../state.ts'

/** An answer that arrived after its task had ended. It was paid for, and no caller received it. */
export interface LateAnswer {
  readonly agent: string
  readonly taskId: string
  readonly callId: string
  /** The session that holds it. No later task continues that session. */
  readonly sessionId: string
  readonly text: string
  readonly costUsd: number
  readonly tokens: number
  /** When it was recorded, ISO 8601 in UTC. */
  readonly at: string
}

/** How a call has ended whose task ended before. */
export interface LateEnding {
  readonly task: CurrentTask
  readonly call: OpenCall
  readonly answer?: Answered | undefined
  /** Absent: that is not known. */
  readonly spent?: RecordedSpending | undefined
}

/** Records it, once: with an answer, a cost, or as unknown. */
export async function recordLateEnding(actor: AgentActor, bodies: Bodies, late: LateEnding): Promise<void> {
  const { task, call, answer } = late
  const fact = lateFact(late, answer ? await bodies.keep(answer.result.text) : '')
  await actor.decide(({ context }) => (isAbandoned(context, call.callId) ? [fact] : []), {
    ...{ correlationId: task.taskId, causationId: task.cause },
    // Commit ids are part of the log's format: that of an answer keeps the name that the fact once had.
    commitId: `${answer ? 'dead-letter' : 'late-cost'}/${call.callId}`,
    whileClosing: true,
  })
}

function lateFact({ task: { taskId }, call, answer, spent }: LateEnding, text: Body): AgentFact {
  const { callId, sessionId, parentSessionId } = call
  const of = { taskId, callId }
  if (!spent) return { type: 'CallOutcomeUnknown', data: { ...of, late: true } }
  if (!answer) return { type: 'LateCostRecorded', data: { ...of, ...spent } }
  const { harvested, result } = answer
  const { durationMs, model } = result
  const session = { sessionId, parentSessionId }
  return {
    type: 'LateAnswerRecorded',
    data: { ...of, ...session, ...spent, durationMs, model, text, harvested },
  }
}

/** The late answers of one agent, or of all agents (the default), removed ones included, in the order of their arrival. */
export async function lateAnswersIn(store: EventStore, agent?: string): Promise<readonly LateAnswer[]> {
  if (agent !== undefined) return lateAnswersOf(store, checkId('agent', agent))
  const answers: (readonly LateAnswer[])[] = []
  for await (const { stream, summary } of store.streams({ prefix: AGENT_STREAMS }))
    if (Number(summary?.info?.deadLetters ?? 0) > 0)
      answers.push(await lateAnswersOf(store, agentIdOf(stream)))
  return answers.flat()
}

async function lateAnswersOf(store: EventStore, agent: string): Promise<readonly LateAnswer[]> {
  const bodies = bodiesIn(store)
  const answers: LateAnswer[] = []
  for await (const recorded of store.read(`${AGENT_STREAMS}${agent}`)) {
    if (agentFacts.typeOf(recorded) !== 'LateAnswerRecorded') continue
    const fact = agentFacts.read(recorded)
    if (fact.type !== 'LateAnswerRecorded') continue
    const { taskId, callId, sessionId, text, costUsd } = fact.data
    const tokens = spendingIn(fact)?.tokens ?? 0
    const said = await bodies.read(text)
    answers.push({ agent, taskId, callId, sessionId, text: said, costUsd, tokens, at: recorded.at })
  }
  return answers
}
