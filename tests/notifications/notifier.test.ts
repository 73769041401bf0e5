/** Notifications are delivered from the log: at least once, in order, across failures, kills and restarts. */
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { NewFact } from '../../src/events/envelope.ts'
import {
  NOTIFICATION_TYPES,
  type Notification,
  type NotificationReceiver,
  type NotificationType,
  receiverId,
} from '../../src/events/options/notify.ts'
import { EventFeed } from '../../src/history/event-feed.ts'
import { Notifier } from '../../src/notifications/notifier.ts'
import type { Deliver, DeliveryResult } from '../../src/notifications/receivers.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { until } from '../actors/world.ts'

const DELIVERED: DeliveryResult = { outcome: 'delivered', said: '' }
const FAILED: DeliveryResult = { outcome: 'failed', said: 'it failed' }
const BELL: NotificationReceiver = { id: 'one', bell: true }

/** A log, what is kept beside it, and processes that have it open one after another. */
function world() {
  const clock = virtualClock()
  const store = memoryStore({ clock })
  onTestFinished(() => store[Symbol.asyncDispose]())
  let kept: string | null = null
  let count = 0
  const logged: { readonly message: string; readonly receiver?: unknown }[] = []
  const warn = (fields: Record<string, unknown>, message: string) => logged.push({ ...fields, message })
  const quiet = () => {}
  const append = (stream: string, type: string, data: object) =>
    store.append(stream, [{ type, v: 1, data } as NewFact])
  return {
    clock,
    store,
    logged,
    append,
    /** A fact that is told, as the type that it is told as. */
    async tell(type: NotificationType) {
      const id = `r${count++}`
      if (type === 'done') return append(`run/${id}`, 'RunSucceeded', { finalOutput: 'x' })
      if (type === 'failed') return append(`run/${id}`, 'RunFailed', { finalOutput: null, errors: [] })
      if (type === 'supervision')
        return append(`supervisor/${id}`, 'SupervisorStopped', { reason: 'escalated' })
      if (type === 'held')
        return append('agent/a', 'TaskHeld', { taskId: id, hold: { reason: 'approval', note: null } })
      await append(`run-budget/${id}`, 'BudgetSet', {
        limit: { usd: 1, tokens: null },
        spent: { usd: 0.9, tokens: 1 },
      })
    },
    /** A process. It ends by `close`, or by `kill`: then nothing that it does has an effect. */
    async open(receivers: readonly NotificationReceiver[], deliver: Deliver) {
      const feed = new EventFeed(store)
      let isAlive = true
      const never = new Promise<never>(() => {})
      const notifier = await Notifier.open({
        ...{ receivers, store, clock, logger: { warn, info: quiet, debug: quiet, error: quiet } },
        facts: (after) => feed.events(after),
        positions: {
          read: async () => kept,
          write: async (text) => {
            if (!isAlive) return never
            kept = text
          },
        },
        deliver: async (...given) => (isAlive ? deliver(...given) : never),
      })
      return {
        kill: () => {
          isAlive = false
        },
        close: async () => {
          await feed.close()
          await notifier.close()
        },
      }
    },
  }
}

/** Remembers what it is told, by receiver. */
function memory(
  answer: (notification: Notification, tries: number) => DeliveryResult | Promise<DeliveryResult> = () =>
    DELIVERED,
) {
  const heard: Notification[] = []
  const tries = new Map<string, number>()
  const deliver: Deliver = async (_, notification) => {
    const count = (tries.get(notification.id) ?? 0) + 1
    tries.set(notification.id, count)
    const answered = await answer(notification, count)
    if (answered.outcome === 'delivered') heard.push(notification)
    return answered
  }
  return { heard, tries, deliver, types: () => heard.map(({ type }) => type) }
}

const A_WHILE_MS = 600_000

/** Lets time pass until the condition holds. */
async function inTheEnd({ clock }: ReturnType<typeof world>, holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200 && !holds(); turn++) await clock.advance(A_WHILE_MS)
  expect(holds()).toBe(true)
}

