/** An agent's whole life as one pure state machine, whose events are the log's facts; and that machine as a kind of actor. */
import { type SnapshotFrom, setup } from 'xstate'
import { type AgentFact, agentFacts } from '../../events/agent-facts.ts'
import type { Identified } from '../../events/envelope.ts'
import { defineKind } from '../engine/definition.ts'
import { type AgentEffect, agentEffects } from './decisions.ts'
import { summarizeAgent } from './list.ts'
import { MAILBOX_FOLD } from './mailbox/unread.ts'
import { MOVING_FOLD } from './moving/stored.ts'
import { type AgentContext, absent, changes, isAbandoned, TOTALS_FOLD } from './state.ts'
import { DEFERRAL_FOLD } from './tasks/deferral.ts'

const agent = setup({
  types: {} as { context: AgentContext; events: Identified<AgentFact> },
  guards: {
    /** Policy chooses which queued task begins, but one that needs approval never may. */
    isReady: ({ context, event }) =>
      context.queue.some(({ taskId, hold }) => taskId === taskOf(event) && hold?.reason !== 'approval'),
    awaitsApproval: ({ context, event }) =>
      context.queue.some(({ taskId, hold }) => taskId === taskOf(event) && hold?.reason === 'approval'),
    /** No task may be left without an outcome. */
    hasNoTask: ({ context }) => context.current === null && context.queue.length === 0,
    isQueued: ({ context, event }) => context.queue.some(({ taskId }) => taskId === taskOf(event)),
    isCurrent: ({ context, event }) => context.current?.taskId === taskOf(event),
    isOpenCall: ({ context: { current }, event }) =>
      'callId' in event.data &&
      'taskId' in event.data &&
      current?.taskId === event.data.taskId &&
      current.call?.callId === event.data.callId,
    isLate: ({ context, event }) =>
      event.type === 'CallOutcomeUnknown' &&
      event.data.late === true &&
      isAbandoned(context, event.data.callId),
    isNotOpenCall: ({ context: { current }, event }) =>
      'callId' in event.data && current?.call?.callId !== event.data.callId,
    /** A task is retried or ended only once its call has ended. */
    isBetweenCalls: ({ context, event }) =>
      context.current?.taskId === taskOf(event) && context.current?.call === null,
    /** The call that ended at the tool call which is to be decided. */
    isDeferred: ({ context: { current }, event }) =>
      event.type === 'ToolDecided' && current?.deferred?.callId === event.data.callId,
    isHeldMessage: ({ context: { unread = [] }, event }) =>
      'messageId' in event.data &&
      unread.some(
        ({ messageId, held }) => held && messageId === (event.data as { messageId: string }).messageId,
      ),
    isFatalForCurrent: ({ context, event }) =>
      event.type === 'TaskFailed' &&
      event.data.fatal &&
      context.current?.taskId === event.data.taskId &&
      context.current.call === null,
  },
})

const taskOf = (fact: AgentFact) => ('taskId' in fact.data ? fact.data.taskId : undefined)

/** The only action: folds the fact into the context. */
const fold = agent.assign(({ context, event }) => {
  const change = changes[event.type] as (
    context: AgentContext,
    data: AgentFact['data'],
    id: string,
  ) => Partial<AgentContext>
  return change(context, event.data, event.id)
})

/** How a call ended, and what became of its files, may be known long after its task has ended. */
const late = {
  LateAnswerRecorded: { guard: 'isNotOpenCall', actions: fold },
  LateCostRecorded: { guard: 'isNotOpenCall', actions: fold },
  CallOutcomeUnknown: { guard: 'isLate', actions: fold },
  FilesCommitted: { actions: fold },
} as const

/** What it has sent is in the mailbox of another one, whatever has become of it meanwhile. */
const sent = { MessageSent: { actions: fold }, MessageUndeliverable: { actions: fold } } as const

/** A person decides of a message that was held when it came. */
const decided = {
  MessageReleased: { guard: 'isHeldMessage', actions: fold },
  MessageRejected: { guard: 'isHeldMessage', actions: fold },
} as const

/** It lives in a cluster. */
const moves = { AgentStored: { actions: fold }, AgentMoved: { actions: fold } } as const

/** What can happen to an agent in every working state. */
const always = {
  ...late,
  ...sent,
  ...decided,
  ...moves,
  MessageReceived: { actions: fold },
  FilesRestored: { actions: fold },
  AgentConfigured: { actions: fold },
  ToolRuleRemembered: { actions: fold },
  ToolRuleForgotten: { actions: fold },
  TaskAccepted: { actions: fold },
  TaskHeld: { guard: 'isQueued', actions: fold },
  TaskApproved: { guard: 'awaitsApproval', actions: fold },
} as const

