/** What the page does, over plain HTTP: through the owner, once for each form, and the log names who. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { RefusedError } from '../../../src/events/errors/call.ts'
import { actingOn } from '../../../src/inspector/acts/acting.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { readingStore } from '../../../src/remote/reading-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { until } from '../../actors/world.ts'
import { served } from '../../owner/kit.ts'
import { acting, factsOf, untilTrue } from './kit.ts'

const { by } = actingOn({ store: memoryStore() }, false)

async function team(reply: NonNullable<ScriptedRunnerOptions['reply']> = () => 'done') {
  const store = memoryStore()
  const workflows = { report: sequential(['writer']) }
  const orchestrator = await Orchestrator.open({ store, workflows, runner: scriptedRunner({ reply }) })
  onTestFinished(() => orchestrator.close())
  const writer = await orchestrator.createAgent({ id: 'writer', systemPrompt: 'You write.' })
  return { store, orchestrator, writer, ...(await acting(orchestrator)) }
}

/** Gives the agent a task that is held. */
const hold = (agent: Awaited<ReturnType<typeof team>>['writer'], taskId: string) =>
  new Promise<void>((resolve) => {
    const reply = agent.ask('Write the mail', { taskId, approval: 'it goes out', onHeld: () => resolve() })
    reply.catch(() => {})
  })

describe('An action of the page', () => {
  test('decides an entry of the inbox, once, and the log says who did', async () => {
    const { store, writer, act, ask } = await team()
    await hold(writer, 't1')
    await hold(writer, 't2')
    const { entries, acting: told } = await ask('inbox')
    expect(told).toEqual({ by, problem: null })
    expect(entries.map(({ id, prompt }) => [id, prompt])).toEqual([
      ['task:writer:t1', 'Write the mail'],
      ['task:writer:t2', 'Write the mail'],
    ])
    expect(entries[0]?.offers.map(({ action, effect }) => [action, effect])).toEqual([
      ['approve', 'costs'],
      ['deny', 'destroys'],
    ])
    expect(await act('approve', { entry: 'task:writer:t1' })).toMatchObject({
      status: 200,
      body: { done: 'Approved task:writer:t1.' },
    })
    const denied = await act('deny', { entry: 'task:writer:t2', reason: 'not now' })
    expect(denied).toMatchObject({ status: 200, body: { done: 'Denied task:writer:t2.' } })
    expect(await factsOf(store, 'TaskApproved')).toEqual([{ taskId: 't1', by }])
    expect(await factsOf(store, 'TaskFailed')).toMatchObject([
      { taskId: 't2', error: { tag: 'TaskRejectedError', details: { by, reason: 'not now' } } },
    ])
    expect(await act('approve', { entry: 'task:writer:t1' })).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringContaining(`it was approved by ${by}`) } },
    })
  })

  test('raises the budget that holds a task, with what lets it continue', async () => {
    const { store, orchestrator, writer, act, ask } = await team(() => ({ text: 'done', costUsd: 0.4 }))
    await orchestrator.budgets.set({ usd: 0.5 }, { agent: 'writer' })
    await writer.ask('Write the first')
    const reply = new Promise<string>((resolve, reject) => {
      writer.ask('Write', { taskId: 't1' }).then(({ text }) => resolve(text), reject)
    })
    await until(() => writer.snapshot.context.queue[0]?.hold !== undefined)
    const [entry] = (await ask('inbox')).entries
    const [raise] = entry?.offers ?? []
    expect(raise).toMatchObject({ action: 'raise', about: { 'of-agent': 'writer' } })
    const fields = Object.fromEntries((raise?.fields ?? []).map(({ name, value }) => [name, value]))
    expect(await act('raise', { ...raise?.about, ...fields })).toMatchObject({ status: 200 })
    expect(await reply).toBe('done')
    expect((await factsOf(store, 'BudgetSet')).map((data) => data.by)).toEqual([undefined, by])
  })

  test('resumes a failed run, retries a failed task, and cancels either', async () => {
    let isRefused = true
    const { store, orchestrator, act, ask } = await team(() => (isRefused ? new RefusedError() : 'done'))
    expect((await orchestrator.run('report', 'go', { id: 'r1' })).success).toBe(false)
    await untilTrue(async () => (await ask('offers', { actor: 'run/r1' })).offers.length > 0)
    expect((await ask('offers', { actor: 'run/r1' })).offers.map(({ action }) => action)).toEqual([
      'resume',
      'cancel',
      'raise',
    ])
    const { offers } = await ask('offers', { actor: 'agent/writer' })
    const retry = offers.find(({ action }) => action === 'retry')
    isRefused = false
    expect(await act('resume', { run: 'r1' })).toMatchObject({
      status: 200,
      body: { done: 'Run r1 continues.' },
    })
    expect((await orchestrator.runs.result('r1')).success).toBe(true)
    expect(await factsOf(store, 'RunResumed')).toEqual([{ by }])
    expect(await act('retry', { ...retry?.about })).toMatchObject({ status: 200 })
    expect((await factsOf(store, 'TaskAccepted')).at(-1)).toMatchObject({ by, prompt: 'go' })

    isRefused = true
    await orchestrator.run('report', 'go', { id: 'r2' })
    expect(await act('cancel', { run: 'r2', reason: 'no more' })).toMatchObject({ status: 200 })
    expect(await factsOf(store, 'RunCancelled')).toEqual([{ reason: 'no more', by }])
  })

  test('does not offer to resume a run that is executed', async () => {
    const { orchestrator, act, ask } = await team(() => ({ text: 'late', delayMs: 3_600_000 }))
    const running = expect(orchestrator.run('report', 'go', { id: 'r1' })).rejects.toMatchObject({
      _tag: 'RunInterruptedError',
    })
    const offered = async () => (await ask('offers', { actor: 'run/r1' })).offers.map(({ action }) => action)
    await untilTrue(async () => (await offered()).length > 0)
    expect(await offered()).toEqual(['cancel', 'raise'])
    expect(await act('cancel', { run: 'r1' })).toMatchObject({ status: 200 })
    await running
  })

  test('cancels a task, and resets an agent', async () => {
    const { store, writer, act } = await team()
    await hold(writer, 't1')
    expect(await act('cancel', { agent: 'writer', task: 't1' })).toMatchObject({
      body: { done: 'Cancelled task t1.' },
    })
    expect(await act('reset', { agent: 'writer' })).toMatchObject({ status: 200 })
    expect(await factsOf(store, 'TaskCancelled')).toEqual([{ taskId: 't1', reason: 'asked to', by }])
    expect(await factsOf(store, 'AgentReset')).toEqual([{ by }])
  })

  test('that fails says why and what to do, and is not repeated', async () => {
    const { store, act } = await team()
    const head = await store.head()
    const refused = [
      ['approve', { entry: 'task:writer:t9' }, 409, /has no entry/],
      ['approve', {}, 400, /entry/],
      ['raise', { usd: '-1' }, 400, /usd/],
      ['raise', {}, 400, /neither dollars nor tokens/],
      ['answer', { entry: 'x', text: ' ' }, 400, /empty/],
      ['cancel', { agent: 'nobody', task: 't1' }, 409, /No agent "nobody"/],
      ['constructor', {}, 400, /no such action/],
    ] as const
    for (const [action, fields, status, message] of refused) {
      const answered = await act(action, fields)
      expect(answered, action).toMatchObject({ status })
      expect(answered.body.error?.message).toMatch(message)
    }
    expect(await store.head()).toBe(head)
  })
})

