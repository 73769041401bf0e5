/** Commands and tasks sent through the owner of a store do what they do in the owner itself. */
import { describe, expect, test } from 'vitest'
import { describeError } from '../../src/events/errors/base.ts'
import { AuthenticationError } from '../../src/events/errors/call.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { SYSTEM_COMMANDS } from '../../src/owner/commands.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { connectOwner, isUnserved } from '../../src/remote/client.ts'
import { readingOrchestrator, remoteOrchestrator } from '../../src/remote/orchestrator.ts'
import type { ChainedStore } from '../../src/store/level/chained-store.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { all } from '../../src/testing/contract/kit.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { until } from '../actors/world.ts'
import { connected, served } from '../owner/kit.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const A = { id: 'a', systemPrompt: 'x' }

const failure = async (doing: PromiseLike<unknown>) =>
  doing.then(
    () => 'it was done',
    (error: unknown) => describeError(error),
  )

describe('Commands through the owner', () => {
  test('create, reset, stop and remove agents, and the reader sees the result', async () => {
    const { own, remote } = await served()
    const agent = await remote.createAgent(A)
    expect(agent.status).toBe('idle')
    await agent.ask('hello')
    expect((await remote.agent('a')).metrics()).toMatchObject({ totalInteractions: 1 })
    await agent.reset()
    expect(agent.snapshot.context.session).toBeNull()
    await agent.stop('enough')
    expect(agent.status).toBe('stopped')
    expect(await remote.agents()).toEqual(await own.agents())
    await remote.removeAgent('a')
    expect(await remote.agents()).toEqual([])
  })

  test('fail with the same code, message and hint', async () => {
    const { own, remote } = await served()
    await own.createAgent(A)
    for (const attempt of [
      (system: typeof own) => system.createAgent(A),
      (system: typeof own) => system.removeAgent('b'),
      (system: typeof own) => system.runs.cancel('b'),
      (system: typeof own) => system.createAgent({ id: 'B!', systemPrompt: 'x' }),
      async (system: typeof own) => (await system.agent('a')).ask(''),
    ]) {
      const there = await failure(attempt(own))
      expect(await failure(attempt(remote))).toEqual(there)
      expect(there).toMatchObject({ code: expect.stringContaining('Error') })
    }
  })

  test('set budgets and list held tasks, as they do in the owner', async () => {
    const { own, remote } = await served()
    await own.createAgent(A)
    const set = await remote.budgets.set({ usd: 3 }, { agent: 'a' })
    expect(set).toEqual(await own.budgets.show({ agent: 'a' }))
    expect(await remote.budgets.list()).toEqual(await own.budgets.list())
    expect(await remote.held.list()).toEqual([])
    expect(await remote.lateAnswers()).toEqual([])
  })

  test('write what is declared before a change, and never before a command that only reads', async () => {
    const changing =
      /create|adopt|declare|remove|fork|cancel|recover|set$|resume|approve|reject|deny|answer|land$|add$|pause$|run$|messages\.(?!list)|write$/
    const reading = SYSTEM_COMMANDS.filter((method) => !changing.test(method))
    expect(reading).toEqual(expect.arrayContaining(['processes', 'runs.list', 'budgets.list']))
    const { own, client } = await served({}, { agents: [A], declare: 'on-demand' })
    const run = (method: string) =>
      failure(all(client.post('/commands', { agent: null, method, args: ['r1'] })))
    for (const method of reading) {
      await run(method)
      expect({ method, written: await all(own.history.log()) }).toEqual({ method, written: [] })
    }
    await run('budgets.set')
    expect(await all(own.history.log())).toMatchObject([{ type: 'AgentCreated' }])
  })

  test('recover what a killed process left behind, and report it as in the owner', async () => {
    const baseDir = await temporaryDirectory()
    const before = await Orchestrator.open({ baseDir, runner: scriptedRunner() })
    const agent = await before.createAgent(A)
    await agent.halt()
    await agent.accept('x', { taskId: 'one' })
    await before.close()
    const { own, remote } = await served({}, { baseDir, resume: 'on-demand' })
    const recovered = [{ agent: 'a', taskId: 'one', outcome: 'redispatched' }]
    expect(await remote.recover()).toEqual(recovered)
    expect(await own.recover()).toEqual(recovered)
    expect((await remote.agent('a')).metrics()).toMatchObject({ totalInteractions: 1 })
  })

  test('are limited to those on the list', async () => {
    const { client, own } = await served()
    const run = (request: object) => failure(all(client.post('/commands', request)))
    for (const request of [
      { agent: null, method: 'close', args: [] },
      { agent: null, method: 'constructor', args: [] },
      { agent: null, method: 'runs.resume', args: ['r1'] },
      { agent: null, method: 'runs.constructor', args: [] },
      { agent: null, method: 'store.append', args: ['agent/a', []] },
      { agent: 'a', method: 'record', args: [] },
      { agent: null, method: ['createAgent'], args: [] },
      { agent: null, method: 'createAgent' },
    ])
      expect(await run(request)).toMatchObject({ code: 'InvalidInputError' })
    expect(await failure(all(client.post('/nowhere', {})))).toMatchObject({ code: 'InvalidInputError' })
    expect(await failure(all(client.values('/nowhere')))).toMatchObject({ code: 'InvalidInputError' })
    expect(await own.agents()).toEqual([])
  })
})

