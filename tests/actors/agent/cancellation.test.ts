/** Tasks that are cancelled at any moment, while budgets hold them and let them go: nothing behind them is left waiting. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { test } from 'vitest'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { race } from '../../../src/patterns/race.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { repetitions } from '../../repetitions.ts'
import { unhurried } from '../../unhurried.ts'

const RUNS = repetitions('CANCELLATION_RUNS', { short: 100, long: 5000 })
const SEED = Number(process.env.CANCELLATION_SEED ?? 20_261_129)

const AGENTS = ['one', 'two'] as const
const agent = fc.constantFrom(...AGENTS)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ ask: agent }) },
  { weight: 4, arbitrary: fc.record({ cancel: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ race: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ cancelRun: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ budget: agent, usd: fc.constantFrom(0.5, 1.5, 4, 20) }) },
  { weight: 3, arbitrary: fc.record({ turns: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ quiet: fc.constant(true) }) },
)

/** Whether all of it settles without any time passing. */
async function settles(pending: readonly PromiseLike<unknown>[]): Promise<boolean> {
  let isSettled = false
  void Promise.allSettled(pending).then(() => {
    isSettled = true
  })
  for (let round = 0; round < 200 && !isSettled; round++) await setImmediate()
  return isSettled
}

test('whatever is cancelled, and whenever: the tasks behind it begin, and every caller is answered', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 24 }),
      fc.array(fc.nat(12), { minLength: 1, maxLength: 20 }),
      async (script, turns) => {
        const clock = virtualClock()
        await using orchestrator = await Orchestrator.open({
          store: unhurried(memoryStore(), turns),
          runner: scriptedRunner({ clock, reply: () => ({ text: 'done', costUsd: 1 }) }),
          clock,
          agents: AGENTS.map((id) => ({ id, systemPrompt: 'You work.', budget: { usd: 1.5 } })),
        })
        const tasks: { readonly agent: string; readonly id: string; readonly reply: PromiseLike<unknown> }[] =
          []
        const runs: { readonly id: string; readonly result: PromiseLike<unknown> }[] = []
        const commands: Promise<unknown>[] = []
        const command = (work: Promise<unknown>) => void commands.push(work.catch(() => {}))
        for (const happens of script) {
          if ('ask' in happens) {
            const id = `task-${tasks.length}`
            const reply = (await orchestrator.agent(happens.ask)).ask('work', { taskId: id })
            reply.catch(() => {})
            tasks.push({ agent: happens.ask, id, reply })
          } else if ('cancel' in happens) {
            const task = tasks.at(-1 - happens.cancel)
            if (task) command((await orchestrator.agent(task.agent)).cancel(task.id, 'no longer needed'))
          } else if ('race' in happens) {
            const id = `run-${runs.length}`
            const result = orchestrator.run(race([...AGENTS]), 'work', { id })
            result.then(
              () => {},
              () => {},
            )
            runs.push({ id, result })
          } else if ('cancelRun' in happens) {
            const run = runs.at(-1 - happens.cancelRun)
            if (run) command(orchestrator.runs.cancel(run.id))
          } else if ('budget' in happens) {
            command(orchestrator.budgets.set({ usd: happens.usd }, { agent: happens.budget }))
          } else if ('quiet' in happens) {
            for (let round = 0; round < 10; round++) await setImmediate()
          } else {
            for (let turn = 0; turn < happens.turns; turn++) await null
          }
        }
        await Promise.all(commands)
        for (const id of AGENTS) await orchestrator.budgets.set({ usd: null }, { agent: id })
        const isSettled = await settles([
          ...tasks.map(({ reply }) => reply),
          ...runs.map(({ result }) => result),
        ])
        const queues = (await orchestrator.agents()).map(
          ({ id, status, queue }) => `${id} ${status} ${queue}`,
        )
        assert(isSettled, `still waiting: ${queues.join(', ')}`)
      },
    ),
    { numRuns: RUNS, seed: SEED },
  )
})
