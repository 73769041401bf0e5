/** What a call cost counts, however it ended: every figure about money adds up to what the calls reported. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AgentRunner, Call, CallMessage, CallResult, CallSpending } from '../../../src/claude/runner.ts'
import {
  AuthenticationError,
  CallCancelledError,
  CliCrashedError,
  MaxTurnsError,
} from '../../../src/events/errors/call.ts'
import { Counters, metricsText } from '../../../src/history/metrics.ts'
import { statistics } from '../../../src/history/statistics.ts'
import type { Orchestrator } from '../../../src/orchestrator.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { repetitions } from '../../repetitions.ts'
import { ECHO, until, world } from '../world.ts'

/** The ways in which a call can end. Those from `hangs` on end only when they are told to. */
const WAYS = [
  'answers',
  'answers at an estimated price',
  'answers, and its runner breaks',
  'answers without a text',
  'fails for good',
  'fails, and the retry answers',
  'is refused after it cost something',
  'is cancelled',
  'is cancelled and answers late',
  'exceeds its deadline',
  'exceeds its deadline and answers late',
  'is cut off with its run',
  'survives its owner and has answered',
  'survives its owner and has failed',
  'does not survive its owner',
] as const
type Way = (typeof WAYS)[number]

interface Ending {
  readonly way: Way
  readonly costs: readonly [CallSpending, CallSpending]
}

const anyCost = fc
  .record({ cents: fc.nat(500), tokens: fc.array(fc.nat(5000), { minLength: 4, maxLength: 4 }) })
  .map(
    ({
      cents,
      tokens: [inputTokens = 0, outputTokens = 0, cacheReadTokens = 0, cacheCreationTokens = 0],
    }) => ({
      costUsd: cents / 100,
      usage: { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens },
    }),
  )

/** Cut off means that nobody knows the exact cost. */
const ESTIMATED = new Set<Way>([
  'answers at an estimated price',
  'is cancelled',
  'is cut off with its run',
  'does not survive its owner',
])

const anyEnding: fc.Arbitrary<Ending> = fc
  .tuple(fc.constantFrom(...WAYS), anyCost, anyCost)
  // A transcript that tells no cost is not one of a free call: its budget assumes what was reserved.
  .filter(([way, { costUsd }]) => way !== 'survives its owner and has answered' || costUsd > 0)
  .map(([way, first, second]) => ({
    way,
    costs: [{ ...first, ...(ESTIMATED.has(way) ? { estimated: true } : {}) }, second],
  }))

/** A runner whose calls end as their prompts say, and which adds up what they report. */
function reportingRunner(endings: readonly Ending[]) {
  const reported = { usd: 0, estimated: 0, tokens: 0, input: 0 }
  const started: Call[] = []
  const report = (spent: CallSpending): CallSpending => {
    const { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens } = spent.usage
    reported.usd += spent.costUsd
    reported.estimated += spent.estimated ? spent.costUsd : 0
    reported.tokens += inputTokens + outputTokens + cacheCreationTokens + Math.ceil(cacheReadTokens / 10)
    reported.input += inputTokens
    return spent
  }
  const endingOf = ({ prompt }: Call) => endings[Number(prompt)] as Ending
  const result = (spent: CallSpending): CallResult => ({
    ...{ text: 'done', durationMs: 1, turns: 1, model: null, permissionDenials: [] },
    ...report(spent),
  })
  const answer = (spent: CallSpending): CallMessage => ({ type: 'result', result: result(spent) })
  const costOnly = (spent: CallSpending): CallMessage => ({ type: 'spent', ...report(spent) })

  const runner: AgentRunner = {
    async *start(call, { signal }): AsyncGenerator<CallMessage> {
      started.push(call)
      const { way, costs } = endingOf(call)
      const [cost, next] = costs
      if (call.attempt > 1) return yield answer(next)
      switch (way) {
        case 'answers':
        case 'answers at an estimated price':
          return yield answer(cost)
        case 'answers, and its runner breaks':
          yield answer(cost)
          throw new CliCrashedError()
        case 'answers without a text':
          return yield { type: 'result', result: { ...result(cost), text: undefined as unknown as string } }
        case 'fails for good':
          yield costOnly(cost)
          throw new MaxTurnsError()
        case 'fails, and the retry answers':
          yield costOnly(cost)
          throw new CliCrashedError()
        case 'is refused after it cost something':
          yield costOnly(cost)
          throw new AuthenticationError()
      }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      if (way.endsWith('answers late')) return yield answer(cost)
      if (!way.includes('owner')) yield costOnly(cost)
      throw new CallCancelledError()
    },
    async recover(call) {
      const { way, costs } = endingOf(call)
      if (way === 'survives its owner and has answered')
        return { outcome: 'answered', result: result(costs[0]) }
      const spent = report(costs[0])
      return way === 'survives its owner and has failed'
        ? { outcome: 'failed', error: new MaxTurnsError(), spent }
        : { outcome: 'unanswered', spent }
    },
  }
  return { runner, reported, started }
}

