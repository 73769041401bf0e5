import { describe, expect, test } from 'vitest'
import {
  ApiUnavailableError,
  AuthenticationError,
  CallTimeoutError,
  ProcessKilledError,
  RefusedError,
} from '../../../src/events/errors/call.ts'
import { TaskCancelledError, TaskConflictError } from '../../../src/events/errors/task.ts'
import { ECHO, until, world } from '../world.ts'

const ANSWERED = ['AgentCreated', 'TaskAccepted', 'CallStarted', 'CallSucceeded']

describe('an agent with a task', () => {
  test('answers, and its log says how', async () => {
    const { open, types } = await world()
    const { orchestrator } = await open()
    const agent = await orchestrator.createAgent(ECHO)
    const reply = await agent.ask('hello', { taskId: 't1' })
    expect(reply).toMatchObject({
      taskId: 't1',
      agent: 'echo',
      text: 'echo: hello',
      attempts: 1,
      parentSessionId: null,
    })
    expect(await types('echo')).toEqual(ANSWERED)
    expect(agent.status).toBe('idle')
  })

  test('continues its session chain: each call forks the answer before it', async () => {
    const { orchestrator, runner } = await (await world()).open()
    const agent = await orchestrator.createAgent(ECHO)
    const first = await agent.ask('one')
    const second = await agent.ask('two')
    expect(second.parentSessionId).toBe(first.sessionId)
    expect(second.sessionId).not.toBe(first.sessionId)
    expect(runner.calls.map(({ parentSessionId }) => parentSessionId)).toEqual([null, first.sessionId])
    expect((await agent.sessions()).map(({ sessionId }) => sessionId)).toEqual([
      first.sessionId,
      second.sessionId,
    ])
  })

  test('does one task at a time, in the order in which they were asked', async () => {
    const { open, clock } = await world()
    const { orchestrator, runner } = await open({ reply: () => ({ text: 'done', delayMs: 100 }) })
    const agent = await orchestrator.createAgent(ECHO)
    const tasks = ['a', 'b', 'c'].map((prompt) => agent.ask(prompt))
    await until(() => agent.snapshot.context.queue.length === 2 && clock.pending >= 2)
    expect(runner.calls.length).toBe(1)
    for (const [index] of tasks.entries()) {
      await until(() => runner.calls.length === index + 1 && clock.pending >= 2)
      await clock.advance(100)
    }
    await Promise.all(tasks)
    expect(runner.calls.map(({ prompt }) => prompt)).toEqual(['a', 'b', 'c'])
  })

  test('does a task with a long text before a later one with a short text', async () => {
    const { orchestrator, runner } = await (await world()).open()
    const agent = await orchestrator.createAgent(ECHO)
    const long = 'x'.repeat(100_000)
    await Promise.all([agent.ask(long), agent.ask('short')])
    expect(runner.calls.map(({ prompt }) => prompt)).toEqual([long, 'short'])
  })

  test('streams its messages, and iterating ends with the task', async () => {
    const { orchestrator } = await (await world()).open({ reply: () => ({ chunks: ['Once ', 'upon'] }) })
    const agent = await orchestrator.createAgent(ECHO)
    const said: string[] = []
    const task = agent.ask('a story')
    for await (const message of task) if (message.type === 'text') said.push(message.text)
    expect(said).toEqual(['Once ', 'upon'])
    expect((await task).text).toBe('Once upon')
    for await (const message of task) expect.unreachable(`nothing is said after the end: ${message.type}`)
  })

  test('iterating a task that fails ends with its error', async () => {
    const { orchestrator } = await (await world()).open({ reply: () => new RefusedError() })
    const task = (await orchestrator.createAgent(ECHO)).ask('something bad')
    const iterate = async () => {
      for await (const _ of task);
    }
    await expect(iterate()).rejects.toBeInstanceOf(RefusedError)
  })

  test('keeps a body of 1 MB beside the log and gives it back whole', async () => {
    const { open, store } = await world()
    const { orchestrator, runner } = await open({ reply: (call) => call.prompt })
    const agent = await orchestrator.createAgent(ECHO)
    const text = 'x'.repeat(1_000_000)
    expect((await agent.ask(text)).text).toBe(text)
    expect(runner.calls[0]?.prompt).toBe(text)
    for await (const recorded of store.readAll()) expect(JSON.stringify(recorded).length).toBeLessThan(2000)
  })

  test('puts the text input after the prompt', async () => {
    const { orchestrator, runner } = await (await world()).open()
    await orchestrator.createAgent(ECHO)
    await orchestrator.sendTask('echo', { prompt: 'Sum this up:', textInput: 'a b c' })
    expect(runner.calls[0]?.prompt).toBe('Sum this up:\n\na b c')
  })
})