describe('A task sent through the owner', () => {
  test('streams its messages and gives the reply of its agent', async () => {
    const { own, remote } = await served({ reply: () => ({ text: 'ab', chunks: ['a', 'b'] }) })
    await own.createAgent(A)
    const task = (await remote.agent('a')).ask('say it', { taskId: 'one' })
    const said = (await all(task)).flatMap((message) => (message.type === 'text' ? [message.text] : []))
    expect(said).toEqual(['a', 'b'])
    expect(await task).toEqual(await (await own.agent('a')).ask('say it', { taskId: 'one' }))
  })

  test('fails with the same error as in the owner', async () => {
    const { own, remote } = await served({ reply: () => new AuthenticationError({ said: 'no key' }) })
    await own.createAgent(A)
    const agent = await remote.agent('a')
    await expect(agent.ask('x')).rejects.toBeInstanceOf(AuthenticationError)
  })

  test('can be cancelled by the process that asked, before or while it runs, and by any other that knows its id', async () => {
    const clock = virtualClock()
    const { own, remote, runner } = await served(
      { clock, reply: () => ({ text: 'x', delayMs: 1000 }) },
      { clock },
    )
    const agent = await own.createAgent(A)
    const through = await remote.agent('a')
    const cancelled = { _tag: 'TaskCancelledError' }
    await expect(through.ask('x', { signal: AbortSignal.abort('no') })).rejects.toMatchObject(cancelled)
    const soon = new AbortController()
    const first = through.ask('x', { signal: soon.signal })
    soon.abort('changed my mind')
    await expect(first).rejects.toMatchObject({
      ...cancelled,
      message: expect.stringContaining('changed my'),
    })
    const second = through.ask('x', { taskId: 'two' })
    void second.catch(() => {})
    await until(() => agent.snapshot.context.current?.taskId === 'two' && runner.calls.length > 0)
    expect(await (await remote.agent('a')).cancel('two', 'not needed')).toBe(true)
    await expect(second).rejects.toMatchObject(cancelled)
    expect(await through.cancel('two', 'not needed')).toBe(false)
  })

  test('is waited for by any process that knows its id, and so is a run', async () => {
    const clock = virtualClock()
    const reply = ({ prompt }: { prompt: string }) =>
      prompt === 'bad' ? new AuthenticationError({ said: 'no key' }) : { text: 'there', delayMs: 1000 }
    const { own, remote, runner } = await served({ clock, reply }, { clock })
    const agent = await own.createAgent({ ...A, retry: { attempts: 0 } })
    const task = agent.ask('x', { taskId: 'one' })
    await until(() => runner.calls.length === 1)
    const through = await remote.agent('a')
    const reached = through.reply('one')
    await clock.advance(1000)
    expect(await reached).toEqual(await task)
    const run = own.run(sequential(['a']), 'go', { id: 'r1' })
    await until(() => runner.calls.length === 2)
    const result = remote.runs.result('r1')
    await clock.advance(1000)
    expect(await result).toEqual(await run)
    const failed = await failure(agent.ask('bad', { taskId: 'two' }))
    expect(await failure(through.reply('two'))).toEqual(failed)
    expect(await failure(through.reply('three'))).toMatchObject({ code: 'TaskNotFoundError' })
  })

  test('is waited for by a process that only reads the log, which follows it', async () => {
    const clock = virtualClock()
    const log = memoryStore()
    const runner = scriptedRunner({ clock, reply: () => ({ text: 'there', delayMs: 1000 }) })
    await using own = await Orchestrator.open({ store: log, runner, clock })
    const task = (await own.createAgent(A)).ask('x', { taskId: 'one' })
    await until(() => runner.calls.length === 1)
    const view = { ...log, async [Symbol.asyncDispose]() {} } as unknown as ChainedStore
    const reader = await readingOrchestrator(Orchestrator, await temporaryDirectory(), view)
    const reached = (await reader.agent('a')).reply('one')
    await clock.advance(1000)
    expect(await reached).toEqual(await task)
    await reader.close()
  })

  test('is refused by an owner that closes, which has done nothing of it: the next one can be asked', async () => {
    const { own, remote, client } = await served()
    await remote.declared()
    const closing = own.close()
    const refused = await remote.createAgent(A).catch((error: unknown) => error)
    expect(refused).toMatchObject({ _tag: 'OwnerStopping' })
    expect([isUnserved(refused), client.isUsed]).toEqual([true, false])
    client.close()
    await closing
  })

  test('is done once: a look at the same time does not make its client forget that it asked for it', async () => {
    const { own, remote, client } = await served()
    let look = () => {}
    const looked = new Promise<void>((resolve) => (look = resolve))
    const list = async () => {
      await looked
      return []
    }
    Object.assign(own.runs, { list })
    const looking = remote.runs.list()
    await remote.createAgent(A)
    look()
    await looking
    expect(client.isUsed).toBe(true)
  })

  test('is refused by an owner whose own work is slow to end, and so is a run: the next one can be asked', async () => {
    let release = () => {}
    const reply = () => new Promise<string>((resolve) => (release = () => resolve('late')))
    const { own, client, runner } = await served({ reply }, { agents: [A] })
    const task = (await own.agent('a')).ask('x')
    void task.catch(() => {})
    await until(() => runner.calls.length === 1)
    const closing = own.close()
    const refused = []
    for (const [path, request] of [
      ['/tasks', { agent: 'a', taskId: 't1', task: { prompt: 'x' } }],
      ['/runs', { runId: 'r1', workflow: { kind: 'program', name: 'p' }, hash: null, input: 'x' }],
    ] as const)
      refused.push(
        await all(client.post(path, { ask: path, options: {}, ...request })).catch((error: unknown) => error),
      )
    expect(refused).toEqual([0, 1].map(() => expect.objectContaining({ _tag: 'OwnerStopping' })))
    expect([refused.every(isUnserved), client.isUsed]).toEqual([true, false])
    release()
    client.close()
    await closing
  })

  test('continues when the process that asked dies, and its answer is kept', async () => {
    const clock = virtualClock()
    const { baseDir, own, runner } = await served(
      { clock, reply: () => ({ text: 'kept', delayMs: 1000 }) },
      { clock },
    )
    await own.createAgent(A)
    const client = await connected(baseDir)
    const asker = await remoteOrchestrator(Orchestrator, client)
    const asked = (await asker.agent('a')).ask('x', { taskId: 'one' })
    void asked.catch(() => {})
    await until(() => runner.calls.length === 1)
    client.close()
    await clock.advance(1000)
    expect((await (await own.agent('a')).ask('x', { taskId: 'one' })).text).toBe('kept')
    expect(runner.calls).toHaveLength(1)
  })

  test('can be left: it is durable when its id is known, and asked once however often it is left', async () => {
    const clock = virtualClock()
    const { own, remote, runner } = await served(
      { clock, reply: () => ({ text: 'kept', delayMs: 1000 }) },
      { clock },
    )
    await own.createAgent(A)
    const agent = await remote.agent('a')
    const { signal } = new AbortController()
    for (const _ of ['first', 'again'])
      expect(await agent.accept('x', { taskId: 'one', signal, onHeld: () => {} })).toBe('one')
    expect(await all(own.history.log())).toContainEqual(
      expect.objectContaining({ type: 'TaskAccepted', data: expect.objectContaining({ taskId: 'one' }) }),
    )
    await until(() => runner.calls.length === 1)
    await clock.advance(1000)
    expect((await (await own.agent('a')).reply('one')).text).toBe('kept')
    await expect(agent.accept(' ')).rejects.toMatchObject({ _tag: 'InvalidInputError' })
    await expect(agent.accept('y', { taskId: 'one' })).rejects.toMatchObject({ _tag: 'TaskConflictError' })
    expect(runner.calls).toHaveLength(1)
  })

  test('fails with a hint how to get the answer when the owner closes', async () => {
    const clock = virtualClock()
    const { baseDir, own, remote, runner } = await served(
      { clock, reply: () => ({ text: 'x', delayMs: 1000 }) },
      { clock },
    )
    await own.createAgent(A)
    const asked = (await remote.agent('a')).ask('x', { taskId: 'one' })
    void asked.catch(() => {})
    await until(() => runner.calls.length === 1)
    await own.close()
    await expect(asked).rejects.toMatchObject({
      _tag: 'OwnerUnavailable',
      pid: process.pid,
      hint: expect.stringContaining('--task-id one'),
    })
    expect(await connectOwner(baseDir)).toBeNull()
    await expect(remote.agents()).rejects.toMatchObject({ _tag: 'OwnerUnavailable' })
  })
})