/** Every figure that the product shows, for all agents together. */
async function booked(orchestrator: Orchestrator) {
  const { store } = orchestrator
  const sumOf = <T>(rows: readonly T[], figure: (row: T) => number) =>
    rows.reduce((sum, row) => sum + figure(row), 0)
  const agents = await orchestrator.agents()
  const live = await Promise.all(agents.map(async ({ id }) => (await orchestrator.agent(id)).metrics()))
  const metrics = (await metricsText(store, new Counters())).split('\n')
  const metric = (name: string) =>
    sumOf(
      metrics.filter((line) => line.startsWith(name)),
      (line) => Number(line.split(' ').at(-1)),
    )
  const stats = {
    agent: await statistics(store, 'agent'),
    run: await statistics(store, 'run'),
    day: await statistics(store, 'day'),
  }
  const { spent } = await orchestrator.budgets.show()
  const ofAgents = await Promise.all(agents.map(({ id: agent }) => orchestrator.budgets.show({ agent })))
  const runs = await orchestrator.runs.list()
  const ofRuns = await Promise.all(runs.map(({ runId: run }) => orchestrator.budgets.show({ run })))
  return {
    usd: {
      budget: spent.usd,
      agentBudgets: sumOf(ofAgents, (budget) => budget.spent.usd),
      runBudgets: sumOf(ofRuns, (budget) => budget.spent.usd),
      agentList: sumOf(agents, ({ totalCostUsd }) => totalCostUsd),
      agentMetrics: sumOf(live, ({ totalCostUsd }) => totalCostUsd),
      byAgent: sumOf(stats.agent, ({ costUsd }) => costUsd),
      byRun: sumOf(stats.run, ({ costUsd }) => costUsd),
      byDay: sumOf(stats.day, ({ costUsd }) => costUsd),
      metrics: metric('claude_agents_cost_usd_total'),
      workflowList: sumOf(runs, ({ costUsd }) => costUsd),
      steps: sumOf(await Promise.all(runs.map(({ runId }) => orchestrator.runs.show(runId))), ({ taken }) =>
        sumOf(taken, ({ costUsd }) => costUsd),
      ),
    },
    estimated: {
      agentList: sumOf(agents, ({ estimatedCostUsd }) => estimatedCostUsd),
      agentMetrics: sumOf(live, ({ estimatedCostUsd }) => estimatedCostUsd),
      byAgent: sumOf(stats.agent, ({ estimatedCostUsd }) => estimatedCostUsd),
      metrics: metric('claude_agents_cost_estimated_usd_total'),
    },
    tokens: {
      budget: spent.tokens,
      runBudgets: sumOf(ofRuns, (budget) => budget.spent.tokens),
      agentList: sumOf(agents, ({ totalTokens }) => totalTokens),
      byRun: sumOf(stats.run, ({ tokens }) => tokens),
    },
    input: {
      byAgent: sumOf(stats.agent, ({ inputTokens }) => inputTokens),
      metrics: metric('claude_agents_tokens_total{agent="echo",type="input"}'),
    },
  }
}

const allAre = (figures: object, value: number) =>
  Object.fromEntries(Object.keys(figures).map((name) => [name, expect.closeTo(value, 6)]))

