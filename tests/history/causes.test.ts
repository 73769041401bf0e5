/** Causes lead back to the command, across agents and runs; effects lead forward. */
import { expect, test } from 'vitest'
import { ModelNotFoundError, OverloadedError } from '../../src/events/errors/call.ts'
import { type CauseLine, causesOf, effectsOf } from '../../src/history/causes.ts'
import { pastTask } from '../../src/history/past-task.ts'
import { statistics } from '../../src/history/statistics.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { CodeReviewWorkflow } from '../../src/workflows/code-review.ts'
import { ECHO, until } from '../actors/world.ts'

async function lived(reply: NonNullable<ScriptedRunnerOptions['reply']>) {
  const store = memoryStore()
  const orchestrator = await Orchestrator.open({ store, runner: scriptedRunner({ reply }) })
  const position = async (type: string, stream = '') => {
    let found = 0
    for await (const fact of store.readAll())
      if (fact.type === type && fact.stream.startsWith(stream)) found = fact.position
    return found
  }
  return { store, orchestrator, position }
}

const told = (lines: readonly CauseLine[], type: string) =>
  lines.filter(({ fact }) => fact.type === type).map(({ fact }) => fact.data.agent ?? fact.stream)

test.each([['different reviews'], ['equal reviews']])(
  'the final answer of a code review leads to the template, the run and the four reviews: %s',
  async (which) => {
    const { store, orchestrator, position } = await lived(({ agent }) =>
      which === 'equal reviews' && agent !== 'lead_reviewer' ? 'It is good.' : `By ${agent}.`,
    )
    const workflow = new CodeReviewWorkflow(orchestrator)
    await workflow.setup()
    await workflow.execute('let x = 1', { id: 'r' })
    for (const [type, stream] of [
      ['RunSucceeded', 'run/'],
      ['CallSucceeded', 'agent/lead_reviewer'],
    ] as const) {
      const lines = await causesOf(store, await position(type, stream))
      expect(told(lines, 'StepSucceeded')).toEqual(
        expect.arrayContaining([
          'security_reviewer',
          'performance_reviewer',
          'quality_reviewer',
          'accessibility_reviewer',
        ]),
      )
      const end = lines.at(-1)
      expect(end).toMatchObject({ command: 'workflow template code-review', depth: 0 })
      expect(end?.fact).toMatchObject({ stream: 'run/r', type: 'RunStarted' })
      expect(lines.filter(({ fact }) => fact.type === 'RunStarted')).toHaveLength(1)
    }
    const forward = (await effectsOf(store, await position('RunStarted'))).filter(({ again }) => !again)
    expect(told(forward, 'StepScheduled')).toHaveLength(5)
    expect(told(forward, 'RunSucceeded')).toEqual(['run/r'])
  },
)

test('a retry leads back to the failure before it, and a failed run to the error', async () => {
  const { store, orchestrator, position } = await lived(({ attempt }) =>
    attempt === 1 ? new OverloadedError() : new ModelNotFoundError(),
  )
  await orchestrator.createAgent({ ...ECHO, retry: { attempts: 1, minDelayMs: 0, maxDelayMs: 0 } })
  await orchestrator.run(sequential(['echo']), 'hello', { id: 'r' })
  const lines = await causesOf(store, await position('RunFailed'))
  expect(lines.map(({ fact }) => fact.type)).toEqual([
    ...['RunFailed', 'StepFailed', 'TaskFailed', 'CallFailed', 'CallStarted', 'RetryScheduled'],
    ...['CallFailed', 'CallStarted', 'TaskAccepted', 'StepScheduled', 'RunStarted'],
  ])
  expect(lines.at(-1)?.command).toBe('orchestrator.run (workflow)')
  const forward = await effectsOf(store, await position('TaskAccepted'))
  expect(forward.map(({ fact }) => fact.type)).toContain('RunFailed')
})

