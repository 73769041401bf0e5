/** Which facts are told, in the words of the log, and with what beside. */
import * as Schema from 'effect/Schema'
import { expect, onTestFinished, test } from 'vitest'
import type { NewFact } from '../../src/events/envelope.ts'
import { AuthenticationError } from '../../src/events/errors/call.ts'
import { Notification } from '../../src/events/options/notify.ts'
import { Noteworthy } from '../../src/notifications/noteworthy.ts'
import { parallel } from '../../src/patterns/parallel.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import type { EventStore } from '../../src/store/event-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { world } from '../actors/world.ts'

const AGENT = { id: 'a', systemPrompt: 'You know the SYSTEM secret.' }

/** What is told of a log, as a receiver would hear it. Each is of the documented shape. */
async function told(store: EventStore, after = 0): Promise<Notification[]> {
  const noteworthy = new Noteworthy(store)
  const found: Notification[] = []
  const check = Schema.decodeUnknownSync(Notification, { onExcessProperty: 'error' })
  for await (const recorded of store.readAll({ after })) {
    const notification = await noteworthy.notification(recorded)
    if (!notification) continue
    expect(notification).toMatchObject({ id: recorded.id, at: recorded.at })
    found.push(check(JSON.parse(JSON.stringify(notification))))
  }
  return found
}

const without = ({ id: _, at: __, ...rest }: Notification) => rest

test('A task that is done, and one that failed for good, are told without prompt and answer', async () => {
  const { open, store } = await world()
  const { orchestrator } = await open({
    reply: ({ prompt }) =>
      prompt.includes('wrong')
        ? new AuthenticationError({ said: 'the key sk-ant-abcdefgh is wrong' })
        : 'The ANSWER',
  })
  const agent = await orchestrator.createAgent(AGENT)
  await agent.ask('Tell the PROMPT', { taskId: 't1' })
  await agent.ask('wrong PROMPT', { taskId: 't2' }).then(
    () => {},
    () => {},
  )
  const found = await told(store)
  expect(found.map(without)).toMatchObject([
    {
      type: 'done',
      agent: 'a',
      taskId: 't1',
      reason: 'succeeded',
      message: 'Task t1 of agent "a" is done',
      hint: 'claude-agents agent show a',
    },
    { type: 'failed', agent: 'a', taskId: 't2', reason: 'AuthenticationError' },
  ])
  expect(JSON.stringify(found)).not.toMatch(/PROMPT|ANSWER|SYSTEM|sk-ant/)
  await orchestrator.close()
})

test('Of a run, its end is told and not those of its steps; what it holds is told with the run', async () => {
  const { open, store } = await world()
  const { orchestrator } = await open({
    reply: ({ agent }) => (agent === 'b' ? new AuthenticationError() : 'x'),
  })
  await orchestrator.createAgent(AGENT)
  await orchestrator.createAgent({ ...AGENT, id: 'b' })
  await orchestrator.run(sequential(['a']), 'x', { id: 'r1' })
  await orchestrator.run(parallel(['a', 'b']), 'x', { id: 'r2' }).then(
    () => {},
    () => {},
  )
  expect(
    (await told(store)).map(({ type, runId, taskId, reason }) => ({ type, runId, taskId, reason })),
  ).toEqual([
    { type: 'done', runId: 'r1', taskId: undefined, reason: 'succeeded' },
    { type: 'failed', runId: 'r2', taskId: undefined, reason: 'AuthenticationError' },
  ])
  await orchestrator.close()
})

test('A held task is told with the commands that release it', async () => {
  const { open, store } = await world()
  const { orchestrator } = await open()
  const agent = await orchestrator.createAgent(AGENT)
  let asked: PromiseLike<unknown> | undefined
  await new Promise((resolve) => {
    asked = agent.ask('x', { taskId: 't1', approval: 'it spends money', onHeld: resolve })
    asked.then(resolve, resolve)
  })
  await orchestrator.held.approve('t1')
  await asked
  const [held, done] = await told(store)
  expect(held).toMatchObject({ type: 'held', agent: 'a', taskId: 't1', reason: 'approval' })
  expect(held?.hint).toContain('claude-agents agent approve t1')
  expect(done).toMatchObject({ type: 'done', taskId: 't1' })
  await orchestrator.close()
})

