/** Budgets hold across crashes: at every append of a scenario, and in random scenarios. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HeldTask } from '../../../src/actors/agent/tasks/held.ts'
import type { Call, CallResult } from '../../../src/claude/runner.ts'
import type { Orchestrator } from '../../../src/orchestrator.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { crashSweep, runIncarnation } from '../../../src/testing/crash-sweep.ts'
import { CallMemory } from '../../../src/testing/remembering-runner.ts'
import { ECHO } from '../world.ts'

interface Task {
  readonly agent: string
  readonly usd: number
  readonly delayMs: number
}

/** Asks everything at once, and raises the budget by this amount whenever a task is held. */
function scenarioOf(
  tasks: readonly Task[],
  first: number,
  raise: (held: HeldTask, to: (usd: number) => Promise<unknown>) => void,
) {
  return async (orchestrator: Orchestrator) => {
    const known = new Set((await orchestrator.agents()).map(({ id }) => id))
    for (const id of new Set(tasks.map(({ agent }) => agent)))
      if (!known.has(id)) await orchestrator.createAgent({ ...ECHO, id })
    if ((await orchestrator.budgets.show()).limit.usd === null) await orchestrator.budgets.set({ usd: first })
    const asked = tasks.map(async ({ agent, usd, delayMs }, index) => {
      const reply = (await orchestrator.agent(agent)).ask(`${usd} ${delayMs}`, {
        taskId: `t${index}`,
        onHeld: (held) => raise(held, (to) => orchestrator.budgets.set({ usd: to })),
      })
      const { text } = await reply
      // Its cost may have left no room for a task that was admitted before.
      for (const held of await orchestrator.held.list())
        raise(held, (to) => orchestrator.budgets.set({ usd: to }))
      return text
    })
    const texts = await Promise.all(asked)
    await orchestrator.recover()
    const { reserved } = await orchestrator.budgets.show()
    return { texts, reserved }
  }
}

const reply = ({ prompt }: Call): Partial<CallResult> & { delayMs: number } => {
  const [costUsd = 0, delayMs = 0] = prompt.split(' ').map(Number)
  return { text: prompt, costUsd, delayMs }
}

describe('A budget of $3 and calls of $2.50', () => {
  test('stopped at any append, each is reserved, settled and answered once', async () => {
    const tasks = [1, 2, 3].map((delayMs) => ({ agent: delayMs < 3 ? 'a' : 'b', usd: 2.5, delayMs }))
    let to = 0
    const raise = ({ budget }: HeldTask, set: (usd: number) => Promise<unknown>) => {
      to = Math.max(to, budget?.limit.usd ?? 0) + 2.5
      set(to).catch(() => {})
    }
    const { result, recovered, appends } = await crashSweep({ scenario: scenarioOf(tasks, 3, raise), reply })
    expect(result).toMatchObject({ texts: ['2.5 1', '2.5 2', '2.5 3'], reserved: { usd: 0, tokens: 0 } })
    for (const outcome of ['answered', 'unanswered', 'unsent'] as const)
      expect(recovered[outcome], outcome).toBeGreaterThan(0)
    expect(appends).toBeGreaterThan(15)
  })
})

type Trace = { readonly callId: string; readonly usd: number | null } | { readonly limit: number }

/** Records when calls began and what they cost, in order. */
class TracingMemory extends CallMemory {
  readonly trace: Trace[] = []

  override send(call: Call): void {
    this.trace.push({ callId: call.callId, usd: null })
    super.send(call)
  }

  override answer(call: Call, result: CallResult): void {
    this.trace.push({ callId: call.callId, usd: result.costUsd })
    super.answer(call, result)
  }
}

const anyTask = fc.record({
  agent: fc.constantFrom('a', 'b', 'c'),
  usd: fc.constantFrom(0, 0.2, 0.5, 1, 3),
  delayMs: fc.integer({ min: 1, max: 5 }),
})
const anyCrash = fc.record({
  append: fc.integer({ min: 1, max: 30 }),
  when: fc.constantFrom('before' as const, 'after' as const),
})

describe('For any asks, stops and raises in between', () => {
  test('no call begins without room for it, apart from overruns of single calls, and all are answered', async () => {
    let holds = 0
    const property = fc.asyncProperty(
      fc.array(anyTask, { minLength: 2, maxLength: 6 }),
      fc.array(anyCrash, { maxLength: 3 }),
      fc.constantFrom(0, 0.3, 1, 2.5),
      fc.constantFrom(0.3, 1, 4),
      async (tasks, crashes, first, step) => {
        const store = memoryStore()
        const memory = new TracingMemory()
        let limit = first
        memory.trace.push({ limit })
        const raise = (_: HeldTask, set: (usd: number) => Promise<unknown>) => {
          holds++
          limit = Math.round((limit + step) * 10) / 10
          memory.trace.push({ limit })
          set(limit).catch(() => {})
        }
        const keepRaising = (held: HeldTask, set: (usd: number) => Promise<unknown>) => {
          const needed = (held.estimate?.usd ?? 0) - (held.budget?.remaining.usd ?? 0)
          for (let times = 0; times <= needed / step; times++) raise(held, set)
        }
        const scenario = scenarioOf(tasks, first, keepRaising)
        const life = { scenario, store, memory, options: { reply } }
        let startAt = Date.UTC(2026, 0, 1)
        for (const crash of [...crashes, undefined]) {
          const lived = await runIncarnation({ ...life, startAt, ...(crash && { crash }) })
          startAt = lived.endedAt
          if (lived.crashed) continue
          expect(lived.result).toMatchObject({
            texts: tasks.map(({ usd, delayMs }) => `${usd} ${delayMs}`),
            reserved: { usd: 0 },
          })
          break
        }
        const reserved = new Map<string, number>()
        for await (const { type, data } of store.read('budget/orchestrator'))
          if (type === 'BudgetReserved') reserved.set(String(data.callId), Number(data.usd))
        checkTrace(memory.trace, reserved)
      },
    )
    await fc.assert(property, { numRuns: 60, seed: 20261123 })
    // The property would be vacuous if no task was ever held.
    expect(holds).toBeGreaterThan(50)
  })
})

/** At each beginning, what was paid and what is reserved is within the limit, apart from overruns. */
function checkTrace(trace: readonly Trace[], reserved: ReadonlyMap<string, number>): void {
  const open = new Set<string>()
  let limit = 0
  let counted = 0
  for (const one of trace) {
    if ('limit' in one) {
      limit = Math.max(limit, one.limit)
      continue
    }
    const estimate = reserved.get(one.callId)
    expect(estimate, 'a call without a reservation').toBeDefined()
    if (one.usd === null) {
      open.add(one.callId)
      const inFlight = [...open].reduce((total, callId) => total + (reserved.get(callId) ?? 0), 0)
      expect(counted + inFlight).toBeLessThanOrEqual(limit + 1e-6)
    } else {
      open.delete(one.callId)
      counted += Math.min(one.usd, estimate ?? 0)
    }
  }
}
