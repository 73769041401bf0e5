/** Two processes whose calls one account pays for: what one of them is told, the other one hears from the log. */
import { expect, onTestFinished, test } from 'vitest'
import { Accounts } from '../../../src/actors/admission/accounts.ts'
import { Governor } from '../../../src/actors/admission/governor.ts'
import { silentLogger } from '../../../src/logger.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { virtualClock } from '../../../src/testing/virtual-clock.ts'
import { until } from '../world.ts'

const ACCOUNT = 'api.example.com#3f9a'
const caller = { agent: 'a', account: ACCOUNT }

/** Two workers of a cluster over one log, both of which use the account. */
async function twoWorkers() {
  const clock = virtualClock()
  const store = memoryStore({ clock })
  const open = async () => {
    const limits = { callsInFlight: 10, processStarts: 10 }
    const governor = new Governor(limits, { clock, logger: silentLogger })
    const accounts = new Accounts({ store, clock, logger: silentLogger, isShared: true }, governor)
    onTestFinished(() => accounts.close())
    await accounts.know(ACCOUNT, true)
    const mayBegin = () => {
      const slot = governor.tryEnter(caller)
      slot?.leave()
      return slot !== undefined
    }
    return { accounts, mayBegin }
  }
  return { clock, store, one: await open(), two: await open() }
}

test('An account that cannot pay is held in every process, until a person resumes it in any of them', async () => {
  const { one, two } = await twoWorkers()
  const resumed: string[] = []
  two.accounts.onResume((accounts) => resumed.push(...accounts))
  await one.accounts.hold(ACCOUNT, 'Your credit balance is too low')
  await until(() => two.accounts.holdOf(ACCOUNT) !== undefined)
  expect(two.accounts.holdOf(ACCOUNT)).toEqual({ reason: 'account', said: 'Your credit balance is too low' })
  expect(await one.accounts.resume({ by: 'ada' })).toHaveLength(1)
  await until(() => two.accounts.holdOf(ACCOUNT) === undefined)
  expect(resumed).toEqual([ACCOUNT])
  // A limit of one model leaves the account open: who waits for it is told as well.
  await one.accounts.resume({ account: ACCOUNT })
  await until(() => resumed.length === 2)
})

test('A limit that one process has reached keeps the calls of the others waiting until it ends', async () => {
  const { clock, one, two } = await twoWorkers()
  expect([one.mayBegin(), two.mayBegin()]).toEqual([true, true])
  await one.accounts.pause(ACCOUNT, 'five_hour', 60_000)
  await until(() => !two.mayBegin())
  await clock.advance(59_000)
  expect(two.mayBegin()).toBe(false)
  await clock.advance(2000)
  expect(two.mayBegin()).toBe(true)
})
