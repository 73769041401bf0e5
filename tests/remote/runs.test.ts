/** Workflows that are run through the owner of a store do what they do in the owner itself, and outlive their clients. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { describeError } from '../../src/events/errors/base.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { remoteOrchestrator } from '../../src/remote/orchestrator.ts'
import { all } from '../../src/testing/contract/kit.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { until } from '../actors/world.ts'
import { connected, served } from '../owner/kit.ts'

const TEAM = ['a', 'b'].map((id) => ({ id, systemPrompt: 'x' }))
const WORKFLOW = { kind: 'agents', pattern: 'sequential', agents: ['a', 'b'], options: {} } as const

const failure = async (doing: PromiseLike<unknown>) =>
  doing.then(
    () => 'it was done',
    (error: unknown) => describeError(error),
  )

/** A served team, whose calls take a second of a clock that stands still. */
async function slowTeam() {
  const clock = virtualClock()
  const script = {
    clock,
    reply: ({ prompt }: { prompt: string }) => ({ text: `re: ${prompt}`, delayMs: 1000 }),
  }
  const team = await served(script, { clock, agents: TEAM })
  const calls = (count: number) => until(() => team.runner.calls.length === count)
  const status = async (runId = 'r1') => (await team.own.runs.show(runId)).status
  const client = async () => remoteOrchestrator(Orchestrator, await connected(team.baseDir))
  return { ...team, clock, calls, status, client }
}

describe('A workflow that is run through the owner', () => {
  test('has the steps, the result and the errors that it has in the owner', async () => {
    const { own, remote } = await served({ reply: ({ prompt }) => `re: ${prompt}` }, { agents: TEAM })
    const run = remote.run(WORKFLOW, 'x', { id: 'r1', name: 'report', budget: { usd: 5 } })
    await run.begun
    expect(run.agents).toEqual(['a', 'b'])
    const steps = await all(run)
    const result = await run
    expect(await own.run(WORKFLOW, 'x', { id: 'r1' })).toMatchObject({
      ...result,
      metadata: { ...result.metadata, reused: 2, steps: 2 },
    })
    expect(steps.map(({ agent, state }) => `${agent} ${state}`)).toEqual([
      ...['a scheduled', 'a succeeded', 'b scheduled', 'b succeeded'],
    ])
    expect(await own.runs.show('r1')).toMatchObject({
      name: 'report',
      workflow: WORKFLOW,
      status: 'succeeded',
    })
    for (const attempt of [
      (system: Orchestrator) => system.run(WORKFLOW, 'y', { id: 'r1' }),
      (system: Orchestrator) => system.run({ ...WORKFLOW, agents: ['c'] }, 'x'),
      (system: Orchestrator) => system.run({ kind: 'template', name: 'reserch' }, 'x'),
      (system: Orchestrator) => system.run('offered', 'x'),
      (system: Orchestrator) => system.run(null as never, 'x'),
      (system: Orchestrator) => system.run(undefined as never, 'x'),
      (system: Orchestrator) => system.runs.resume('r1'),
      (system: Orchestrator) => system.runs.resume('r2'),
    ]) {
      const there = await failure(attempt(own))
      expect(await failure(attempt(remote))).toEqual(there)
      expect(there).toMatchObject({ code: expect.stringContaining('Error') })
    }
    expect(() => remote.run(WORKFLOW, ' ')).toThrow(expect.objectContaining({ _tag: 'InvalidInputError' }))
  })

  test('is known to the owner once it has begun, and ends if its client is gone', async () => {
    const { own, client, clock, calls, status } = await slowTeam()
    const gone = await client()
    const left = gone.run(WORKFLOW, 'x', { id: 'r1' })
    left.catch(() => {})
    await left.begun
    expect(await status()).toBe('running')
    await gone.close()
    await calls(1)
    await clock.advance(1000)
    await calls(2)
    await clock.advance(1000)
    expect(await own.run(WORKFLOW, 'x', { id: 'r1' })).toMatchObject({ success: true })
    await expect(left).rejects.toMatchObject({ _tag: 'OwnerUnavailable' })
  })

  test('is paused or cancelled by the client that began it, and resumed by another one', async () => {
    const { remote, client, clock, calls, runner, status } = await slowTeam()
    const stop = new AbortController()
    const paused = remote.run(WORKFLOW, 'x', { id: 'r1', signal: stop.signal })
    await calls(1)
    stop.abort('enough')
    await expect(paused).rejects.toMatchObject({ _tag: 'RunInterruptedError' })
    expect(await status()).toBe('paused')
    const resumed = (await client()).runs.resume('r1')
    await calls(2)
    await clock.advance(1000)
    await calls(3)
    await resumed.pause('later')
    expect(await status()).toBe('paused')
    const last = remote.runs.resume('r1')
    last.catch(() => {})
    await calls(4)
    await last.cancel('no longer needed')
    expect(await status()).toBe('cancelled')
    expect(runner.calls.map(({ agent }) => agent)).toEqual(['a', 'a', 'b', 'b'])
  })

  test('continues while others want it: who interrupts it only leaves', async () => {
    const { own, remote, client, clock, calls } = await slowTeam()
    const first = new AbortController()
    const second = new AbortController()
    const begun = remote.run(WORKFLOW, 'x', { id: 'r1', signal: first.signal })
    const joined = (await client()).run(WORKFLOW, 'x', { id: 'r1', signal: second.signal })
    await joined.begun
    await calls(1)
    first.abort('enough')
    await expect(begun).rejects.toMatchObject({
      _tag: 'StillWantedError',
      hint: expect.stringContaining('workflow cancel r1'),
    })
    await clock.advance(1000)
    await calls(2)
    second.abort('enough')
    await expect(joined).rejects.toMatchObject({ _tag: 'RunInterruptedError' })
    expect((await own.runs.show('r1')).status).toBe('paused')
  })

  test('of the owner itself is not ended by a client that joins it, and that client leaves at once', async () => {
    const { own, remote, clock, calls } = await slowTeam()
    const stop = new AbortController()
    const mine = own.run(WORKFLOW, 'x', { id: 'r1' })
    const joined = remote.run(WORKFLOW, 'x', { id: 'r1', signal: stop.signal })
    await joined.begun
    await calls(1)
    stop.abort('enough')
    await expect(joined).rejects.toMatchObject({ _tag: 'StillWantedError' })
    await clock.advance(1000)
    await calls(2)
    await clock.advance(1000)
    expect((await mine).success).toBe(true)
  })

  test('that is code of the client is refused, with what to do instead', async () => {
    const { remote } = await served()
    const refused = expect.objectContaining({ _tag: 'OwnerOnly', hint: expect.stringContaining('module') })
    expect(() => remote.run(sequential(['a']), 'x')).toThrow(refused)
    expect(() => remote.runs.resume('r1', sequential(['a']))).toThrow(refused)
    expect(() => remote.sequential(['a'], 'x')).toThrow(expect.objectContaining({ _tag: 'OwnerOnly' }))
  })

  test('is not begun if the owner sees another version of it', async () => {
    const { own, baseDir, client } = await served({}, { agents: TEAM })
    const file = join(baseDir, 'flow.mjs')
    await writeFile(file, 'export default () => (tasks) => tasks')
    const workflow = { kind: 'module', file, export: 'default' }
    const request = { ask: 'one', runId: 'r1', workflow, hash: 'of another content', input: 'x', options: {} }
    expect(await failure(all(client.post('/runs', request)))).toMatchObject({
      code: 'OtherWorkflowError',
      message: expect.stringContaining(file),
    })
    expect(await own.runs.list()).toEqual([])
  })

  test('is data that the owner builds: a module, and a workflow of a configuration file', async () => {
    const { own, baseDir, remote } = await served(
      { reply: ({ prompt }) => `re: ${prompt}` },
      { agents: TEAM },
    )
    const file = join(baseDir, 'flow.mjs')
    await writeFile(
      file,
      `import { concatMap } from '${import.meta.resolve('rxjs')}'\nexport default (ask) => concatMap((task) => ask('a', task))`,
    )
    const module = { kind: 'module', file, export: 'default' } as const
    expect((await remote.run(module, 'x', { id: 'r1' })).metadata.finalOutput).toBe('re: x')
    const config = join(baseDir, 'team.yaml')
    await writeFile(config, 'workflows:\n  - { name: pair, pattern: sequential, agents: [a, b] }\n')
    const pair = { kind: 'config', name: 'pair', file: config } as const
    expect((await remote.run(pair, 'x', { id: 'r2' })).agents).toEqual(['a', 'b'])
    expect((await own.runs.list()).map(({ runId, status }) => `${runId} ${status}`)).toEqual([
      'r2 succeeded',
      'r1 succeeded',
    ])
  })

  test('is waited for by an owner that drains, unless its client has gone and it is held', async () => {
    const { own, client, clock, calls, status } = await slowTeam()
    const asking = await client()
    const run = asking.run(WORKFLOW, 'x', { id: 'r1' })
    await calls(1)
    let waits = 0
    const over = own.served(new AbortController().signal, () => waits++)
    await clock.advance(1000)
    await calls(2)
    await clock.advance(1000)
    expect((await run).success).toBe(true)
    await asking.close()
    expect(await over).toBe(false)
    expect(waits).toBe(1)
    const leaving = await client()
    const held = leaving.run(WORKFLOW, 'x', { id: 'r2', budget: { usd: 0.001 } })
    held.catch(() => {})
    for await (const { state } of held) if (state === 'held') break
    await leaving.close()
    expect(await own.served(new AbortController().signal)).toBe(true)
    expect(await status('r2')).toBe('held')
  })
})