describe('a task id', () => {
  test('identifies one task: asked twice, it runs once and has one reply', async () => {
    const { orchestrator, runner } = await (await world()).open()
    const agent = await orchestrator.createAgent(ECHO)
    const [first, second] = await Promise.all([
      agent.ask('x', { taskId: 'once' }),
      agent.ask('x', { taskId: 'once' }),
    ])
    const third = await agent.ask('x', { taskId: 'once' })
    expect(second).toEqual(first)
    expect(third).toEqual(first)
    expect(runner.calls.length).toBe(1)
  })

  test('still has its reply after a restart', async () => {
    const { open } = await world()
    const { orchestrator } = await open()
    const first = await (await orchestrator.createAgent(ECHO)).ask('x', { taskId: 'once' })
    await orchestrator.close()
    const again = await open()
    expect(await (await again.orchestrator.agent('echo')).ask('x', { taskId: 'once' })).toEqual(first)
    expect(again.runner.calls.length).toBe(0)
  })

  test('still has its failure after a restart, as the same error', async () => {
    const { open } = await world()
    const { orchestrator } = await open({ reply: () => new RefusedError({ said: 'no' }) })
    await orchestrator.createAgent(ECHO)
    await expect(orchestrator.sendTask('echo', 'x', { taskId: 'once' })).rejects.toThrow('refused')
    await orchestrator.close()
    const again = await open()
    const failure = await again.orchestrator.sendTask('echo', 'x', { taskId: 'once' }).catch((error) => error)
    expect(failure).toBeInstanceOf(RefusedError)
    expect(failure.message).toContain('no')
  })

  test('cannot be used for another task', async () => {
    const { orchestrator } = await (await world()).open()
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('x', { taskId: 'once' })
    await expect(agent.ask('y', { taskId: 'once' })).rejects.toBeInstanceOf(TaskConflictError)
  })
})

test.each([8.64e15, Number.MAX_SAFE_INTEGER])(
  'a time limit beyond any date holds as long as dates do: %d ms',
  async (timeoutMs) => {
    const { open, store } = await world()
    const { orchestrator } = await open({
      reply: ({ attempt }) => (attempt < 2 ? new ApiUnavailableError() : 'fine'),
    })
    const retry = { minDelayMs: 0, maxDelayMs: 0 }
    const agent = await orchestrator.createAgent({ ...ECHO, timeoutMs, retry })
    expect((await agent.ask('x')).text).toBe('fine')
    const deadlines: unknown[] = []
    for await (const { type, data } of store.read('agent/echo'))
      if (type === 'CallStarted') deadlines.push(data.deadlineAt)
    expect(deadlines).toEqual(Array(2).fill('+275760-09-13T00:00:00.000Z'))
  },
)

