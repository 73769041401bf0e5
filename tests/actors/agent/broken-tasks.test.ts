/** What fails for good ends its task at once: nobody waits for a deadline to learn of it. */
import { describe, expect, test } from 'vitest'
import type { AgentRunner } from '../../../src/claude/runner.ts'
import type { NewFact } from '../../../src/events/envelope.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../../src/orchestrator-options.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { temporaryDirectory } from '../../store/temporary.ts'
import { ECHO, until } from '../world.ts'

/** A store that refuses facts for good, in its own way. */
function refusing(isRefused: (fact: NewFact) => boolean, of: EventStore = memoryStore()): EventStore {
  return new Proxy(of, {
    get(target, name) {
      if (name !== 'append') return Reflect.get(target, name, target)
      return async (...[stream, facts, options]: Parameters<EventStore['append']>) => {
        if (facts.some(isRefused)) throw new Error('the store is broken')
        return target.append(stream, facts, options)
      }
    },
  })
}

/** The clock stands still: whatever waits for it never ends. */
async function open(options: OrchestratorOptions) {
  const orchestrator = await Orchestrator.open({
    clock: virtualClock(),
    random: () => 1,
    budget: { usd: 100 },
    ...options,
  })
  const agent = await orchestrator.createAgent({ ...ECHO, retry: { attempts: 0 } })
  return { orchestrator, agent }
}

const LONG = 'a long answer '.repeat(10_000)
const paid = () => ({ text: LONG, costUsd: 2 })
const broken = { _tag: 'TaskBrokenError', message: expect.stringContaining('the store is broken') }

describe('A task ends at once', () => {
  test('if its answer cannot be recorded; the answer and its cost are kept', async () => {
    const store = refusing(({ type }) => type === 'CallSucceeded')
    const { orchestrator, agent } = await open({ store, runner: scriptedRunner({ reply: paid }) })
    await expect(agent.ask('x', { taskId: 't1' })).rejects.toMatchObject(broken)
    await agent.settled()
    expect(await orchestrator.lateAnswers()).toMatchObject([{ taskId: 't1', text: LONG, costUsd: 2 }])
    expect(agent.metrics()).toMatchObject({ totalCostUsd: 2, status: 'error' })
    await orchestrator.recover()
    expect(await orchestrator.budgets.show()).toMatchObject({ spent: { usd: 2 }, reserved: { usd: 0 } })
  })

  test('even if the answer cannot be kept at all: then its cost is', async () => {
    const store = refusing(({ type }) => type === 'CallSucceeded' || type === 'LateAnswerRecorded')
    const { orchestrator, agent } = await open({ store, runner: scriptedRunner({ reply: paid }) })
    await expect(agent.ask('x')).rejects.toMatchObject(broken)
    await agent.settled()
    expect(agent.metrics().totalCostUsd).toBe(2)
    await orchestrator.close()
  })

  test('if its call cannot be announced, and the tasks behind it take their turn', async () => {
    let refused = 0
    const store = refusing(({ type }) => type === 'CallStarted' && ++refused <= 1)
    const runner = scriptedRunner()
    const { agent } = await open({ store, runner })
    const first = agent.ask('first')
    const second = agent.ask('second')
    await expect(first).rejects.toMatchObject(broken)
    expect((await second).text).toBe('echo: second')
    expect(agent.status).toBe('idle')
    expect(runner.calls).toHaveLength(1)
  })

  test('if a budget cannot reserve its cost', async () => {
    const store = refusing(({ type }) => type === 'BudgetReserved')
    const { agent } = await open({ store, runner: scriptedRunner() })
    await expect(agent.ask('x')).rejects.toMatchObject(broken)
  })

  test('if its failure cannot be recorded as it was', async () => {
    const isDetailed = ({ type, data }: NewFact) =>
      type === 'CallFailed' && (data.error as { tag?: string } | undefined)?.tag === 'CliCrashedError'
    const reply = () => new Error('no good')
    const { agent } = await open({ store: refusing(isDetailed), runner: scriptedRunner({ reply }) })
    await expect(agent.ask('x')).rejects.toMatchObject(broken)
  })

  test('if the machine cannot be swept', async () => {
    const sweep = async () => {
      throw new Error('the store is broken')
    }
    const { agent } = await open({
      store: memoryStore(),
      runner: { ...scriptedRunner(), sweep },
      // Whose runner sweeps has the directory alone.
      baseDir: await temporaryDirectory(),
      resume: 'on-demand',
    })
    await expect(agent.ask('x')).rejects.toMatchObject(broken)
  })

  test('if its call of an earlier process cannot be looked up', async () => {
    const store = memoryStore()
    const undying = new Proxy(store, {
      get: (target, name) =>
        name === Symbol.asyncDispose ? async () => {} : Reflect.get(target, name, target),
    })
    const hanging = scriptedRunner({ reply: () => new Promise(() => {}) })
    const first = await open({ store: undying, runner: hanging })
    const asked = first.agent.ask('x', { taskId: 't1' })
    asked.catch(() => {})
    await until(() => hanging.calls.length > 0)
    void first.orchestrator.close()
    await expect(asked).rejects.toMatchObject({ _tag: 'ClosedError' })
    const runner: AgentRunner = {
      ...scriptedRunner(),
      recover: async () => {
        throw new Error('the store is broken')
      },
    }
    const next = await Orchestrator.open({ store: undying, runner, clock: virtualClock() })
    await expect((await next.agent('echo')).reply('t1')).rejects.toMatchObject(broken)
  })
})

