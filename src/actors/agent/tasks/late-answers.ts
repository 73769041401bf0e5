/** Late answers: those that arrived after their task had ended are recorded, and can be listed. */
import { type AgentFact, agentFacts } from '../../../events/agent-facts.ts'
import { CommitConflict } from '../../../events/errors/store.ts'
import { checkId } from '../../../events/ids.ts'
import { amountOf, type RecordedSpending, spendingIn } from '../../../events/spending.ts'
import type { EventStore } from '../../../store/event-store.ts'
import { type Bodies, bodiesIn } from '../../engine/bodies.ts'
import type { CallEnding } from '../call.ts'
import type { AnswerParts } from '../decisions.ts'
import type { AgentActor } from '../environment.ts'
import { AGENT_STREAMS, agentIdOf } from '../list.ts'
import type { CurrentTask, OpenCall } from '../state.ts'

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

interface LateEnding {
  readonly task: CurrentTask
  readonly call: OpenCall
  readonly ending: CallEnding
  readonly spent: RecordedSpending
}

/** Records what arrived after its task had ended, once per call: an answer, or a cost. Returns whether that was new. */
export async function recordLateEnding(
  actor: AgentActor,
  bodies: Bodies,
  { task, call, ending, spent }: LateEnding,
): Promise<boolean> {
  const isAnswer = ending.type === 'CallSucceeded'
  const { usd, tokens } = amountOf(spent)
  if (!isAnswer && usd === 0 && tokens === 0) return false
  const text = isAnswer ? await bodies.keep(ending.result.text) : ''
  const fact = lateEnding(task, call, ending, { text, spent })
  try {
    const recorded = await actor.decide(
      ({ context }) => (context.current?.call?.callId === call.callId ? [] : [fact]),
      {
        ...{ correlationId: task.taskId, causationId: task.cause },
        // Commit ids are part of the log's format: that of an answer keeps the name that the fact once had.
        commitId: `${isAnswer ? 'dead-letter' : 'late-cost'}/${call.callId}`,
        whileClosing: true,
      },
    )
    return recorded.length > 0
  } catch (error) {
    // It was recorded before, as it was known then.
    if (!(error instanceof CommitConflict)) throw error
    return false
  }
}

/** Records what arrived after its task had ended: an answer, or what its call cost without one. */
function lateEnding(
  { taskId }: CurrentTask,
  { callId, sessionId, parentSessionId }: OpenCall,
  ending: CallEnding,
  { text, spent }: AnswerParts,
): AgentFact {
  const call = { taskId, callId }
  if (ending.type !== 'CallSucceeded') return { type: 'LateCostRecorded', data: { ...call, ...spent } }
  const { harvested, result } = ending
  const { durationMs, model } = result
  const session = { sessionId, parentSessionId }
  return {
    type: 'LateAnswerRecorded',
    data: { ...call, ...session, ...spent, durationMs, model, text, harvested },
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
