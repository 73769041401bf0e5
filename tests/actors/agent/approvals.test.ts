import { describe, expect, test } from 'vitest'
import { TaskNotHeldError, TaskRejectedError } from '../../../src/events/errors/hold.ts'
import { approved } from '../../../src/patterns/approved.ts'
import { parallel } from '../../../src/patterns/parallel.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { crashSweep } from '../../../src/testing/crash-sweep.ts'
import { ECHO, until, world } from '../world.ts'

const ignored = <T>(reply: PromiseLike<T>): PromiseLike<T> => {
  reply.then(
    () => {},
    () => {},
  )
  return reply
}
const echo = { reply: ({ prompt }: { prompt: string }) => prompt }

describe('A task that needs approval', () => {
  test('is held, lets later tasks pass, and resumes when it is approved', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open(echo)
    const agent = await orchestrator.createAgent(ECHO)
    const told: string[] = []
    const reply = ignored(
      agent.ask('pay', {
        taskId: 't1',
        approval: 'it costs\na \x1b[31mlot',
        onHeld: ({ message }) => told.push(message),
        onReleased: () => told.push('released'),
      }),
    )
    expect((await agent.ask('second')).text).toBe('second')
    expect(told).toEqual(['Task t1 of agent "echo" is held: it needs approval (it costs a lot).'])
    expect(await orchestrator.held.list()).toMatchObject([
      { agent: 'echo', taskId: 't1', reason: 'approval' },
    ])
    expect(await orchestrator.agents()).toMatchObject([{ status: 'idle', queue: 1, held: 1 }])
    expect(await orchestrator.held.approve('t1', { by: 'Ada' })).toMatchObject({ agent: 'echo' })
    expect((await reply).text).toBe('pay')
    expect(told.at(-1)).toBe('released')
    expect(runner.calls.map(({ prompt }) => prompt)).toEqual(['second', 'pay'])
    expect((await here.types('echo')).slice(0, 3)).toEqual(['AgentCreated', 'TaskAccepted', 'TaskHeld'])
    await expect(orchestrator.held.approve('t1')).rejects.toBeInstanceOf(TaskNotHeldError)
  })

  test('waits across a restart without a request, also when everything is recovered', async () => {
    const here = await world()
    const first = await here.open(echo)
    const agent = await first.orchestrator.createAgent(ECHO)
    ignored(agent.ask('x', { taskId: 't1', approval: true }))
    await until(() => agent.snapshot.context.queue[0]?.hold !== undefined)
    await first.orchestrator.close()
    const { orchestrator, runner } = await here.open(echo)
    expect(await orchestrator.recover()).toEqual([])
    expect(runner.calls).toEqual([])
    await orchestrator.held.approve('t1')
    expect((await (await orchestrator.agent('echo')).ask('x', { taskId: 't1' })).text).toBe('x')
    expect(runner.calls.length).toBe(1)
  })

  test('fails with the name and reason of its rejection, also for later callers; the agent is healthy', async () => {
    const here = await world()
    const { orchestrator, runner } = await here.open(echo)
    const agent = await orchestrator.createAgent(ECHO)
    const reply = ignored(agent.ask('x', { taskId: 't1', approval: true }))
    await until(() => agent.snapshot.context.queue[0]?.hold !== undefined)
    await orchestrator.held.reject('t1', { by: 'Ada', reason: 'too dear' })
    const error = { _tag: 'TaskRejectedError', details: { by: 'Ada', reason: 'too dear' } }
    await expect(reply).rejects.toMatchObject(error)
    await expect(agent.ask('x', { taskId: 't1' })).rejects.toBeInstanceOf(TaskRejectedError)
    await expect(agent.ask('x', { taskId: 't1' })).rejects.toThrow('was rejected by Ada: too dear.')
    expect(agent.snapshot).toMatchObject({ value: 'idle', context: { failure: null } })
    expect(runner.calls).toEqual([])
  })

  test("can be cancelled, and is told apart from another agent's task with the same id", async () => {
    const { orchestrator } = await (await world()).open(echo)
    const agents = await Promise.all(['a', 'b'].map((id) => orchestrator.createAgent({ ...ECHO, id })))
    const tasks = agents.map((agent) => agent.ask('x', { taskId: 't1', approval: true }))
    for (const task of tasks) ignored(task)
    await until(() => agents.every((agent) => agent.snapshot.context.queue[0]?.hold !== undefined))
    await expect(orchestrator.held.approve('t1')).rejects.toThrow('More than one agent has a task "t1"')
    await tasks[0]?.cancel()
    await orchestrator.held.approve('t1')
    expect(await tasks[1]).toMatchObject({ agent: 'b' })
    await expect(tasks[0]).rejects.toMatchObject({ _tag: 'TaskCancelledError' })
  })
})