describe('A task that several have asked for', () => {
  test('continues when one of them interrupts it, and ends with the last', async () => {
    const { remote, client, clock, calls, own } = await slowTeam()
    const agent = await remote.agent('a')
    const [first, second] = [new AbortController(), new AbortController()]
    const heard = { first: 0, second: 0 }
    const held = (who: keyof typeof heard) => ({
      ...{ taskId: 't1', approval: true, onHeld: () => heard[who]++ },
    })
    const begun = agent.ask('x', { ...held('first'), signal: first.signal })
    await until(() => heard.first > 0)
    const joined = (await (await client()).agent('a')).ask('x', held('second'))
    await until(() => heard.second > 0)
    first.abort('enough')
    await expect(begun).rejects.toMatchObject({ _tag: 'StillWantedError' })
    await own.held.approve('t1')
    await calls(1)
    await clock.advance(1000)
    expect((await joined).text).toBe('re: x')

    expect(await agent.accept('y', { taskId: 't2' })).toBe('t2')
    await calls(2)
    const left = agent.ask('y', { taskId: 't2', signal: second.signal })
    void left.catch(() => {})
    second.abort('enough')
    await expect(left).rejects.toMatchObject({
      _tag: 'StillWantedError',
      hint: expect.stringContaining('agent cancel a t2'),
    })
    await clock.advance(1000)
    expect((await (await own.agent('a')).reply('t2')).text).toBe('re: y')
  })
})