describe('Through the owner', () => {
  test('the page acts, and says how to start one when there is none', async () => {
    const { baseDir, own } = await served()
    const writer = await own.createAgent({ id: 'writer', systemPrompt: 'You write.' })
    await hold(writer, 't1')
    await hold(writer, 't2')
    await using store = await readingStore(baseDir)
    const { act, ask, form } = await acting({ store, baseDir })
    expect(await act('approve', { entry: 'task:writer:t1' })).toMatchObject({ status: 200 })
    expect(await factsOf(own.store, 'TaskApproved')).toEqual([{ taskId: 't1', by }])
    await writer.settled()
    const head = await own.store.head()
    await own.close()

    const { entries, acting: told } = await ask('inbox')
    expect(entries.map(({ id }) => id)).toEqual(['task:writer:t2'])
    expect(told.problem).toEqual({
      message: expect.stringContaining('No process has the store'),
      hint: expect.stringContaining('claude-agents serve --detach'),
    })
    expect((await form()).problem).toEqual(told.problem)
    expect(await act('approve', { entry: 'task:writer:t2' })).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringContaining('No process has the store') } },
    })
    expect(await store.head()).toBe(head)
  })

  test('a cancelled task that another process waits for names who cancelled it', async () => {
    const { own, remote, baseDir } = await served({ reply: () => ({ text: 'late', delayMs: 3_600_000 }) })
    await own.createAgent({ id: 'writer', systemPrompt: 'You write.' })
    const agent = await remote.agent('writer')
    const reply = agent.ask('Write', { taskId: 't1' })
    const failed = expect(reply).rejects.toMatchObject({ _tag: 'TaskCancelledError' })
    await untilTrue(async () => (await factsOf(own.store, 'CallStarted')).length === 1)
    await using store = await readingStore(baseDir)
    const { act } = await acting({ store, baseDir })
    expect(await act('cancel', { agent: 'writer', task: 't1' })).toMatchObject({ status: 200 })
    await failed
    expect(await factsOf(own.store, 'TaskCancelled')).toMatchObject([{ taskId: 't1', by }])
  })
})