describe('a call that fails', () => {
  test('is retried after a growing delay, which is a fact', async () => {
    const { open, types, clock, store } = await world()
    const { orchestrator } = await open({
      reply: ({ attempt }) => (attempt < 3 ? new ApiUnavailableError() : 'at last'),
    })
    const agent = await orchestrator.createAgent({ ...ECHO, retry: { minDelayMs: 1000 } })
    const task = agent.ask('x')
    await until(() => agent.status === 'retry')
    await clock.advance(1000)
    await until(() => agent.status === 'retry' && agent.snapshot.context.current?.attempt === 2)
    await clock.advance(1999)
    expect(agent.status).toBe('retry')
    await clock.advance(1)
    expect(await task).toMatchObject({ text: 'at last', attempts: 3 })
    const failedTwice = [
      'CallStarted',
      'CallFailed',
      'RetryScheduled',
      'CallStarted',
      'CallFailed',
      'RetryScheduled',
    ]
    expect(await types('echo')).toEqual([
      'AgentCreated',
      'TaskAccepted',
      ...failedTwice,
      'CallStarted',
      'CallSucceeded',
    ])
    const due: number[] = []
    for await (const { type, at, data } of store.read('agent/echo')) {
      if (type === 'RetryScheduled') due.push(Date.parse(String(data.dueAt)) - Date.parse(at))
    }
    expect(due).toEqual([1000, 2000])
  })

  test('forks from the same parent when it is retried', async () => {
    const { open, clock } = await world()
    const { orchestrator, runner } = await open({
      reply: ({ prompt, attempt }) =>
        prompt === 'two' && attempt === 1 ? new ApiUnavailableError() : 'fine',
    })
    const agent = await orchestrator.createAgent(ECHO)
    const first = await agent.ask('one')
    const second = agent.ask('two')
    await until(() => agent.status === 'retry')
    await clock.advance(60_000)
    await second
    expect(runner.calls.slice(1).map(({ parentSessionId }) => parentSessionId)).toEqual([
      first.sessionId,
      first.sessionId,
    ])
    expect(new Set(runner.calls.map(({ sessionId }) => sessionId)).size).toBe(3)
  })

  test('puts the agent into its error state when no retry is left, and the next task is still accepted', async () => {
    const { orchestrator } = await (await world()).open({
      reply: ({ prompt }) => (prompt === 'bad' ? new ApiUnavailableError() : 'fine'),
    })
    const agent = await orchestrator.createAgent({ ...ECHO, retry: { attempts: 0 } })
    await expect(agent.ask('bad')).rejects.toBeInstanceOf(ApiUnavailableError)
    expect(agent.status).toBe('error')
    expect((await agent.ask('good')).text).toBe('fine')
    expect(agent.status).toBe('idle')
  })

  test('by chance is retried once, however many retries are left', async () => {
    const { open, clock } = await world()
    const { orchestrator, runner } = await open({ reply: () => new ProcessKilledError() })
    const agent = await orchestrator.createAgent({ ...ECHO, retry: { attempts: 5 } })
    const task = agent.ask('x')
    task.catch(() => {})
    await until(() => agent.status === 'retry')
    await clock.advance(60_000)
    await expect(task).rejects.toBeInstanceOf(ProcessKilledError)
    expect(runner.calls.length).toBe(2)
  })

  test('permanently is not retried', async () => {
    const { orchestrator, runner } = await (await world()).open({ reply: () => new AuthenticationError() })
    const agent = await orchestrator.createAgent(ECHO)
    await expect(agent.ask('x')).rejects.toBeInstanceOf(AuthenticationError)
    expect(runner.calls.length).toBe(1)
    expect(agent.status).toBe('error')
  })

  test('through a fault of the task leaves the agent healthy', async () => {
    const { orchestrator } = await (await world()).open({ reply: () => new RefusedError() })
    const agent = await orchestrator.createAgent(ECHO)
    await expect(agent.ask('x')).rejects.toBeInstanceOf(RefusedError)
    expect(agent.status).toBe('idle')
  })
})