describe('What calls cost counts', () => {
  test('however they end: all figures add up to what was reported', async () => {
    const property = fc.asyncProperty(
      fc.array(anyEnding, { minLength: 1, maxLength: 6 }),
      async (endings) => {
        const { clock, open } = await world()
        const { runner, reported, started } = reportingRunner(endings)
        const options = { runner, budget: { usd: 1000 } }
        let { orchestrator } = await open({}, options)
        await orchestrator.createAgent({ ...ECHO, retry: { attempts: 1, minDelayMs: 0, maxDelayMs: 0 } })

        for (const [index, { way }] of endings.entries()) {
          const before = started.length
          const begin = () => orchestrator.run(sequential(['echo']), String(index), { id: `run-${index}` })
          let run = begin()
          run.then(
            () => {},
            () => {},
          )
          await until(() => started.length > before)
          const agent = await orchestrator.agent('echo')
          const { current } = agent.snapshot.context
          if (way.startsWith('is cancelled')) await agent.cancel(current?.taskId ?? '', 'not needed')
          if (way.startsWith('exceeds'))
            await clock.advance(Date.parse(current?.deadlineAt ?? '') - clock.now())
          if (way.startsWith('is cut off')) await run.cancel('not needed')
          if (way.includes('owner')) {
            await orchestrator.close()
            ;({ orchestrator } = await open({}, options))
            await orchestrator.recover()
            run = begin()
          }
          await run.then(
            () => {},
            () => {},
          )
          await (await orchestrator.agent('echo')).settled()
        }

        await orchestrator.recover()
        const { usd, estimated, tokens, input } = await booked(orchestrator)
        expect(usd).toEqual(allAre(usd, reported.usd))
        expect(estimated).toEqual(allAre(estimated, reported.estimated))
        expect(tokens).toEqual(allAre(tokens, reported.tokens))
        expect(input).toEqual(allAre(input, reported.input))
        await orchestrator.close()
      },
    )
    await fc.assert(property, {
      numRuns: repetitions('SPENDING_RUNS', { short: 4, long: 100 }),
      examples: [
        [
          WAYS.map((way) => ({
            way,
            costs: [{ ...COST, ...(ESTIMATED.has(way) ? { estimated: true } : {}) }, COST] as const,
          })),
        ],
      ],
    })
  })
})

test('A task that is cancelled while everything closes leaves what its call has cost', async () => {
  const { open } = await world()
  const spent = { ...COST, estimated: true } as const
  const script = { reply: () => ({ delayMs: 1e9, spent }) }
  const { orchestrator, runner } = await open(script, { budget: { usd: 10 } })
  const agent = await orchestrator.createAgent(ECHO)
  const task = agent.ask('x')
  await until(() => runner.calls.length === 1)
  await task.cancel('Ctrl-C')
  await orchestrator.close()
  await expect(task).rejects.toThrow()
  await using next = (await open(script)).orchestrator
  expect(await next.agents()).toMatchObject([{ totalCostUsd: 1.25, estimatedCostUsd: 1.25 }])
  expect((await next.budgets.show()).spent).toEqual({ usd: 1.25, tokens: 41 })
})

test('Cached tokens count by the weight that is set', async () => {
  const tokens = async (cacheReadWeight?: number) => {
    const reply = () => ({ text: 'x', ...COST, usage: { ...COST.usage, cacheReadTokens: 1000 } })
    const options = { budget: { tokens: 1e6 }, ...(cacheReadWeight === undefined ? {} : { cacheReadWeight }) }
    await using orchestrator = (await (await world()).open({ reply }, options)).orchestrator
    const agent = await orchestrator.createAgent(ECHO)
    await agent.ask('x')
    await orchestrator.recover()
    expect((await orchestrator.budgets.show()).spent.tokens).toBe(agent.metrics().totalTokens)
    return agent.metrics().totalTokens
  }
  expect([await tokens(), await tokens(0), await tokens(1)]).toEqual([137, 37, 1037])
})

const COST: CallSpending = {
  costUsd: 1.25,
  usage: { inputTokens: 10, outputTokens: 20, cacheReadTokens: 33, cacheCreationTokens: 7 },
}

test('statistics and budgets show the same sum to the last digit', async () => {
  const { open } = await world()
  const { orchestrator } = await open({ reply: () => ({ text: 'done', costUsd: 0.1 }) })
  const agent = await orchestrator.createAgent(ECHO)
  for (let asked = 0; asked < 3; asked++) await agent.ask('go')
  expect(0.1 + 0.1 + 0.1).not.toBe(0.3)
  expect((await orchestrator.budgets.show()).spent.usd).toBe(0.3)
  for (const by of ['agent', 'run', 'day'] as const)
    expect((await statistics(orchestrator.store, by)).map(({ costUsd }) => costUsd)).toEqual([0.3])
})