/** A log of facts as they would be written. */
function log() {
  const store = memoryStore()
  onTestFinished(() => store[Symbol.asyncDispose]())
  const append = (stream: string, type: string, data: object) =>
    store.append(stream, [{ type, v: 1, data } as NewFact])
  return { store, append }
}

test('A budget is told once at 80 %, and again when it is set anew, wherever the reader begins', async () => {
  const { store, append } = log()
  const set = (usd: number | null) => append('agent-budget/a', 'BudgetSet', { limit: { usd, tokens: null } })
  const spend = async (callId: string, usd: number) => {
    const call = { callId, taskId: 't', agent: 'a', agentVersion: 1, usd, tokens: 0 }
    await append('agent-budget/a', 'BudgetReserved', call)
    await append('agent-budget/a', 'BudgetSettled', { callId, usd, tokens: 0, outcome: 'spent' })
  }
  await set(1)
  await spend('c1', 0.79)
  await spend('c2', 0.01) // 80 %
  await spend('c3', 0.2)
  await set(10)
  await spend('c4', 7) // 80 %
  await set(9) // at once
  await set(null)
  await set(0) // at once
  const found = await told(store)
  expect(found.map(({ id }) => Number(id.split(/\D/).at(-1)))).toEqual([5, 10, 11, 13])
  expect(found.map(without)[0]).toEqual({
    type: 'budget',
    agent: 'a',
    reason: 'usd',
    message: 'Of the budget of agent "a", $0.80 of $1.00 is spent',
    hint: 'claude-agents budget set --agent a --usd N',
  })
  for (let after = 0; after <= 12; after++)
    expect(await told(store, after)).toEqual(found.filter(({ id }) => Number(id.split(/\D/).at(-1)) > after))
})

test('A task that was accepted before the reader began is told as it belongs', async () => {
  const { store, append } = log()
  const accepted = {
    prompt: 'x',
    textInput: null,
    session: 'chain',
    material: { files: [], folders: [], repos: [] },
  }
  await append('agent/a', 'TaskAccepted', { ...accepted, taskId: 't1', runId: 'r1' })
  await append('agent/a', 'TaskAccepted', { ...accepted, taskId: 't2' })
  await append('agent/a', 'TaskHeld', { taskId: 't1', hold: { reason: 'account', said: 'no credit' } })
  await append('agent/a', 'TaskCancelled', { taskId: 't1', reason: 'x' })
  await append('agent/a', 'TaskCancelled', { taskId: 't2', reason: 'as asked' })
  for (const after of [0, 1, 2]) {
    const [held, done, ...more] = await told(store, after)
    expect(held).toMatchObject({ type: 'held', taskId: 't1', runId: 'r1', reason: 'account' })
    expect(done).toMatchObject({ type: 'done', taskId: 't2', reason: 'cancelled' })
    expect(more).toEqual([])
  }
})

test('A supervision tree that gave up is told once, by its root', async () => {
  const { store, append } = log()
  const started = (parent: string | null) => ({ rules: {}, parent, children: [] })
  await append('supervisor/team', 'SupervisorStarted', started(null))
  await append('supervisor/inner', 'SupervisorStarted', started('team'))
  const escalated = { id: 'x', error: null, restarts: 4, withinMs: 5000 }
  await append('supervisor/inner', 'Escalated', escalated)
  await append('supervisor/inner', 'SupervisorStopped', { reason: 'escalated' })
  await append('supervisor/team', 'Escalated', escalated)
  await append('supervisor/team', 'SupervisorStopped', { reason: 'escalated' })
  await append('supervisor/team', 'SupervisorStarted', started(null))
  await append('supervisor/team', 'SupervisorStopped', { reason: 'asked' })
  expect((await told(store)).map(without)).toEqual([
    {
      type: 'supervision',
      supervisor: 'team',
      reason: 'escalated',
      message: 'The supervision tree "team" gave up, and all work has stopped',
      hint: 'claude-agents log --stream supervisor/team',
    },
  ])
})
