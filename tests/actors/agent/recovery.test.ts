import { describe, expect, test } from 'vitest'
import type { Agent } from '../../../src/actors/agent/agent.ts'
import type { CallResult, Recovered } from '../../../src/claude/runner.ts'
import {
  ApiUnavailableError,
  AuthenticationError,
  CallTimeoutError,
  OutcomeUnknownError,
} from '../../../src/events/errors/call.ts'
import { ClosedError } from '../../../src/events/errors/usage.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { temporaryDirectory } from '../../store/temporary.ts'
import { ECHO, until, world } from '../world.ts'

const answer: CallResult = {
  text: 'found',
  costUsd: 0,
  usage: { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheCreationTokens: 0 },
  durationMs: 1,
  turns: null,
  model: null,
  permissionDenials: [],
}

/** A world whose process ended during a call. */
async function interrupted(retry = {}) {
  const here = await world()
  const { orchestrator, runner } = await here.open({ reply: () => ({ text: 'never', delayMs: 9e9 }) })
  const agent = await orchestrator.createAgent({ ...ECHO, retry })
  const task = agent.ask('x', { taskId: 't1' })
  task.catch(() => {})
  await until(() => agent.status === 'busy' && here.clock.pending >= 2)
  await orchestrator.close()
  await expect(task).rejects.toBeInstanceOf(ClosedError)
  const call = runner.calls[0]
  if (!call) throw new Error('there was no call')
  return { ...here, call }
}

describe('after a process that ended in the middle of a call', () => {
  test('an answer that was paid for is harvested: no second call', async () => {
    const { open, types, call } = await interrupted()
    const seen: string[] = []
    const recover = ({ callId }: { callId: string }): Recovered => {
      seen.push(callId)
      return { outcome: 'answered', result: answer }
    }
    const { orchestrator, runner } = await open({ recover }, { resume: 'on-demand' })
    expect(await orchestrator.recover()).toEqual([{ agent: 'echo', taskId: 't1', outcome: 'harvested' }])
    expect(runner.calls).toEqual([])
    expect(seen).toEqual([call.callId])
    const agent = await orchestrator.agent('echo')
    expect(agent.snapshot.context.session).toBe(call.sessionId)
    expect((await agent.ask('x', { taskId: 't1' })).text).toBe('found')
    expect((await types('echo')).at(-1)).toBe('CallSucceeded')
  })

  test('a call that was never sent is sent again under the same ids', async () => {
    const { open, call } = await interrupted()
    const { orchestrator, runner } = await open(
      { recover: () => ({ outcome: 'unsent' }) },
      { resume: 'on-demand' },
    )
    expect(await orchestrator.recover()).toEqual([{ agent: 'echo', taskId: 't1', outcome: 'redispatched' }])
    expect(runner.calls).toEqual([call])
  })

  test('a call without an answer is recorded as unknown and retried, from the same parent, in a new session', async () => {
    const { open, types, call } = await interrupted()
    const { orchestrator, runner } = await open(
      { recover: () => ({ outcome: 'unanswered' }) },
      { resume: 'on-demand' },
    )
    expect(await orchestrator.recover()).toEqual([{ agent: 'echo', taskId: 't1', outcome: 'retried' }])
    expect(runner.calls[0]).toMatchObject({ attempt: 2, parentSessionId: call.parentSessionId })
    expect(runner.calls[0]?.sessionId).not.toBe(call.sessionId)
    expect((await types('echo')).slice(2)).toEqual([
      'CallStarted',
      'CallOutcomeUnknown',
      'RetryScheduled',
      'CallStarted',
      'CallSucceeded',
    ])
  })

  test('a call without an answer and without a retry left fails as unknown', async () => {
    const { open } = await interrupted({ attempts: 0 })
    const { orchestrator } = await open(
      { recover: () => ({ outcome: 'unanswered' }) },
      { resume: 'on-demand' },
    )
    expect(await orchestrator.recover()).toEqual([{ agent: 'echo', taskId: 't1', outcome: 'unknown' }])
    const agent = await orchestrator.agent('echo')
    await expect(agent.ask('x', { taskId: 't1' })).rejects.toBeInstanceOf(OutcomeUnknownError)
  })

  test('a call that ended in a permanent error fails with it and is not retried', async () => {
    const { open, types } = await interrupted()
    const { orchestrator, runner } = await open(
      { recover: () => ({ outcome: 'failed', error: new AuthenticationError({ status: 401 }) }) },
      { resume: 'on-demand' },
    )
    expect(await orchestrator.recover()).toEqual([{ agent: 'echo', taskId: 't1', outcome: 'failed' }])
    expect((await types('echo')).slice(-2)).toEqual(['CallFailed', 'TaskFailed'])
    expect(runner.calls).toEqual([])
    const agent = await orchestrator.agent('echo')
    await expect(agent.ask('x', { taskId: 't1' })).rejects.toBeInstanceOf(AuthenticationError)
  })

  test('a call that ended in a retryable error is retried as usual', async () => {
    const { open, types, clock } = await interrupted()
    const { orchestrator } = await open(
      { recover: () => ({ outcome: 'failed', error: new ApiUnavailableError() }) },
      { resume: 'on-demand' },
    )
    const recovering = orchestrator.recover()
    const agent = await orchestrator.agent('echo')
    await until(() => agent.status === 'retry')
    await clock.advance(60_000)
    expect(await recovering).toEqual([{ agent: 'echo', taskId: 't1', outcome: 'retried' }])
    expect((await types('echo')).slice(3)).toEqual([
      'CallFailed',
      'RetryScheduled',
      'CallStarted',
      'CallSucceeded',
    ])
  })

  test('an answer counts even if the deadline has passed in the meantime', async () => {
    const { open, clock } = await interrupted()
    await clock.advance(40 * 60_000)
    const { orchestrator } = await open(
      { recover: () => ({ outcome: 'answered', result: answer }) },
      { resume: 'on-demand' },
    )
    expect(await orchestrator.recover()).toMatchObject([{ outcome: 'harvested' }])
  })

  /** Opened again, with leftover processes that are not yet killed when the deadline passes. */
  async function late(recovered: Recovered) {
    const { open, types, clock } = await interrupted()
    let endSweep = () => {}
    const swept = new Promise<number>((resolve) => {
      endSweep = () => resolve(0)
    })
    const scripted = scriptedRunner({ clock, recover: () => recovered })
    const runner = { ...scripted, sweep: () => swept }
    const { orchestrator } = await open(
      {},
      { resume: 'on-demand', runner, baseDir: await temporaryDirectory() },
    )
    const agent = await orchestrator.agent('echo')
    const task = agent.ask('x', { taskId: 't1' })
    task.catch(() => {})
    await until(() => clock.pending > 0 && agent.isStarted)
    await clock.advance(40 * 60_000)
    // Decisions are taken in order: one that the deadline made would be durable now.
    await (agent as Agent).record(() => [])
    endSweep()
    return { task, types, runner }
  }

  test('an answer counts even if the deadline passes before leftover processes are killed', async () => {
    const { task, types } = await late({ outcome: 'answered', result: answer })
    expect((await task).text).toBe('found')
    expect((await types('echo')).slice(2)).toEqual(['CallStarted', 'CallSucceeded'])
  })

  test('a call that is unanswered after the deadline fails, without another call', async () => {
    const { task, runner } = await late({ outcome: 'unsent' })
    await expect(task).rejects.toBeInstanceOf(CallTimeoutError)
    expect(runner.calls).toEqual([])
  })

  test('opening resumes automatically', async () => {
    const { open } = await interrupted()
    const { orchestrator } = await open({ recover: () => ({ outcome: 'unsent' }) })
    const agent = await orchestrator.agent('echo')
    await until(() => agent.status === 'idle')
    expect(agent.snapshot.context.totals.interactions).toBe(1)
  })

  test('looking at the agent on demand has no effect; asking it does', async () => {
    const { open, types } = await interrupted()
    const before = await types('echo')
    let recovered = 0
    const recover = () => {
      recovered += 1
      return { outcome: 'unsent' } as const
    }
    const { orchestrator, runner } = await open({ recover }, { resume: 'on-demand' })
    const agent = await orchestrator.agent('echo')
    expect(agent.status).toBe('busy')
    await orchestrator.agents()
    // Whatever looking had begun would get on meanwhile.
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect([recovered, runner.calls.length]).toEqual([0, 0])
    expect(await types('echo')).toEqual(before)
    await agent.ask('y')
    expect(runner.calls.map(({ prompt }) => prompt)).toEqual(['x', 'y'])
  })
})

