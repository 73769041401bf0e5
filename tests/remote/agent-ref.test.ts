/** What holds for an agent wherever it lives: in this process, or in the one that has the store open. */
import { describe, expect, onTestFinished, test } from 'vitest'
import type { DraftChange } from '../../src/actors/agent/tasks/channel.ts'
import { AuthenticationError } from '../../src/events/errors/call.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { all } from '../../src/testing/contract/kit.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { until } from '../actors/world.ts'
import { served } from '../owner/kit.ts'

const A = { id: 'a', systemPrompt: 'x', retry: { attempts: 0 } }

describe.each(['own', 'remote'] as const)('An agent of the %s orchestrator', (which) => {
  async function world(script: ScriptedRunnerOptions = {}) {
    const clock = virtualClock()
    const here = await served({ clock, ...script }, { clock })
    const system = here[which]
    return { ...here, clock, system, agent: await system.createAgent(A) }
  }

  test('answers, and by then its state, its metrics and its sessions have the answer', async () => {
    const { agent, own } = await world({ reply: () => ({ text: 'ab', chunks: ['a', 'b'] }) })
    expect([agent.status, agent.version]).toEqual(['idle', 1])
    const task = agent.ask('say it', { taskId: 'one' })
    const said = (await all(task)).flatMap((message) => (message.type === 'text' ? [message.text] : []))
    const { sessionId, text } = await task
    expect([task.taskId, said, text]).toEqual(['one', ['a', 'b'], 'ab'])
    expect(agent.version).toBe((await all(own.history.log())).length)
    expect(agent.snapshot.context.session).toBe(sessionId)
    expect(agent.metrics()).toMatchObject({ status: 'idle', totalInteractions: 1, currentSession: sessionId })
    expect(await agent.sessions()).toMatchObject([{ sessionId, taskId: 'one' }])
  })

  test('knows a task by its id: it has one reply, and no other task has the id', async () => {
    const { agent, runner } = await world()
    const reply = await agent.ask('x', { taskId: 'one' })
    expect(await agent.ask('x', { taskId: 'one' })).toEqual(reply)
    expect(await agent.reply('one')).toEqual(reply)
    await expect(agent.ask('y', { taskId: 'one' })).rejects.toMatchObject({ _tag: 'TaskConflictError' })
    await expect(agent.reply('two')).rejects.toMatchObject({ _tag: 'TaskNotFoundError' })
    await expect(agent.ask('')).rejects.toMatchObject({ _tag: 'InvalidInputError' })
    expect(runner.calls).toHaveLength(1)
  })

  test('has a task once that is accepted, and tells how it ends to any who ask', async () => {
    const reply = ({ prompt }: { prompt: string }) =>
      prompt === 'bad' ? new AuthenticationError({ said: 'no key' }) : { text: 'there', delayMs: 1000 }
    const { agent, own, clock, runner } = await world({ reply })
    expect(await agent.accept('x', { taskId: 'one' })).toBe('one')
    expect(await all(own.history.log())).toContainEqual(expect.objectContaining({ type: 'TaskAccepted' }))
    await until(() => runner.calls.length === 1)
    const coming = agent.reply('one')
    await clock.advance(1000)
    expect(await coming).toMatchObject({ taskId: 'one', text: 'there' })
    expect(agent.metrics().totalInteractions).toBe(1)
    const failed = { _tag: 'AuthenticationError' }
    await expect(agent.ask('bad', { taskId: 'two' })).rejects.toMatchObject(failed)
    await expect(agent.reply('two')).rejects.toMatchObject(failed)
    expect(await agent.spentOn('two')).toMatchObject({ costUsd: 0 })
    expect(agent.status).toBe('error')
  })

  test('ends a task that is cancelled, by its signal or by its id, and says whether it had ended', async () => {
    const { agent, runner } = await world({ reply: () => ({ text: 'x', delayMs: 1e6 }) })
    const cancelled = { _tag: 'TaskCancelledError' }
    await expect(agent.ask('x', { signal: AbortSignal.abort('no') })).rejects.toMatchObject(cancelled)
    const stop = new AbortController()
    const first = agent.ask('x', { signal: stop.signal })
    await until(() => runner.calls.length === 1)
    stop.abort('enough')
    await expect(first).rejects.toMatchObject({ ...cancelled, message: expect.stringContaining('enough') })
    const second = agent.ask('x', { taskId: 'two' })
    void second.catch(() => {})
    await until(() => runner.calls.length === 2)
    expect(await agent.cancel('two', 'not needed')).toBe(true)
    await expect(second).rejects.toMatchObject(cancelled)
    expect(await agent.cancel('two', 'not needed')).toBe(false)
    const third = agent.ask('x')
    await until(() => runner.calls.length === 3)
    await third.cancel('no')
    await expect(third).rejects.toMatchObject(cancelled)
  })

  test('holds a task that needs approval, and its caller hears of it', async () => {
    const { agent } = await world()
    const heard: string[] = []
    const listeners = { onHeld: () => heard.push('held'), onReleased: () => heard.push('released') }
    const task = agent.ask('x', { taskId: 'one', approval: 'it is dear', ...listeners })
    await until(() => heard.length === 1)
    expect(await agent.held()).toMatchObject([{ agent: 'a', taskId: 'one', reason: 'approval' }])
    await agent.approve('one', { by: 'me' })
    expect((await task).text).toBe('echo: x')
    expect(heard).toEqual(['held', 'released'])
    const other = agent.ask('y', { taskId: 'two', approval: true, ...listeners })
    void other.catch(() => {})
    await until(() => heard.length === 3)
    await agent.reject('two', { reason: 'too dear' })
    await expect(other).rejects.toMatchObject({ _tag: 'TaskRejectedError' })
    await expect(agent.approve('two')).rejects.toMatchObject({ _tag: 'TaskNotHeldError' })
    expect(await agent.held()).toEqual([])
  })

  test('has what a command changed when that is done, and what others did when it is looked up', async () => {
    const { agent, own, system } = await world()
    await (await own.agent('a')).ask('x')
    expect((await system.agent('a')).metrics()).toMatchObject({ totalInteractions: 1 })
    await agent.reset()
    expect(agent.snapshot.context.session).toBeNull()
    expect(await agent.setBudget({ usd: 3 })).toEqual(await agent.budget())
    await agent.stop('enough')
    expect(agent.status).toBe('stopped')
    await expect(agent.ask('y')).rejects.toMatchObject({ _tag: 'AgentStoppedError' })
    expect(agent.workspace).toBe((await own.agent('a')).workspace)
    await expect(async () => agent.files.turns()).rejects.toMatchObject({ _tag: 'InvalidInputError' })
    await own.removeAgent('a')
    await expect(system.agent('a')).rejects.toMatchObject({ _tag: 'AgentNotFoundError' })
  })

  test('shows the answer that it is writing to any who look', async () => {
    const reply = () => ({ text: 'abc', chunks: ['abc'], delayMs: 1000 })
    const { agent, clock, runner } = await world({ reply })
    const leaving = new AbortController()
    onTestFinished(() => leaving.abort())
    const changes: DraftChange[] = []
    const reading = (async () => {
      for await (const change of agent.drafts(leaving.signal)) changes.push(change)
    })()
    const task = agent.ask('x', { taskId: 'one' })
    await until(() => runner.calls.length === 1)
    await clock.advance(1000)
    await task
    await until(() => changes.some(({ endedAt }) => endedAt === 3))
    expect(changes.map(({ text }) => text).join('')).toBe('abc')
    leaving.abort()
    await reading
  })
})

test('A task of an agent that lives elsewhere is not begun by a process that waits for it', async () => {
  const store = memoryStore()
  const runner = scriptedRunner()
  const there = await Orchestrator.open({ store, runner })
  const agent = await there.createAgent(A)
  await agent.halt()
  await agent.accept('x', { taskId: 'one' })
  const call = () => {
    throw new Error('nothing is asked there')
  }
  const here = await Orchestrator.open({ store, runner, placement: { owns: () => false, call } })
  const coming = (await here.agent('a')).reply('one')
  expect(await here.recover()).toEqual([])
  expect(runner.calls).toEqual([])
  await agent.cancel('one', 'enough')
  await expect(coming).rejects.toMatchObject({ _tag: 'TaskCancelledError' })
})

test('An agent that lives elsewhere refuses what works only there, and says so', async () => {
  const { own, remote } = await served()
  await own.createAgent(A)
  const agent = await remote.agent('a')
  for (const attempt of [
    async () => agent.machine,
    async () => agent.start(),
    () => agent.halt(),
    () => agent.settled(),
  ])
    await expect(attempt()).rejects.toMatchObject({ _tag: 'OwnerOnly' })
  expect(agent.isStarted).toBe(false)
})