describe('A step that needs approval', () => {
  test('makes the run wait; closed and resumed, earlier steps are not paid for again', async () => {
    const here = await world()
    const pattern = sequential(['a', approved('b', { reason: 'it goes out' })])
    const first = await here.open(echo)
    for (const id of ['a', 'b']) await first.orchestrator.createAgent({ ...ECHO, id })
    const states: string[] = []
    const run = first.orchestrator.run(pattern, 'go', { id: 'r1' })
    ignored(run)
    run.subscribe(({ state }) => states.push(state))
    await until(() => states.includes('held'))
    expect(states).toEqual(['scheduled', 'succeeded', 'scheduled', 'held'])
    await first.orchestrator.close()

    const second = await here.open(echo)
    const [held] = await second.orchestrator.held.list()
    expect(held).toMatchObject({ agent: 'b', runId: 'r1' })
    const waiting = second.orchestrator.runs.resume('r1', pattern)
    ignored(waiting)
    const again: string[] = []
    waiting.subscribe(({ state }) => again.push(state))
    await until(() => again.includes('held'))
    expect(again).toEqual(['reused', 'scheduled', 'held'])
    await second.orchestrator.close()

    const third = await here.open(echo)
    const resumed = third.orchestrator.runs.resume('r1', pattern)
    await third.orchestrator.held.approve(held?.taskId ?? '')
    expect(await resumed).toMatchObject({ success: true })
    const calls = [first, second, third].flatMap(({ runner }) => runner.calls.map(({ agent }) => agent))
    expect(calls).toEqual(['a', 'b'])
  })

  test('that is rejected fails, and needs approval again when the run is resumed', async () => {
    const { orchestrator, runner } = await (await world()).open(echo)
    await orchestrator.createAgent({ ...ECHO, id: 'a' })
    const run = orchestrator.run(approved('a'), 'go', { id: 'r1' })
    let taskId = ''
    while (!taskId) taskId = (await orchestrator.held.list())[0]?.taskId ?? ''
    await orchestrator.held.reject(taskId, { reason: 'no' })
    expect(await run).toMatchObject({ success: false, errors: [{ code: 'TaskRejectedError' }] })
    const again = orchestrator.runs.resume('r1', approved('a'))
    let next = ''
    while (!next) next = (await orchestrator.held.list())[0]?.taskId ?? ''
    expect(next).not.toBe(taskId)
    await orchestrator.held.approve(next)
    expect(await again).toMatchObject({ success: true })
    expect(runner.calls.length).toBe(1)
  })

  test('stopped at any append and run again, has the same result, with each approval given once', async () => {
    const { result, appends } = await crashSweep({
      async scenario(orchestrator) {
        const known = new Set((await orchestrator.agents()).map(({ id }) => id))
        for (const id of ['a', 'b', 'c'])
          if (!known.has(id)) await orchestrator.createAgent({ ...ECHO, id, budget: { usd: 5 } })
        const run = orchestrator.run(parallel(['a', approved('b'), 'c']), 'go', {
          id: 'r1',
          budget: { usd: 10 },
        })
        run.subscribe(({ state }) => {
          if (state !== 'held') return
          const approve = async () => {
            for (const { taskId } of await orchestrator.held.list()) await orchestrator.held.approve(taskId)
          }
          approve().catch(() => {})
        })
        const { success, results } = await run
        return { success, results, held: await orchestrator.held.list() }
      },
    })
    expect(result).toMatchObject({ success: true, results: { b: 'go' }, held: [] })
    expect(appends).toBeGreaterThan(20)
  })
})
