import assert from 'node:assert/strict'
import fc from 'fast-check'
import { lastValueFrom, of, throwError, toArray } from 'rxjs'
import { test } from 'vitest'
import type { Call } from '../../../src/claude/runner.ts'
import type { Orchestrator } from '../../../src/orchestrator.ts'
import { joinAnswers } from '../../../src/patterns/answers.ts'
import type { Ask, Pattern } from '../../../src/patterns/pattern.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { checkAnsweredOnce, checkLog } from '../../../src/testing/crash-checks.ts'
import { runIncarnation } from '../../../src/testing/crash-sweep.ts'
import type { CrashPoint } from '../../../src/testing/mortal-store.ts'
import { CallMemory } from '../../../src/testing/remembering-runner.ts'
import type { ScriptedAnswer } from '../../../src/testing/scripted-runner.ts'
import { AGENTS, answering, answerOf, BROKEN, build, Failures, nesting, refusingSome } from './nestings.ts'

/** For more nestings: `NESTING_RUNS=5000 npx vitest run tests/patterns/runs/nesting.test.ts`; for the same ones: `NESTING_SEED`. */
const RUNS = Number(process.env.NESTING_RUNS ?? 40)
const SEED = Number(process.env.NESTING_SEED ?? 20_261_123)

/** The appends at which a process crashes, as shares of all appends of an uninterrupted run. */
const crashes = fc.array(
  fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }), when: fc.constantFrom('before', 'after') }),
  { minLength: 1, maxLength: 3 },
)

test(`any nesting of patterns has the same result live, resumed after any crash, and replayed (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(nesting, crashes, async (given, ends) => {
      const pattern = build(given) as Pattern
      const untouched = world(pattern)
      const once = await untouched.live()
      assert.equal(once.result?.finalOutput, await withoutRun(pattern))

      const stopped = world(pattern)
      for (const { share, when } of ends)
        await stopped.live({ append: 1 + Math.floor(share * once.appends), when })
      const resumed = await stopped.live()
      assert.deepEqual(resumed.result, once.result)
      await checkLog(stopped.store)
      await checkAnsweredOnce(stopped.store, stopped.memory.answered)

      if (!once.result?.success) return
      const calls = stopped.memory.sent.length
      assert.equal((await stopped.live()).result?.finalOutput, once.result?.finalOutput)
      assert.equal(stopped.memory.sent.length, calls, 'a replay makes no calls')
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: RUNS > 1000 },
  )
})

test(`any nesting of patterns succeeds if and only if no part is missing, and is resumed for the missing ones alone (seed ${SEED})`, async () => {
  let [whole, broken] = [0, 0]
  await fc.assert(
    fc.asyncProperty(nesting, fc.string(), async (given, salt) => {
      const failures = new Failures()
      const here = world(failures.watch(build(given)), refusingSome(salt))
      const { result } = await here.live()
      assert.equal(result?.success, failures.count === 0)
      assert.equal(result?.errors.length === 0, result?.success)
      for (const { code } of result?.errors ?? []) assert.equal(code, 'RefusedError')
      await checkLog(here.store)
      result?.success ? whole++ : broken++
      if (result?.success) return

      const resumed = await here.live(undefined, answering)
      assert.equal(resumed.result?.success, true)
      await checkAnsweredOnce(here.store, here.memory.answered)
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: RUNS > 1000 },
  )
  assert.ok(Math.min(whole, broken) > RUNS / 8, `${whole} whole and ${broken} broken runs`)
})

/** One log, and the processes that work on it one after another. */
function world(pattern: Pattern, script: (call: Call) => ScriptedAnswer = answerOf) {
  const store = memoryStore()
  const memory = new CallMemory()
  let startAt = Date.UTC(2026, 0, 1)
  const scenario = (orchestrator: Orchestrator) => resultOf(orchestrator, pattern)
  return {
    store,
    memory,
    async live(crash?: CrashPoint, reply = script) {
      const life = { scenario, store, memory, options: { reply }, startAt }
      const { endedAt, appends, result } = await runIncarnation({ ...life, ...(crash && { crash }) })
      startAt = endedAt
      return {
        appends: appends.length,
        result: result as Awaited<ReturnType<typeof resultOf>> | undefined,
      }
    },
  }
}

async function resultOf(orchestrator: Orchestrator, pattern: Pattern) {
  const known = (await orchestrator.agents()).map(({ id }) => id)
  for (const id of [...AGENTS, BROKEN])
    if (!known.includes(id)) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  const { success, errors, metadata } = await orchestrator.run(pattern, 'go', { id: 'nested' })
  const left = (await orchestrator.agents()).map(({ id, queue }) => `${id} ${queue}`)
  const open = (await orchestrator.runs.show('nested')).taken.filter(({ state }) => state === 'scheduled')
  return { success, errors, finalOutput: metadata.finalOutput, left, open }
}

/** The pattern alone, without a log and without time: the script answers. */
async function withoutRun(pattern: Pattern): Promise<string> {
  const ask: Ask = (worker, { prompt }) => {
    const agent = typeof worker === 'string' ? worker : worker.pool
    const answer = answerOf({ agent, prompt })
    if (typeof answer === 'string' || answer instanceof Error) return throwError(() => answer)
    return of({ agent, text: answer.text ?? '' })
  }
  return joinAnswers(await lastValueFrom(of({ prompt: 'go' }).pipe(pattern(ask), toArray())))
}
