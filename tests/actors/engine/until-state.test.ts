/** Who waits for a state of an actor is never left waiting by an owner that closes. */
import { expect, test } from 'vitest'
import { untilState } from '../../../src/actors/engine/until-state.ts'

/** An actor whose state is set by hand. */
function actor() {
  const looks = new Set<() => void>()
  const snapshot = { context: 0 }
  const observe = (look: () => void) => {
    looks.add(look)
    return () => void looks.delete(look)
  }
  const become = (context: number) => {
    snapshot.context = context
    for (const look of looks) look()
  }
  return { snapshot, observe, looks, become }
}

const isOne = (context: number) => context === 1
const closed = { _tag: 'ClosedError' }

test('it is told when the state is so, and when the owner closes, before or after it began to wait', async () => {
  const closing = new AbortController()
  const one = actor()
  const reached = untilState(one, closing.signal, isOne)
  one.become(1)
  await reached
  const other = actor()
  const left = untilState(other, closing.signal, isOne)
  closing.abort()
  await expect(left).rejects.toMatchObject(closed)
  await expect(untilState(actor(), closing.signal, isOne)).rejects.toMatchObject(closed)
  // What is so already needs no waiting.
  await untilState(one, closing.signal, isOne)
  expect([one.looks.size, other.looks.size]).toEqual([0, 0])
})
