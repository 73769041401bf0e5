/** What comes to life in a worker and leaves it, while the engine may have other plans. Nothing here needs several processes. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { withClaims } from '../../src/cluster/claims.ts'
import { Residents } from '../../src/cluster/residents.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { repetitions } from '../repetitions.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Residents whose claims take as long as the test wants. */
function residentsOf(claimed: (token: string) => Promise<string>) {
  let claims = 0
  const log = withClaims({ ...memoryStore(), claim: () => claimed(`1.${++claims}`) })
  const system = { agent: async () => ({ isStarted: false }), releaseAgent: async () => {} }
  const places = {
    required: async () => undefined,
    groupOf: () => undefined,
    isNowhere: async () => false,
    letGo: async () => {},
  }
  const residents = new Residents(system as never, log as never, places, 900_000)
  return { residents, tokens: log.tokens, claims: () => claims }
}

test('A shard that goes while an agent is being claimed is kept until that has left: another worker claims it after that', async () => {
  let claim = (_: string) => {}
  const claimed = new Promise<string>((resolve) => {
    claim = resolve
  })
  const { residents, tokens } = residentsOf(() => claimed)
  const entering = residents.enter('writer')
  const done: string[] = []
  const empty = residents.without((id) => id === 'writer').then(() => done.push('let go'))
  await residents.without((id) => id === 'critic')
  await turn()
  claim('1.1')
  await entering
  await turn()
  expect([residents.has('writer'), done]).toEqual([true, []])
  await residents.leave('writer').then(() => done.push('left'))
  await empty
  expect(done.sort()).toEqual(['left', 'let go'])
  expect([...tokens]).toEqual([])
})

test('What is not for this worker any more is not claimed, and can leave all the same', async () => {
  const { residents, claims } = residentsOf(async (token) => token)
  await residents.enter('writer', () => false)
  expect([claims(), residents.has('writer')]).toEqual([0, false])
  await residents.leave('writer')
  await residents.without(() => true)
})

test('A claim that failed leaves nothing to wait for', async () => {
  const { residents } = residentsOf(() => Promise.reject(new Error('no database')))
  await expect(residents.enter('writer')).rejects.toThrow('no database')
  await residents.without(() => true)
})

test('However an agent is built once more before its last life here has ended, it lives here as long as any is left, with its newest claim', async () => {
  const step = fc.constantFrom('enter', 'leave', 'lose', 'regain')
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(step, { maxLength: 12 }), async (scheduler, steps) => {
      let newest = ''
      const { residents, tokens } = residentsOf(async (token) => {
        await scheduler.schedule(Promise.resolve())
        newest = token
        return token
      })
      let lives = 0
      let isLost = false
      const doing: Promise<unknown>[] = []
      for (const what of steps) {
        if (what === 'enter') {
          lives += 1
          isLost = false
          doing.push(residents.enter('a'))
        } else if (what === 'leave' && lives > 0) {
          lives -= 1
          doing.push(residents.leave('a'))
        } else if (what === 'regain') {
          doing.push(residents.regain(0, () => true))
          isLost = false
        } else if (what === 'lose') {
          await scheduler.waitIdle()
          await Promise.all(doing)
          await residents.lose(['a'])
          isLost = lives > 0
        }
        await turn()
      }
      await scheduler.waitIdle()
      await Promise.all(doing)
      const isHere = lives > 0
      const is = { isHere: residents.size === 1, works: residents.has('a'), token: tokens.get('agent/a') }
      expect(is).toEqual({ isHere, works: isHere && !isLost, token: isHere ? newest : undefined })
      for (; lives > 0; lives--) await residents.leave('a')
      await residents.without(() => true)
      expect([residents.size, tokens.size]).toEqual([0, 0])
    }),
    { numRuns: repetitions('CLAIMED', { short: 100, long: 5000 }) },
  )
})
