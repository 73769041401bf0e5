/** Runners and effects that do not heed their signals: cancelling, deadlines and closing come to an end all the same. */
import * as Schema from 'effect/Schema'
import { expect, test } from 'vitest'
import { setup } from 'xstate'
import { defineActor } from '../src/actors/own/definition.ts'
import type { AgentRunner, Call, CallMessage } from '../src/claude/runner.ts'
import { Orchestrator } from '../src/orchestrator.ts'
import { memoryStore } from '../src/store/memory-store.ts'
import { virtualClock } from '../src/testing/virtual-clock.ts'
import { until } from './actors/world.ts'
import { temporaryDirectory } from './store/temporary.ts'

const never = () => new Promise<never>(() => {})

/** Ends calls only when it is told to by `answer`. */
function deafRunner() {
  const calls: Call[] = []
  const answers = new Map<string, () => void>()
  const runner: AgentRunner = {
    async *start(call): AsyncGenerator<CallMessage> {
      calls.push(call)
      if (call.prompt !== 'quick') await new Promise<void>((resolve) => answers.set(call.prompt, resolve))
      const usage = { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheCreationTokens: 0 }
      const result = {
        text: 'done',
        costUsd: 1,
        usage,
        durationMs: 1,
        turns: 1,
        model: null,
        permissionDenials: [],
      }
      yield { type: 'result', result }
    },
    recover: never,
  }
  return { runner, calls, answer: (prompt: string) => answers.get(prompt)?.() }
}

async function opened(options: Partial<AgentRunner> = {}, store = memoryStore()) {
  const clock = virtualClock()
  const warnings: string[] = []
  const deaf = deafRunner()
  const ignore = () => {}
  const logger = {
    debug: ignore,
    info: ignore,
    error: ignore,
    warn: (_: object, said: string) => warnings.push(said),
  }
  const orchestrator = await Orchestrator.open({
    // Whose runner sweeps has the directory alone.
    baseDir: await temporaryDirectory(),
    store,
    clock,
    logger,
    runner: { ...deaf.runner, ...options },
  })
  return { ...deaf, clock, warnings, store, orchestrator }
}

/** Advances time until the promise has settled; fails after an hour. */
async function inTime(
  clock: { advance(ms: number): Promise<void>; now(): number },
  promise: Promise<unknown>,
) {
  let isSettled = false
  const settle = () => {
    isSettled = true
  }
  promise.then(settle, settle)
  const start = clock.now()
  while (!isSettled && clock.now() - start < 3600_000) await clock.advance(1000)
  expect(isSettled).toBe(true)
  return (clock.now() - start) / 1000
}

test.each(['cancelled', 'past its deadline'] as const)(
  'a deaf call that is %s does not hold up the next task',
  async (why) => {
    const { orchestrator, clock, warnings, answer, calls } = await opened()
    const agent = await orchestrator.createAgent({
      id: 'a',
      systemPrompt: 'x',
      timeoutMs: 60_000,
      retry: { attempts: 0 },
    })
    const first = agent.ask('deaf', { taskId: 'deaf' })
    const failed = expect(first).rejects.toMatchObject({
      _tag: why === 'cancelled' ? 'TaskCancelledError' : 'CallTimeoutError',
    })
    await until(() => calls.length === 1)
    const second = agent.ask('quick')
    if (why === 'cancelled') await first.cancel()
    expect(await inTime(clock, Promise.all([failed, second]))).toBeLessThanOrEqual(
      why === 'cancelled' ? 25 : 85,
    )
    expect((await second).text).toBe('done')
    expect(warnings).toContainEqual(expect.stringContaining('the runner does not end a call'))
    // What it says in the end is kept, with its cost.
    answer('deaf')
    await clock.advance(1000)
    expect(await orchestrator.lateAnswers()).toMatchObject([{ taskId: 'deaf', costUsd: 1 }])
    await orchestrator.close()
  },
)

test.each(['asked', 'recovered'] as const)('closing ends in time while a deaf call is %s', async (how) => {
  const store = { ...memoryStore(), [Symbol.asyncDispose]: async () => {} }
  const first = await opened({}, store)
  const agent = await first.orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
  const asked = expect(agent.ask('deaf')).rejects.toMatchObject({ _tag: 'ClosedError' })
  await until(() => first.calls.length === 1)
  expect(await inTime(first.clock, first.orchestrator.close())).toBeLessThanOrEqual(25)
  await asked
  if (how === 'asked') return
  const second = await opened({}, store)
  await second.clock.advance(100)
  expect(await inTime(second.clock, second.orchestrator.close())).toBeLessThanOrEqual(25)
})

test('closing ends in time while an agent is prepared, or an effect of an actor runs, for ever', async () => {
  const { orchestrator, clock, warnings } = await opened({ prepare: never })
  void orchestrator.createAgent({ id: 'a', systemPrompt: 'x' }).catch(() => {})
  const facts = { Begun: Schema.Struct({}) }
  const stubborn = defineActor({
    kind: 'stubborn',
    facts,
    machine: setup({}).createMachine({ context: {}, on: { Begun: {} } }) as never,
    decide: (_: 'begin') => [],
    effects: () => [{ key: 'run', run: never }],
  })
  await orchestrator.spawn(stubborn, 'one')
  expect(await inTime(clock, orchestrator.close())).toBeLessThanOrEqual(65)
  expect(warnings).toEqual([
    'closed without waiting for work that does not end',
    'closed without waiting for work that does not end',
  ])
})

test('a part that fails to close does not keep the store open, and its failure is told', async () => {
  let isDisposed = false
  const store = {
    ...memoryStore(),
    async [Symbol.asyncDispose]() {
      isDisposed = true
    },
  }
  let sweeps = 0
  const sweep = async () => {
    if (sweeps++ > 0) throw new Error('the process table cannot be read')
    return 0
  }
  const { orchestrator } = await opened({ sweep }, store)
  await expect(orchestrator.close()).rejects.toThrow('the process table cannot be read')
  expect(isDisposed).toBe(true)
})