describe('An owner that is draining', () => {
  test('accepts no task, and says so; what is there can still be cancelled', async () => {
    const { own, remote, client, runner } = await served({ reply: () => ({ text: 'x', delayMs: 1e8 }) })
    const agent = await own.createAgent(A)
    void agent.ask('x', { taskId: 'one' }).catch(() => {})
    await until(() => runner.calls.length === 1)
    const drained = own.drain({ withinMs: 1e8 })
    expect(await client.value('/')).toMatchObject({ stopping: true })
    const through = await remote.agent('a')
    const stopping = { _tag: 'OwnerStopping', hint: expect.stringContaining('when it has ended') }
    await expect(through.ask('y', { taskId: 'two' })).rejects.toMatchObject(stopping)
    await expect(through.accept('y', { taskId: 'two' })).rejects.toMatchObject(stopping)
    expect(await through.cancel('one', 'enough')).toBe(true)
    expect(await drained).toBe(true)
    expect((await all(own.history.log())).filter(({ type }) => type === 'TaskAccepted')).toHaveLength(1)
  })

  test('waits for the tasks of other processes, and not for followers', async () => {
    const clock = virtualClock()
    const script = { clock, reply: () => ({ text: 'done', delayMs: 1000 }) }
    const { own, client, remote, runner } = await served(script, { clock })
    await own.createAgent(A)
    const following = all(remote.store.follow())
    const asked = (await remote.agent('a')).ask('x')
    await until(() => runner.calls.length === 1)
    let waits = 0
    const over = own.served(new AbortController().signal, () => waits++)
    await clock.advance(1000)
    expect((await asked).text).toBe('done')
    await over
    expect(waits).toBe(1)
    await own.close()
    expect((await following).at(-1)?.type).toBe('CallSucceeded')
    client.close()
  })

  test('stops waiting when its signal aborts', async () => {
    const { own, remote, runner } = await served({ reply: () => ({ text: 'x', delayMs: 1e8 }) })
    await own.createAgent(A)
    const asked = (await remote.agent('a')).ask('x')
    void asked.catch(() => {})
    await until(() => runner.calls.length === 1)
    const stop = new AbortController()
    const over = own.served(stop.signal)
    stop.abort()
    await over
    await own.close()
    await expect(asked).rejects.toMatchObject({ _tag: 'OwnerUnavailable' })
  })
})
