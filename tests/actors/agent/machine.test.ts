import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createActor } from 'xstate'
import { type AgentSnapshot, agentMachine } from '../../../src/actors/agent/machine.ts'
import { liveFold, replayable } from '../../../src/actors/engine/fold.ts'
import { type AgentFact, agentFacts } from '../../../src/events/agent-facts.ts'
import type { Identified } from '../../../src/events/envelope.ts'
import { repetitions } from '../../repetitions.ts'

const RUNS = repetitions('MACHINE_RUNS', { short: 100, long: 1000 })

const fold = replayable(agentMachine)
const live = liveFold(fold)
const state = ({ value, context }: AgentSnapshot) => ({ value, context })

const config = {
  systemPrompt: 'You are a test.',
  allowedTools: null,
  maxTurns: null,
  permissions: 'workspace' as const,
  loadProjectSettings: false,
  model: null,
  timeoutMs: 1000,
  retry: { attempts: 1, minDelayMs: 1, maxDelayMs: 2 },
}
const error = { tag: 'CliCrashedError', message: 'x', hint: '', retryable: true, details: { status: 500 } }
const usage = { inputTokens: 3, outputTokens: 4, cacheReadTokens: 0, cacheCreationTokens: 0 }

const TASK_FACTS = [
  'CallSucceeded',
  'CallFailed',
  'CallDeferred',
  'ToolDecided',
  'CallOutcomeUnknown',
  'RetryScheduled',
  'TaskFailed',
  'TaskCancelled',
  'TaskHeld',
  'TaskApproved',
  'LateAnswerRecorded',
  'ProcessStarted',
  'InputsPlaced',
  'SessionLost',
  'FilesSaved',
  'FilesRestored',
] as const

const MESSAGE_FACTS = ['MessageReceived', 'MessagesRead', 'MessageReleased', 'MessageRejected'] as const
const MESSAGES = ['m1', 'm2', 'm3', 'm4']