describe('An answer that the log refuses after its task was cancelled', () => {
  async function cancelled(isRefused: (fact: NewFact) => boolean) {
    let answer = () => {}
    const waiting = new Promise<void>((resolve) => (answer = resolve))
    const scripted = scriptedRunner({ reply: () => waiting.then(paid) })
    const runner: AgentRunner = {
      ...scripted,
      start: (call) => scripted.start(call, { signal: new AbortController().signal }),
    }
    const opened = await open({ store: refusing(isRefused), runner })
    const task = opened.agent.ask('x', { taskId: 't1' })
    task.catch(() => {})
    await until(() => scripted.calls.length > 0)
    await task.cancel('not needed')
    answer()
    await opened.agent.settled()
    await opened.orchestrator.recover()
    return opened
  }

  test('leaves its cost in the log, and counts once', async () => {
    const { orchestrator, agent } = await cancelled(({ type }) => type === 'LateAnswerRecorded')
    expect(agent.metrics().totalCostUsd).toBe(2)
    expect(await orchestrator.budgets.show()).toMatchObject({ spent: { usd: 2 }, reserved: { usd: 0 } })
    await orchestrator.close()
  })

  test('leaves no reservation open, even if its cost is refused as well', async () => {
    const { orchestrator } = await cancelled(({ type }) => /^Late/.test(type))
    const settled: unknown[] = []
    for await (const { type, data } of orchestrator.history.log())
      if (type === 'BudgetSettled') settled.push(data.outcome)
    expect(settled).toEqual(['assumed'])
    await orchestrator.close()
  })
})

test('What a failed call cost is kept if its failure cannot be recorded', async () => {
  const usage = { inputTokens: 3, outputTokens: 4, cacheReadTokens: 0, cacheCreationTokens: 0 }
  const runner: AgentRunner = {
    ...scriptedRunner(),
    async *start() {
      yield { type: 'spent', costUsd: 2, usage }
      throw new Error('no good')
    },
  }
  const isDetailed = ({ type, data }: NewFact) =>
    type === 'CallFailed' && (data.error as { tag?: string } | undefined)?.tag === 'CliCrashedError'
  const { orchestrator, agent } = await open({ store: refusing(isDetailed), runner })
  await expect(agent.ask('x')).rejects.toMatchObject(broken)
  await agent.settled()
  expect(agent.metrics().totalCostUsd).toBe(2)
  await orchestrator.recover()
  expect(await orchestrator.budgets.show()).toMatchObject({ spent: { usd: 2 }, reserved: { usd: 0 } })
})

test('An answer too long for a fact is delivered if no blob can be written', async () => {
  const store = memoryStore()
  const blobs = {
    ...store.blobs,
    put: async () => {
      throw new Error('no blobs')
    },
  }
  const unblobbed = new Proxy(store, {
    get: (target, name) => (name === 'blobs' ? blobs : Reflect.get(target, name, target)),
  })
  const { agent } = await open({ store: unblobbed, runner: scriptedRunner({ reply: paid }) })
  expect((await agent.ask('x')).text).toBe(LONG)
})

test('A call whose cost cannot be read counts as what was reserved for it', async () => {
  const store = memoryStore()
  let isBroken = false
  const unreadable = new Proxy(store, {
    get(target, name) {
      if (name !== 'read' || !isBroken) return Reflect.get(target, name, target)
      return (stream: string, range?: Parameters<EventStore['read']>[1]) => {
        if (stream.startsWith('agent/')) throw new Error('the stream is broken')
        return target.read(stream, range)
      }
    },
  })
  const runner = scriptedRunner({
    reply: () => {
      isBroken = true
      return { text: 'x', costUsd: 2 }
    },
  })
  const { orchestrator, agent } = await open({ store: unreadable, runner })
  await agent.ask('x')
  await orchestrator.recover()
  expect(await orchestrator.budgets.show()).toMatchObject({ spent: { usd: 0.01 }, reserved: { usd: 0 } })
})
