/** Looking at a store every now and then while owners come and go. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { watchStore } from '../../../src/cli/live/watched-store.ts'
import { OwnerStopping, OwnerUnavailable } from '../../../src/events/errors/owner.ts'
import { ClosedError } from '../../../src/events/errors/usage.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { temporaryDirectory } from '../../store/temporary.ts'

test.each([
  ['takes no more', new OwnerStopping({ path: '/store', pid: 7 })],
  ['has gone', new OwnerUnavailable({ path: '/store', pid: 7, problem: 'gave no answer' })],
  ['closes', new ClosedError({ what: 'orchestrator' })],
])('A look while the owner %s is taken again with the next one', async (_, ending) => {
  const baseDir = join(await temporaryDirectory(), 'data')
  await (await levelStore(baseDir))[Symbol.asyncDispose]()
  let looks = 0
  const seen = await watchStore({ baseDir }).look(async (orchestrator) => {
    if (++looks === 1) throw ending
    return orchestrator.inbox.list()
  })
  expect(seen).toEqual([])
  expect(looks).toBe(2)
})

test('Any other failure of a look is its own', async () => {
  const baseDir = join(await temporaryDirectory(), 'data')
  await (await levelStore(baseDir))[Symbol.asyncDispose]()
  const look = watchStore({ baseDir }).look(async () => {
    throw new TypeError('not of the owner')
  })
  await expect(look).rejects.toThrow('not of the owner')
})