describe('after a process that ended between two calls', () => {
  test('a retry is due at its recorded time, neither earlier nor later', async () => {
    const { open, clock } = await world()
    const policy = { ...ECHO, retry: { minDelayMs: 60_000 } }
    const first = await open({ reply: () => new ApiUnavailableError() })
    const agent = await first.orchestrator.createAgent(policy)
    agent.ask('x', { taskId: 't1' }).catch(() => {})
    await until(() => agent.status === 'retry')
    await clock.advance(20_000)
    await first.orchestrator.close()
    const { orchestrator, runner } = await open()
    const same = await orchestrator.agent('echo')
    await clock.advance(39_999)
    expect(runner.calls.length).toBe(0)
    await clock.advance(1)
    await until(() => same.status === 'idle')
    expect(runner.calls.length).toBe(1)
  })

  test('an overdue retry is made at once', async () => {
    const { open, clock } = await world()
    const first = await open({ reply: () => new ApiUnavailableError() })
    const agent = await first.orchestrator.createAgent({ ...ECHO, retry: { minDelayMs: 60_000 } })
    agent.ask('x').catch(() => {})
    await until(() => agent.status === 'retry')
    await first.orchestrator.close()
    await clock.advance(100_000)
    const { orchestrator } = await open()
    const same = await orchestrator.agent('echo')
    await until(() => same.status === 'idle')
    expect(same.snapshot.context.totals.interactions).toBe(1)
  })

  test('queued tasks are done', async () => {
    const { open, clock } = await world()
    const first = await open({ reply: () => ({ text: 'x', delayMs: 9e9 }) })
    const agent = await first.orchestrator.createAgent(ECHO)
    for (const taskId of ['t1', 't2', 't3']) agent.ask(taskId, { taskId }).catch(() => {})
    await until(() => agent.snapshot.context.queue.length === 2 && clock.pending >= 2)
    await first.orchestrator.close()
    const { orchestrator, runner } = await open({}, { resume: 'on-demand' })
    const recoveries = await orchestrator.recover()
    expect(recoveries.map(({ taskId }) => taskId).sort()).toEqual(['t1', 't2', 't3'])
    expect(runner.calls.map(({ prompt }) => prompt)).toEqual(['t1', 't2', 't3'])
  })
})