/** Any fact about one of a few tasks and calls, so that many are expected and many are not. */
const anyFact: fc.Arbitrary<AgentFact> = fc
  .record({
    taskId: fc.constantFrom('t1', 't2'),
    callId: fc.constantFrom('c1', 'c1', 'c1', 'c2'),
    attempt: fc.integer({ min: 1, max: 3 }),
    fatal: fc.boolean(),
    text: fc.oneof(fc.string(), fc.constant({ sha256: 'ab', bytes: 70_000 })),
    messageId: fc.constantFrom(...MESSAGES),
    messages: fc.subarray(MESSAGES),
    type: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('TaskAccepted' as const, 'CallStarted' as const) },
      { weight: 3, arbitrary: fc.constantFrom(...TASK_FACTS) },
      { weight: 2, arbitrary: fc.constantFrom(...MESSAGE_FACTS) },
      { weight: 1, arbitrary: fc.constantFrom(...agentFacts.types) },
    ),
  })
  .map(({ taskId, callId, attempt, fatal, text, messageId, messages, type }) => {
    const read = { messages, uses: messages }
    const session = { sessionId: `s-${callId}`, parentSessionId: null }
    const at = '2026-01-01T00:00:00.000Z'
    const spent = { costUsd: 0.25, usage, tokens: 7, ...(attempt === 1 ? { estimated: true } : {}) }
    const files = { commit: taskId, tree: 't', changed: attempt, added: 0, removed: 0 }
    const data = {
      AgentCreated: { config },
      AgentConfigured: { config: { ...config, systemPrompt: `You are ${taskId}.` } },
      TaskAccepted: {
        taskId,
        prompt: text,
        textInput: null,
        session: fatal ? 'fresh' : 'chain',
        material: {},
      },
      SessionAdopted: { sessionId: `s-${taskId}`, turns: attempt },
      ConversationCut: { taskId, callId, turns: attempt, characters: 0 },
      InputsPlaced: { taskId, callId, inputs: [] },
      FilesSaved: { taskId, callId, when: fatal ? 'before' : 'after', ...files },
      FilesCommitted: { taskId, commit: 'c', branch: 'b' },
      FilesRestored: { because: fatal ? 'call' : 'undo', from: 'a', to: 'b', ...files },
      AgentStored: {
        home: { worker: taskId, machine: null, home: null },
        ...(attempt > 1 && { files: attempt === 2 ? null : { commit: callId, packs: [] } }),
      },
      AgentMoved: {
        ...{ from: { worker: 'w1', machine: 'm', home: 'h' }, to: { worker: 'w2', machine: 'n', home: 'i' } },
        ...{ workspace: fatal ? 'lost' : 'restored', session: fatal ? 'kept' : 'lost' },
      },
      CallStarted: { taskId, callId, attempt, ...session, deadlineAt: at, ...read },
      ProcessStarted: { taskId, callId, pid: attempt, startTime: null },
      CallSucceeded: {
        taskId,
        callId,
        attempt,
        ...session,
        text,
        costUsd: 0.5,
        usage,
        durationMs: 5,
        turns: 1,
        model: null,
        permissionDenials: [],
        harvested: fatal,
      },
      CallDeferred: {
        ...{
          taskId,
          callId,
          sessionId: `s-${callId}`,
          tool: 'Bash',
          toolUseId: 'u',
          input: text,
          leftMs: attempt,
        },
        ...(fatal ? spent : {}),
      },
      ToolDecided: {
        ...{ taskId, callId, tool: 'Bash', toolUseId: 'u', by: null },
        ...(fatal ? { verdict: 'deny', reason: 'no' } : { verdict: 'allow', input: text }),
      },
      ToolRuleRemembered: { rule: `Bash(${taskId})`, by: null },
      ToolRuleForgotten: { rule: `Bash(${taskId})`, by: null },
      CallFailed: { taskId, callId, error, ...(fatal ? spent : {}) },
      CallOutcomeUnknown: { taskId, callId, ...(fatal ? spent : {}) },
      RetryScheduled: {
        taskId,
        attempt,
        dueAt: at,
        ...(fatal ? { because: 'account', leftMs: attempt } : {}),
      },
      SessionLost: { taskId, sessionId: `s-${callId}` },
      TaskHeld: {
        taskId,
        hold: fatal
          ? { reason: 'approval', note: null }
          : { reason: 'budget', budget: 'budget/orchestrator', usd: 1, tokens: 10 },
      },
      TaskApproved: { taskId, by: null },
      LateAnswerRecorded: {
        taskId,
        callId,
        ...session,
        text,
        costUsd: 0.5,
        usage,
        durationMs: 5,
        model: null,
        harvested: fatal,
      },
      LateCostRecorded: { taskId, callId, ...spent },
      TaskFailed: { taskId, error, fatal },
      TaskCancelled: { taskId, reason: 'no' },
      MessageReceived: { messageId, from: null, text: 'x', ...(fatal ? { held: true } : {}) },
      NoteRead: { taskId, callId, note: 'plan', version: attempt, uses: [`n-${attempt}`] },
      AnswerRead: { taskId, callId, requestId: 'r1', from: 'other', uses: [`a-${attempt}`] },
      MessagesRead: { taskId, callId, ...read },
      MessageReleased: { messageId, by: null },
      MessageRejected: { messageId, reason: '', by: null },
      MessageSent: { messageId, to: 'other', text: 'x' },
      MessageUndeliverable: { messageId, to: 'other', text: 'x', reason: 'there is none' },
      AgentReset: {},
      AgentStopped: { reason: 'no' },
      AgentRestarted: {},
      AgentRemoved: {},
    }[type]
    return { type, data } as AgentFact
  })

const identified = (fact: AgentFact, index: number): Identified<AgentFact> => ({ ...fact, id: `f-${index}` })

