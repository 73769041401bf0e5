/** What a file of tests must not leave to those that come after it. */
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from './actors/world.ts'
import { endFile, nothingSpins } from './end-of-file.ts'

test('a loop that waits for something on each turn is found, and nothing else', async () => {
  await nothingSpins()
  let isOver = false
  const spinning = (async () => {
    while (!isOver) await setImmediate()
  })()
  await expect(nothingSpins()).rejects.toThrow('still waits for something on each turn')
  isOver = true
  await spinning
  await nothingSpins()
})

test('a condition that is still waited for is found', async () => {
  let holds = false
  const waiting = until(() => holds)
  await expect(endFile()).rejects.toThrow('() => holds')
  holds = true
  await waiting
  await endFile()
})
