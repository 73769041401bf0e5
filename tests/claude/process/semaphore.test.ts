/** Who gets a slot, in which order, and that every slot is released. */
import { expect, test } from 'vitest'
import { semaphore } from '../../../src/claude/process/runner.ts'

const never = new AbortController().signal

test('admits as many as there are slots, and the others in order of arrival', async () => {
  const gate = semaphore(2)
  const entered: string[] = []
  const enter = (name: string) =>
    gate.acquire(never).then((leave) => {
      entered.push(name)
      return leave
    })
  const [first, , third, fourth] = ['a', 'b', 'c', 'd'].map(enter)
  const leave = await first
  expect(entered).toEqual(['a', 'b'])
  leave?.()
  const leaveThird = await third
  expect(entered).toEqual(['a', 'b', 'c'])
  leaveThird?.()
  await fourth
  expect(entered).toEqual(['a', 'b', 'c', 'd'])
})

test('a slot that is released twice is one slot', async () => {
  const gate = semaphore(1)
  const leave = await gate.acquire(never)
  leave()
  leave()
  await gate.acquire(never)
  let entered = false
  void gate.acquire(never).then(() => {
    entered = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(entered).toBe(false)
})

test('an aborted waiter is skipped, and leaves no listener behind', async () => {
  const gate = semaphore(1)
  const leave = await gate.acquire(never)
  const abort = new AbortController()
  const gone = gate.acquire(abort.signal)
  const next = gate.acquire(never)
  abort.abort(new Error('no longer'))
  await expect(gone).rejects.toThrow('no longer')
  leave()
  await next
  await expect(gate.acquire(AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
})