test('an unknown position is an error, and a direct ask leads to its command', async () => {
  const { store, orchestrator } = await lived(() => 'done')
  await orchestrator.createAgent(ECHO)
  await orchestrator.sendTask('echo', 'hello', { taskId: 't' })
  for (const position of [0, 99, 1.5, -1])
    await expect(causesOf(store, position)).rejects.toMatchObject({ _tag: 'PositionNotFoundError' })
  const lines = await causesOf(store, await store.head())
  expect(lines.map(({ fact }) => fact.type)).toEqual(['CallSucceeded', 'CallStarted', 'TaskAccepted'])
  expect(lines.at(-1)?.command).toBe('agent ask echo')
  expect(await causesOf(store, 1)).toMatchObject([{ command: 'agent create echo', of: null }])
})

test('a past task is found with its whole input', async () => {
  const { store, orchestrator } = await lived(() => 'done')
  const agent = await orchestrator.createAgent(ECHO)
  const input = { prompt: 'p'.repeat(70_000), textInput: 'notes' }
  await agent.ask(input, { taskId: 't', session: 'fresh', outputSchema: { type: 'object' } })
  expect(await pastTask(store, 't', 'echo')).toMatchObject({
    ...{ agent: 'echo', input, session: 'fresh', outputSchema: { type: 'object' } },
  })
  await expect(pastTask(store, 'u', 'echo')).rejects.toMatchObject({ _tag: 'TaskNotFoundError' })
})

test('half of the answers took at most p50, and 95 of 100 at most p95', async () => {
  const clock = virtualClock()
  const orchestrator = await Orchestrator.open({
    clock,
    store: memoryStore({ clock }),
    runner: scriptedRunner({
      clock,
      reply: ({ prompt }) => ({ text: 'done', delayMs: Number(prompt) * 1000 }),
    }),
  })
  const agent = await orchestrator.createAgent({ ...ECHO, timeoutMs: 1e9 })
  const times = async () => {
    const [{ p50Ms, p95Ms } = { p50Ms: null, p95Ms: null }] = await statistics(orchestrator.store, 'agent')
    return [p50Ms, p95Ms]
  }
  const ask = async (seconds: number) => {
    const answered = agent.ask(String(seconds))
    await until(() => agent.status === 'busy' && clock.pending >= 2)
    await clock.advance(seconds * 1000)
    await answered
  }
  for (const seconds of [5, 1, 4, 2, 3]) await ask(seconds)
  expect(await times()).toEqual([3000, 5000])
  for (let seconds = 6; seconds <= 100; seconds += 1) await ask(seconds)
  expect(await times()).toEqual([50_000, 95_000])
  await orchestrator.close()
})

test('statistics are counted by agent, run and day in one pass', async () => {
  const { store, orchestrator } = await lived(({ prompt, attempt }) => {
    if (prompt === 'bad') return new ModelNotFoundError()
    if (prompt === 'twice' && attempt === 1) return new OverloadedError()
    const usage = { inputTokens: 10, outputTokens: 5, cacheReadTokens: 0, cacheCreationTokens: 0 }
    return { text: 'done', costUsd: 0.5, usage }
  })
  const agent = await orchestrator.createAgent({ ...ECHO, retry: { minDelayMs: 0, maxDelayMs: 0 } })
  await agent.ask('good')
  await agent.ask('twice')
  await agent.ask('bad').catch(() => {})
  await orchestrator.run(sequential(['echo', 'echo']), 'hello', { id: 'r' })
  const [figures, ...others] = await statistics(store, 'agent')
  expect(others).toEqual([])
  expect(figures).toMatchObject({
    ...{ key: 'echo', tasks: 5, succeeded: 4, failed: 1, cancelled: 0, retries: 1 },
    ...{
      failures: { ModelNotFoundError: 1, OverloadedError: 1 },
      inputTokens: 40,
      outputTokens: 20,
      costUsd: 2,
    },
  })
  expect(figures?.p50Ms).toBeGreaterThanOrEqual(0)
  expect(figures?.p95Ms).toBeGreaterThanOrEqual(figures?.p50Ms ?? Number.POSITIVE_INFINITY)
  expect((await statistics(store, 'run')).map(({ key, tasks }) => [key, tasks])).toEqual([
    [null, 3],
    ['r', 2],
  ])
  expect((await statistics(store, 'day')).map(({ tasks }) => tasks)).toEqual([5])
})
