/** One budget over several workers that die, freeze and wake up at any moment: what is spent fits, and what is reserved is spent. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Budgets, type CallRequest } from '../../../src/actors/admission/budgets.ts'
import { systemClock } from '../../../src/clock.ts'
import { withClaims } from '../../../src/cluster/handover/claims.ts'
import type { JsonObject } from '../../../src/events/json.ts'
import { silentLogger } from '../../../src/logger.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { repetitions } from '../../repetitions.ts'

const RUNS = repetitions('TAKE_OVERS', { short: 100, long: 3000 })
const LIMIT = 3
const WORKERS = 3
const AGENTS = ['a', 'b']

/** `step`: the agent comes a step further where it lives. `stale`: where it lived before, which does not know that yet. */
const action = fc.record({
  what: fc.constantFrom('step', 'step', 'step', 'move', 'stale'),
  agent: fc.constantFrom(...AGENTS),
  to: fc.nat(WORKERS - 1),
})

/** An agent in one worker: what this knows of its call. */
interface Seat {
  readonly worker: number
  call: CallRequest | undefined
  isAnnounced: boolean
}

function cluster() {
  const log = memoryStore()
  const open = () => {
    const claims = withClaims(log)
    const shared = { isShared: true, clock: systemClock, logger: silentLogger }
    return { ...claims, budgets: new Budgets({ store: claims.store, ...shared }, { usd: 1, tokens: 0 }, 0.1) }
  }
  const workers = Array.from({ length: WORKERS }, open)
  const seats = new Map<string, { now: Seat; before: Seat[] }>()
  let calls = 0
  const callStarted = ({ callId, taskId }: CallRequest) => ({
    ...{ callId, taskId, attempt: 1, sessionId: 's', parentSessionId: null },
    deadlineAt: '2026-01-01T00:00:00.000Z',
  })
  const write = (worker: number, agent: string, type: string, data: JsonObject) =>
    workers[worker]?.store.append(`agent/${agent}`, [{ type, v: 1, data }])

  /** Reserves, announces, answers. Returns whether anything could be done. */
  const step = async (agent: string, seat: Seat): Promise<boolean> => {
    const { budgets } = workers[seat.worker] as (typeof workers)[number]
    if (!seat.call) {
      const callId = `c${++calls}`
      const call = {
        ...{ callId, taskId: `t${calls}`, agent, agentVersion: await log.head(`agent/${agent}`) },
        costs: {
          totals: { interactions: 0, costUsd: 0, inputTokens: 0, outputTokens: 0 },
          lastCost: null,
        },
      }
      if (await budgets.reserve(call)) return false
      seat.call = call
    } else if (!seat.isAnnounced) {
      try {
        await write(seat.worker, agent, 'CallStarted', callStarted(seat.call))
        seat.isAnnounced = true
      } catch (error) {
        budgets.settle(seat.call.callId)
        throw error
      }
    } else {
      const { callId, taskId } = seat.call
      const usage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 }
      await write(seat.worker, agent, 'CallOutcomeUnknown', { callId, taskId, costUsd: 1, usage })
      seat.call = undefined
      seat.isAnnounced = false
      budgets.settle(callId)
      await budgets.settled()
    }
    return true
  }
  /** The worker that had it has died, or is frozen. A call of it is found in the log, and only there. */
  const move = async (agent: string, worker: number) => {
    const here = seats.get(agent)
    await workers[worker]?.claim(`agent/${agent}`)
    // What this worker did for it before has ended: it is folded afresh.
    for (const seat of here ? [...here.before, here.now] : [])
      if (seat.worker === worker && seat.call) workers[worker]?.budgets.settle(seat.call.callId)
    seats.set(agent, {
      now: { worker, call: undefined, isAnnounced: false },
      before: here ? [...here.before, here.now].filter((seat) => seat.worker !== worker) : [],
    })
    let open: JsonObject | undefined
    for await (const { type, data } of log.read(`agent/${agent}`))
      open = type === 'CallStarted' ? data : undefined
    if (!open) return
    const { callId, taskId } = open
    await write(worker, agent, 'CallOutcomeUnknown', { callId, taskId } as JsonObject)
    workers[worker]?.budgets.settle(String(callId))
  }
  const started = async () => {
    let count = 0
    for await (const { type } of log.readAll()) if (type === 'CallStarted') count++
    return count
  }
  return { seats, step, move, started, budgets: open().budgets, workers }
}

test('No more is spent than fits, whoever dies when, and no reservation of a dead worker holds the others up', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
      const { seats, step, move, started, budgets, workers } = cluster()
      await budgets.set({}, { usd: LIMIT })
      for (const [index, agent] of AGENTS.entries()) await move(agent, index)
      for (const { what, agent, to } of actions) {
        const seat = seats.get(agent)
        if (!seat) continue
        if (what === 'move' && to !== seat.now.worker) await move(agent, to)
        if (what === 'step') await step(agent, seat.now)
        // It is refused, or nothing comes of it.
        const stale = seat.before.at(-1)
        if (what === 'stale' && stale)
          await step(agent, stale).then(
            () => expect(stale.isAnnounced).toBe(false),
            (error) => expect(error).toMatchObject({ _tag: 'Fenced' }),
          )
        expect(await started()).toBeLessThanOrEqual(LIMIT)
      }
      for (let isBusy = true; isBusy; ) {
        isBusy = false
        for (const [agent, { now }] of seats) isBusy = (await step(agent, now)) || isBusy
      }
      expect(await started()).toBe(LIMIT)
      await Promise.all(workers.map((worker) => worker.budgets.close()))
    }),
    { numRuns: RUNS },
  )
})