describe('the agent’s machine', () => {
  test('leads to the same state live and replayed, after every fact, also through JSON', () => {
    let taken = 0
    fc.assert(
      fc.property(fc.array(anyFact, { minLength: 30, maxLength: 60 }), (facts) => {
        const actor = createActor({
          getInitialSnapshot: () => fold.initial,
          transition: (snapshot: AgentSnapshot, fact: Identified<AgentFact>) =>
            live(snapshot, fact) ?? snapshot,
          getPersistedSnapshot: (snapshot: AgentSnapshot) => snapshot as never,
        }).start()
        const log: string[] = []
        const created: AgentFact = { type: 'AgentCreated', data: { config } }
        for (const [index, fact] of [created, ...facts].map(identified).entries()) {
          const snapshot = actor.getSnapshot()
          if (!snapshot.can(fact)) {
            expect(state(fold.transition(snapshot, fact)), `fact ${index} changes nothing`).toEqual(
              state(snapshot),
            )
            continue
          }
          taken += 1
          log.push(JSON.stringify(fact))
          actor.send(fact)
          const replayed = log.map((line) => JSON.parse(line)).reduce(fold.transition, fold.initial)
          expect(state(actor.getSnapshot())).toEqual(state(replayed))
        }
      }),
      { numRuns: RUNS },
    )
    // The property would be vacuous if hardly any fact was expected.
    expect(taken).toBeGreaterThan(10 * RUNS)
  })

  test('ends each task exactly once, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(anyFact, { minLength: 20, maxLength: 100 }), (facts) => {
        let snapshot = fold.transition(
          fold.initial,
          identified({ type: 'AgentCreated', data: { config } }, 0),
        )
        const open = new Set<string>()
        for (const fact of facts.map(identified)) {
          // The store prevents an agent from accepting a task twice.
          if (fact.type === 'TaskAccepted' && open.has(fact.data.taskId)) continue
          if (!snapshot.can(fact)) continue
          if (fact.type === 'TaskAccepted') open.add(fact.data.taskId)
          if (fact.type === 'CallSucceeded' || fact.type === 'TaskFailed' || fact.type === 'TaskCancelled') {
            expect(open.delete(fact.data.taskId)).toBe(true)
          }
          snapshot = fold.transition(snapshot, fact)
          const { current, queue } = snapshot.context
          const known = [...(current ? [current.taskId] : []), ...queue.map(({ taskId }) => taskId)]
          if (snapshot.value !== 'absent' && snapshot.value !== 'stopped')
            expect(known.sort()).toEqual([...open].sort())
        }
      }),
      { numRuns: 500 },
    )
  })

  test('has each message in one place until its turn is answered: in the mailbox, or in one task', () => {
    let read = 0
    fc.assert(
      fc.property(fc.array(anyFact, { minLength: 20, maxLength: 100 }), (facts) => {
        let snapshot = fold.transition(
          fold.initial,
          identified({ type: 'AgentCreated', data: { config } }, 0),
        )
        const waiting = new Set<string>()
        const inTask = ({ current, queue }: AgentSnapshot['context']) =>
          [...queue, ...(current ? [current] : [])].flatMap(({ messages = [], news = [] }) => [
            ...messages,
            ...news,
          ])
        for (const fact of facts.map(identified)) {
          // The store prevents an agent from receiving a message twice.
          if (fact.type === 'MessageReceived' && waiting.has(fact.data.messageId)) continue
          if (!snapshot.can(fact)) continue
          const before = inTask(snapshot.context)
          if (fact.type === 'MessageReceived') waiting.add(fact.data.messageId)
          if (fact.type === 'MessageRejected') waiting.delete(fact.data.messageId)
          if (fact.type === 'AgentRemoved') waiting.clear()
          if (fact.type === 'CallSucceeded') {
            for (const { messageId } of snapshot.context.current?.messages ?? []) waiting.delete(messageId)
            for (const { messageId } of snapshot.context.current?.news ?? []) waiting.delete(messageId)
            read += before.length
          }
          snapshot = fold.transition(snapshot, fact)
          const { unread = [] } = snapshot.context
          const known = [...unread, ...inTask(snapshot.context)].map(({ messageId }) => messageId)
          expect(known.sort()).toEqual([...waiting].sort())
        }
      }),
      { numRuns: 500 },
    )
    expect(read).toBeGreaterThan(0)
  })

  test("keeps a state whose size does not grow with the agent's history", () => {
    const done = (task: number): AgentFact[] => {
      const ids = { taskId: `t${task}`, callId: `c${task}` }
      const call = { ...ids, attempt: 1, sessionId: `s${task}`, parentSessionId: null }
      return [
        {
          type: 'TaskAccepted',
          data: { taskId: ids.taskId, prompt: 'x', textInput: null, session: 'chain', material: {} },
        },
        { type: 'CallStarted', data: { ...call, deadlineAt: '2026-01-01T00:00:00.000Z' } },
        {
          type: 'CallSucceeded',
          data: {
            ...call,
            text: 'y',
            costUsd: 0,
            usage,
            durationMs: 1,
            turns: 1,
            model: null,
            permissionDenials: [],
            harvested: false,
          },
        },
      ]
    }
    const created: AgentFact = { type: 'AgentCreated', data: { config } }
    const sizeAfter = (tasks: number) => {
      const facts = [created, ...Array.from({ length: tasks }, (_, task) => done(task)).flat()].map(
        identified,
      )
      return JSON.stringify(state(facts.reduce(fold.transition, fold.initial))).length
    }
    expect(sizeAfter(500) - sizeAfter(5)).toBeLessThan(20)
  })
})