describe('A receiver', () => {
  test('that is new begins at the end of the log, and then hears everything in order', async () => {
    const it = world()
    await it.tell('done')
    const { deliver, types } = memory()
    const process = await it.open([BELL], deliver)
    for (const type of NOTIFICATION_TYPES) await it.tell(type)
    await inTheEnd(it, () => types().length === 5)
    expect(types()).toEqual(NOTIFICATION_TYPES)
    await process.close()
    expect(it.logged).toEqual([])
  })

  test('hears only what it has chosen', async () => {
    const it = world()
    const { deliver, types } = memory()
    const process = await it.open([{ ...BELL, on: ['budget', 'held'] }], deliver)
    for (const type of NOTIFICATION_TYPES) await it.tell(type)
    await process.close()
    expect(types()).toEqual(['held', 'budget'])
  })

  test('hears later what happened while no process notified it', async () => {
    const it = world()
    await (await it.open([BELL], memory().deliver)).close()
    await it.tell('failed')
    const { deliver, types } = memory()
    const process = await it.open([BELL], deliver)
    await it.tell('held')
    await process.close()
    expect(types()).toEqual(['failed', 'held'])
  })

  test('hears nothing twice if no process was killed', async () => {
    const it = world()
    const { deliver, types } = memory()
    for (const type of NOTIFICATION_TYPES) {
      const process = await it.open([BELL], deliver)
      await it.tell(type)
      await process.close()
    }
    expect(types()).toEqual(NOTIFICATION_TYPES)
  })

  test('hears a notification again, with the same id, if the process was killed before it kept the place', async () => {
    const it = world()
    const first = memory()
    const killed = await it.open([BELL], async (...given) => {
      const answered = await first.deliver(...given)
      killed.kill()
      return answered
    })
    await it.tell('held')
    await it.tell('done')
    await until(() => first.heard.length === 1)
    const { deliver, heard, types } = memory()
    const process = await it.open([BELL], deliver)
    await process.close()
    expect(types()).toEqual(['held', 'done'])
    expect(heard[0]).toEqual(first.heard[0])
  })

  test('that fails is tried again, with growing pauses, and the next one waits for it', async () => {
    const it = world()
    const at: number[] = []
    const { deliver, types } = memory((notification, tries) => {
      if (notification.type !== 'held') return DELIVERED
      at.push(it.clock.monotonic())
      return tries < 6 ? FAILED : DELIVERED
    })
    const process = await it.open([BELL], deliver)
    await it.tell('held')
    await it.tell('done')
    await inTheEnd(it, () => types().length === 2)
    expect(types()).toEqual(['held', 'done'])
    expect(at.slice(1).map((time, index) => time - (at[index] ?? 0))).toEqual([
      1000, 2000, 4000, 8000, 16_000,
    ])
    expect(it.logged).toEqual([])
    await process.close()
  })

  test.each([
    ['fails ten times', FAILED, 10],
    ['refuses it', { outcome: 'refused', said: 'HTTP 404' }, 1],
  ] as const)('that %s is given up with one warning, and hears the next one', async (_, answered, times) => {
    const it = world()
    const { deliver, types, tries } = memory(({ type }) => (type === 'held' ? answered : DELIVERED))
    const process = await it.open([BELL], deliver)
    await it.tell('held')
    await it.tell('done')
    await inTheEnd(it, () => types().length === 1)
    expect(types()).toEqual(['done'])
    expect(Math.max(...tries.values())).toBe(times)
    expect(it.logged).toMatchObject([
      {
        receiver: 'one',
        said: answered.said,
        message: 'a notification was not delivered, and is tried no more',
      },
    ])
    await process.close()
  })

  test('that cannot be used is a warning, and misses nothing: neither here, once it can, nor in the next process', async () => {
    const it = world()
    let isUsable = false
    const { deliver, types } = memory(() =>
      isUsable ? DELIVERED : { outcome: 'unusable', said: 'no secret' },
    )
    const process = await it.open([BELL], deliver)
    await it.tell('held')
    await it.tell('done')
    for (let turn = 0; turn < 50; turn++) await it.clock.advance(A_WHILE_MS)
    expect(it.logged).toMatchObject([{ receiver: 'one', said: 'no secret' }])
    isUsable = true
    await inTheEnd(it, () => types().length === 2)
    isUsable = false
    await it.tell('budget')
    await it.clock.advance(A_WHILE_MS)
    await process.close()
    isUsable = true
    await (await it.open([BELL], deliver)).close()
    expect(types()).toEqual(['held', 'done', 'budget'])
  })

  test('that never answers holds up no other, and closing for three seconds', async () => {
    const it = world()
    const { deliver, types } = memory()
    const dead: NotificationReceiver = { id: 'dead', command: ['x'] }
    const process = await it.open([dead, BELL], async (receiver, notification, signal) => {
      if (receiver.bell) return deliver(receiver, notification, signal)
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return FAILED
    })
    for (const type of NOTIFICATION_TYPES) await it.tell(type)
    await until(() => types().length === 5)
    let isClosed = false
    const closing = process.close().then(() => {
      isClosed = true
    })
    await it.clock.advance(2999)
    expect(isClosed).toBe(false)
    await it.clock.advance(1)
    await closing
    // The next process tries it again.
    const next = memory()
    await (await it.open([dead, BELL], next.deliver)).close()
    expect(next.types()).toEqual(NOTIFICATION_TYPES)
  })

  test('that has failed is not waited for when the process closes', async () => {
    const it = world()
    const { deliver, tries } = memory(() => FAILED)
    const process = await it.open([BELL], deliver)
    await it.tell('held')
    await until(() => tries.size === 1)
    await process.close()
    expect([...tries.values()]).toEqual([1])
  })
})

