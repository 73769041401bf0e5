/** A call that began on another machine, or for another base directory, is never made again without a word. */
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { AgentRunner, ProcessIdentity, Recovered } from '../../../src/claude/runner.ts'
import { agentFacts } from '../../../src/events/agent-facts.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { temporaryDirectory } from '../../store/temporary.ts'
import { ECHO, until } from '../world.ts'

afterEach(() => void vi.unstubAllEnvs())

/** Another machine keeps the user's state elsewhere. */
const atMachine = async () => void vi.stubEnv('XDG_STATE_HOME', await temporaryDirectory())

const UNSENT: Recovered = { outcome: 'unsent' }
const ANSWERED: Recovered = {
  outcome: 'answered',
  result: {
    text: 'found',
    costUsd: 1,
    usage: { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheCreationTokens: 0 },
    durationMs: 1,
    turns: null,
    model: null,
    permissionDenials: [],
  },
}

/** Says which process runs each call, and what it is told of the process of a call to recover. */
function runnerWith(recovered: Recovered, delayMs = 0) {
  const scripted = scriptedRunner({ clock: virtualClock(), reply: () => ({ text: 'said', delayMs }) })
  const asked: (ProcessIdentity | null)[] = []
  const runner: AgentRunner = {
    ...scripted,
    async *start(call, options) {
      yield { type: 'process', pid: process.pid, startTime: 'now' }
      yield* scripted.start(call, options)
    },
    recover: async (_, { process }) => {
      asked.push(process)
      return recovered
    },
  }
  return { runner, asked, calls: scripted.calls }
}

const OPTIONS = { budget: { usd: 10 }, callMinimum: { usd: 2 }, serve: false, random: () => 1 }

/** A base directory whose process died during a call. */
async function interrupted() {
  await atMachine()
  const baseDir = join(await temporaryDirectory(), 'store')
  const { runner } = runnerWith(UNSENT, 9e9)
  const orchestrator = await Orchestrator.open({ ...OPTIONS, baseDir, runner })
  const agent = await orchestrator.createAgent(ECHO)
  agent.ask('x', { taskId: 't1' }).then(undefined, () => {})
  await until(() => agent.snapshot.context.current?.call?.process != null)
  await orchestrator.close()
  return baseDir
}

/** What becomes of the call once the base directory is opened. */
async function resumed(baseDir: string, recovered: Recovered = UNSENT) {
  const { runner, asked, calls } = runnerWith(recovered)
  await using orchestrator = await Orchestrator.open({ ...OPTIONS, baseDir, runner, resume: 'on-demand' })
  const [recovery] = await orchestrator.recover()
  const types: string[] = []
  for await (const { type } of orchestrator.store.read('agent/echo')) types.push(type)
  const { spent, reserved } = await orchestrator.budgets.show()
  return {
    recovery,
    asked,
    calls: calls.length,
    types: types.slice(4),
    spent: spent.usd,
    reserved: reserved.usd,
  }
}

const SAID_UNKNOWN = {
  recovery: { outcome: 'retried' },
  asked: [null],
  calls: 1,
  types: ['CallOutcomeUnknown', 'RetryScheduled', 'CallStarted', 'ProcessStarted', 'CallSucceeded'],
  spent: 2,
  reserved: 0,
}

describe('A call in flight when its process died', () => {
  test('is sent again in the same place if it had not been sent', async () => {
    const baseDir = await interrupted()
    expect(await resumed(baseDir)).toMatchObject({
      recovery: { outcome: 'redispatched' },
      asked: [{ pid: process.pid, startTime: 'now' }],
      types: ['ProcessStarted', 'CallSucceeded'],
      spent: 0,
    })
  })

  test('has an unknown outcome on another machine: the log says so, and budgets count it', async () => {
    const baseDir = await interrupted()
    await atMachine()
    expect(await resumed(baseDir)).toMatchObject(SAID_UNKNOWN)
  })

  test('has an unknown outcome over a new disk, which has none of its files', async () => {
    const baseDir = await interrupted()
    await rm(join(baseDir, 'home-id'))
    await rm(join(baseDir, 'agents'), { recursive: true, force: true })
    expect(await resumed(baseDir)).toMatchObject(SAID_UNKNOWN)
  })

  test('has an unknown outcome in a copy of the base directory on another machine', async () => {
    const baseDir = await interrupted()
    const copy = join(await temporaryDirectory(), 'copy')
    await cp(baseDir, copy, { recursive: true })
    await atMachine()
    expect(await resumed(copy)).toMatchObject(SAID_UNKNOWN)
  })

  test('is answered wherever its answer is', async () => {
    const baseDir = await interrupted()
    await atMachine()
    expect(await resumed(baseDir, ANSWERED)).toMatchObject({
      recovery: { outcome: 'harvested' },
      calls: 0,
      types: ['CallSucceeded'],
      spent: 1,
    })
  })
})

test('A process of an older log counts as one of this place', async () => {
  const baseDir = await interrupted()
  const older = join(await temporaryDirectory(), 'older')
  const known: { type: string; v: number; data: object }[] = []
  {
    await using store = await levelStore(baseDir)
    for await (const { type, v, data } of store.read('agent/echo')) {
      const { machine, home, ...before } = data as Record<string, never>
      known.push(type === 'ProcessStarted' ? { type, v: 1, data: before } : { type, v, data })
      if (type === 'ProcessStarted') expect([machine, home]).toEqual([expect.any(String), expect.any(String)])
    }
  }
  {
    await using store = await levelStore(older)
    const summary = { status: 'busy', open: true }
    const [last] = await store.append('agent/echo', known as never, { summary })
    expect(last && agentFacts.read(last).type).toBe('AgentCreated')
  }
  expect(await resumed(older)).toMatchObject({ recovery: { outcome: 'redispatched' } })
})