describe('a task that takes too long', () => {
  test.each([
    ['29 minutes is answered', 29, true],
    ['31 minutes fails', 31, false],
  ])('by default, one of %s', async (_, minutes, isAnswered) => {
    const { open, clock } = await world()
    const { orchestrator } = await open({ reply: () => ({ text: 'done', delayMs: minutes * 60_000 }) })
    const agent = await orchestrator.createAgent(ECHO)
    const outcome = agent.ask('x').then(
      () => true,
      () => false,
    )
    await until(() => agent.status === 'busy' && clock.pending >= 2)
    await clock.advance(31 * 60_000)
    expect(await outcome).toBe(isAnswered)
  })

  test('says which limit it was, and what to raise in code, in the configuration and on the command line', async () => {
    const { open, clock } = await world()
    const { orchestrator } = await open({ reply: () => ({ text: 'too late', delayMs: 9e9 }) })
    const agent = await orchestrator.createAgent({ ...ECHO, timeoutMs: 90_000 })
    const task = agent.ask('x')
    await until(() => agent.status === 'busy' && clock.pending >= 2)
    await clock.advance(90_000)
    await expect(task).rejects.toMatchObject({
      summary:
        'The call exceeded its time limit: agent "echo" may work on a task for 1:30, and waiting does not count.',
      hint: expect.stringMatching(/--timeout .*timeout in the configuration file .*timeoutMs /),
    })
  })

  test('fails at its deadline during a call, and the call is terminated', async () => {
    const { open, clock, types } = await world()
    const { orchestrator } = await open({ reply: () => ({ text: 'too late', delayMs: 10_000 }) })
    const agent = await orchestrator.createAgent({ ...ECHO, timeoutMs: 5000 })
    const task = agent.ask('x')
    await until(() => agent.status === 'busy' && clock.pending >= 2)
    await clock.advance(5000)
    await expect(task).rejects.toBeInstanceOf(CallTimeoutError)
    expect((await types('echo')).slice(-3)).toEqual(['CallStarted', 'CallFailed', 'TaskFailed'])
  })

  test('fails at its deadline while it waits to retry', async () => {
    const { open, clock } = await world()
    const { orchestrator } = await open({ reply: () => new ApiUnavailableError() })
    const agent = await orchestrator.createAgent({ ...ECHO, timeoutMs: 5000, retry: { minDelayMs: 20_000 } })
    const task = agent.ask('x')
    await until(() => agent.status === 'retry')
    await clock.advance(5000)
    await expect(task).rejects.toBeInstanceOf(CallTimeoutError)
  })
})

describe('a task that is cancelled', () => {
  test('says why in the words of whoever aborted its signal', async () => {
    const { open } = await world()
    const { orchestrator } = await open()
    const agent = await orchestrator.createAgent(ECHO)
    for (const [reason, said] of [
      [new Error('the client has gone'), 'the client has gone'],
      ['no longer needed', 'no longer needed'],
      [undefined, 'This operation was aborted'],
    ] as const) {
      const asked = agent.ask('x', { signal: AbortSignal.abort(reason) })
      await expect(asked).rejects.toMatchObject({ _tag: 'TaskCancelledError', details: { reason: said } })
    }
  })

  test('ends while it runs, and its call is terminated before the next one starts', async () => {
    const { open, clock, types } = await world()
    const { orchestrator } = await open({
      reply: ({ prompt }) => ({ text: prompt, delayMs: prompt === 'long' ? 9e9 : 0 }),
    })
    const agent = await orchestrator.createAgent({ ...ECHO, timeoutMs: 1e12 })
    const stop = new AbortController()
    const long = agent.ask('long', { signal: stop.signal })
    const next = agent.ask('next')
    await until(() => agent.status === 'busy' && clock.pending >= 2)
    stop.abort('enough')
    await expect(long).rejects.toBeInstanceOf(TaskCancelledError)
    await expect(long).rejects.toThrow('enough')
    expect((await next).text).toBe('next')
    expect(await types('echo')).toContain('TaskCancelled')
  })

  test('ends while it waits in the queue, without a call', async () => {
    const { open, clock } = await world()
    const { orchestrator, runner } = await open({ reply: () => ({ text: 'x', delayMs: 10 }) })
    const agent = await orchestrator.createAgent(ECHO)
    const first = agent.ask('first')
    const second = agent.ask('second')
    await until(() => agent.snapshot.context.queue.length === 1 && clock.pending >= 2)
    await second.cancel('not needed')
    await expect(second).rejects.toThrow('not needed')
    await clock.advance(10)
    await first
    expect(runner.calls.length).toBe(1)
  })

  test('before it was asked is not recorded', async () => {
    const { open, types } = await world()
    const { orchestrator } = await open()
    const agent = await orchestrator.createAgent(ECHO)
    await expect(agent.ask('x', { signal: AbortSignal.abort('late') })).rejects.toBeInstanceOf(
      TaskCancelledError,
    )
    expect(await types('echo')).toEqual(['AgentCreated'])
  })

  test('after it has ended stays as it was', async () => {
    const { open, types } = await world()
    const { orchestrator } = await open()
    const agent = await orchestrator.createAgent(ECHO)
    const task = agent.ask('x')
    await task
    await task.cancel()
    expect(await types('echo')).toEqual(ANSWERED)
  })
})