test('For any log, any failures and any kills, each receiver hears all that it chose at least once, in order', async () => {
  const types = fc.constantFrom(...NOTIFICATION_TYPES)
  const receivers = fc.array(fc.uniqueArray(types, { minLength: 1 }), { minLength: 1, maxLength: 3 })
  /** What one process sees: what is told, which tries fail, and after which of its deliveries it is killed, if it is. */
  const process = fc.record({
    told: fc.array(types, { maxLength: 5 }),
    // Fewer than a receiver is given up after.
    fails: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
    killedAfter: fc.option(fc.integer({ min: 0, max: 6 })),
    isKilledBefore: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(receivers, fc.array(process, { maxLength: 5 }), async (chosen, processes) => {
      const it = world()
      const all: NotificationReceiver[] = chosen.map((on, index) => ({ id: `n${index}`, bell: true, on }))
      const heard = new Map(all.map((receiver) => [receiverId(receiver), [] as string[]]))
      // Each receiver is known before anything is told.
      await (await it.open(all, memory().deliver)).close()
      const told: { readonly type: NotificationType; readonly position: number }[] = []
      for (const { told: types, fails, killedAfter, isKilledBefore } of processes) {
        let deliveries = 0
        const left = [...fails]
        const opened = await it.open(all, async (receiver, { id }) => {
          if ((left[0] ?? 0) > 0) {
            left[0] = (left[0] ?? 0) - 1
            return FAILED
          }
          left.shift()
          const isLast = deliveries++ === killedAfter
          if (isLast && isKilledBefore) opened.kill()
          else heard.get(receiverId(receiver))?.push(id)
          if (isLast) opened.kill()
          return DELIVERED
        })
        for (const type of types) {
          await it.tell(type)
          told.push({ type, position: await it.store.head() })
        }
        for (let turn = 0; turn < 20; turn++) await it.clock.advance(A_WHILE_MS)
        if (killedAfter === null) await opened.close()
        else opened.kill()
      }
      const last = await it.open(all, async (receiver, { id }) => {
        heard.get(receiverId(receiver))?.push(id)
        return DELIVERED
      })
      await last.close()
      for (const [index, on] of chosen.entries()) {
        const expected = told
          .filter(({ type }) => on.includes(type))
          .map(({ position }) => `${it.store.storeId}:${position}`)
        // Without repetitions, what is heard first is in the order of the log.
        expect([...new Set(heard.get(`n${index}`))].map(positionOf)).toEqual(expected.map(positionOf))
      }
    }),
    { numRuns: 60 },
  )
})

const positionOf = (id: string) => Number(/\d+$/.exec(id)?.[0])