/** A rejected task ends in the queue. */
const rejects = { guard: 'awaitsApproval', actions: fold } as const

const cancels = [
  { guard: 'isCurrent', target: 'idle', actions: fold },
  { guard: 'isQueued', actions: fold },
] as const

const failures = [
  { guard: 'isFatalForCurrent', target: 'error', actions: fold },
  { guard: 'isBetweenCalls', target: 'idle', actions: fold },
  rejects,
] as const

/** Free to begin the next task: `idle`, and `error`, which is idle after a fatal failure. */
const free = {
  on: {
    ...always,
    CallStarted: { guard: 'isReady', target: 'busy', actions: fold },
    /** It was rejected, or it cannot begin. */
    TaskFailed: { guard: 'isQueued', actions: fold },
    TaskCancelled: { guard: 'isQueued', actions: fold },
    SessionAdopted: { actions: fold },
    AgentReset: { target: 'idle', actions: fold },
    AgentStopped: { guard: 'hasNoTask', target: 'stopped', actions: fold },
    AgentRemoved: { guard: 'hasNoTask', target: 'absent', actions: fold },
  },
} as const

export const agentMachine = agent.createMachine({
  id: 'agent',
  context: absent,
  initial: 'absent',
  states: {
    /** Not created yet, or removed: an id can be reused. */
    absent: { on: { ...late, AgentCreated: { target: 'idle', actions: fold } } },
    idle: free,
    error: { on: { ...free.on, AgentRestarted: { target: 'idle', actions: fold } } },
    busy: {
      on: {
        ...always,
        ConversationCut: { guard: 'isOpenCall', actions: fold },
        /** Its account could not pay for the call: it returns to the queue. */
        TaskHeld: [
          { guard: 'isBetweenCalls', target: 'idle', actions: fold },
          { guard: 'isQueued', actions: fold },
        ],
        InputsPlaced: { guard: 'isOpenCall', actions: fold },
        MessagesRead: { guard: 'isOpenCall', actions: fold },
        NoteRead: { guard: 'isOpenCall', actions: fold },
        AnswerRead: { guard: 'isOpenCall', actions: fold },
        FilesSaved: { guard: 'isOpenCall', actions: fold },
        ProcessStarted: { guard: 'isOpenCall', actions: fold },
        CallSucceeded: { guard: 'isOpenCall', target: 'idle', actions: fold },
        CallDeferred: { guard: 'isOpenCall', target: 'held', actions: fold },
        CallFailed: { guard: 'isOpenCall', actions: fold },
        CallOutcomeUnknown: [
          { guard: 'isOpenCall', actions: fold },
          { guard: 'isLate', actions: fold },
        ],
        SessionLost: { guard: 'isBetweenCalls', actions: fold },
        RetryScheduled: { guard: 'isBetweenCalls', target: 'retry', actions: fold },
        TaskFailed: failures,
        TaskCancelled: cancels,
      },
    },
    retry: {
      on: {
        ...always,
        CallStarted: { guard: 'isCurrent', target: 'busy', actions: fold },
        /** Held, the current task returns to the queue so that others can run. */
        TaskHeld: [
          { guard: 'isCurrent', target: 'idle', actions: fold },
          { guard: 'isQueued', actions: fold },
        ],
        TaskFailed: failures,
        TaskCancelled: cancels,
      },
    },
    /** In the middle of a turn, at a tool call that a person has to decide. Nothing else is done in between. */
    held: {
      on: {
        ...always,
        ToolDecided: { guard: 'isDeferred', target: 'retry', actions: fold },
        TaskFailed: failures,
        TaskCancelled: cancels,
      },
    },
    stopped: {
      on: {
        ...late,
        ...sent,
        ...decided,
        ...moves,
        FilesRestored: { actions: fold },
        AgentConfigured: { actions: fold },
        AgentReset: { target: 'idle', actions: fold },
        AgentRestarted: { target: 'idle', actions: fold },
        AgentRemoved: { target: 'absent', actions: fold },
      },
    },
  },
})

/** A state of an agent: `value` is its status, `context` holds the rest. */
export type AgentSnapshot = SnapshotFrom<typeof agentMachine>

/** The agent as a kind of actor: enough to fold and replay one, without the worker that runs its effects. */
export const agentKind = defineKind<typeof agentMachine, AgentEffect>(
  'agent',
  agentMachine,
  {
    ...{ facts: agentFacts, effects: agentEffects, summarize: summarizeAgent },
    // Unread messages have those by which they came.
    holdsFactIds: ({ context: { unread = [] } }) => unread.length > 0,
  },
  [changes, TOTALS_FOLD, DEFERRAL_FOLD, MAILBOX_FOLD, MOVING_FOLD],
)