describe('an agent that is stopped', () => {
  test('cancels its tasks, refuses new ones, and returns with a reset', async () => {
    const { open, clock } = await world()
    const { orchestrator } = await open({
      reply: ({ prompt }) => ({ text: prompt, delayMs: prompt === 'long' ? 1000 : 0 }),
    })
    const agent = await orchestrator.createAgent(ECHO)
    const tasks = [agent.ask('long'), agent.ask('x')]
    await until(() => agent.snapshot.context.queue.length === 1 && clock.pending >= 2)
    await agent.stop('maintenance')
    for (const task of tasks) await expect(task).rejects.toThrow('maintenance')
    await expect(agent.ask('y')).rejects.toMatchObject({
      ...{ _tag: 'AgentStoppedError', message: expect.stringContaining('agent reset echo') },
    })
    await agent.reset()
    expect((await agent.ask('z')).text).toBe('z')
  })

  test('is not reset during a task', async () => {
    const { open, clock } = await world()
    const { orchestrator } = await open({ reply: () => ({ text: 'x', delayMs: 1000 }) })
    const agent = await orchestrator.createAgent(ECHO)
    const task = agent.ask('x')
    await until(() => agent.status === 'busy' && clock.pending >= 2)
    await expect(agent.reset()).rejects.toMatchObject({
      ...{ _tag: 'AgentBusyError', message: expect.stringContaining('is working') },
    })
    await clock.advance(1000)
    await task
  })
})

describe('the reply to a task by its id', () => {
  test('of a task that no one asked is an error at once, which names the agent and the task', async () => {
    const { orchestrator } = await (await world()).open()
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('one', { taskId: 'asked' })
    await expect(agent.reply('never-asked')).rejects.toMatchObject({
      _tag: 'TaskNotFoundError',
      message: expect.stringContaining('Agent "echo" was never given a task "never-asked"'),
    })
    expect((await agent.reply('asked')).text).toBe('echo: one')
    await orchestrator.close()
  })

  test('is there for a task that is being asked, whenever', async () => {
    const { orchestrator } = await (await world()).open()
    const agent = await orchestrator.createAgent(ECHO)
    for (let turns = 0; turns < 40; turns++) {
      const taskId = `t${turns}`
      const asked = agent.ask('again', { taskId })
      for (let turn = 0; turn < turns; turn++) await null
      expect((await agent.reply(taskId)).text).toBe('echo: again')
      await asked
    }
    await orchestrator.close()
  })

  test('of a task that was refused is no more known than before', async () => {
    const { orchestrator } = await (await world()).open()
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('one', { taskId: 'known' })
    const conflict = agent.ask('two', { taskId: 'known' })
    const known = agent.reply('known')
    await expect(conflict).rejects.toMatchObject({ _tag: 'TaskConflictError' })
    expect((await known).text).toBe('echo: one')
    await agent.stop()
    const refused = agent.ask('three', { taskId: 'refused' })
    const unknown = agent.reply('refused')
    await expect(refused).rejects.toMatchObject({ _tag: 'AgentStoppedError' })
    await expect(unknown).rejects.toMatchObject({ _tag: 'TaskNotFoundError' })
    await orchestrator.close()
  })
})
