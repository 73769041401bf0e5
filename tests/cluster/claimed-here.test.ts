/** What comes to life in a worker and leaves it, while the engine may have other plans. Nothing here needs several processes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withClaims } from '../../src/cluster/handover/claims.ts'
import { type LabelPlaces, Residents } from '../../src/cluster/residents.ts'
import { RunResidents } from '../../src/cluster/run-residents.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { repetitions } from '../repetitions.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Residents whose claims take as long as the test wants. */
function residentsOf(
  claimed: (token: string, stream: string) => Promise<string>,
  labels: Partial<LabelPlaces> = {},
) {
  let claims = 0
  const log = withClaims({ ...memoryStore(), claim: (stream) => claimed(`1.${++claims}`, stream) })
  const system = { agent: async () => ({ isStarted: false }), releaseAgent: async () => {} }
  const places = {
    required: async () => undefined,
    groupOf: () => undefined,
    isNowhere: async () => false,
    letGo: async () => {},
    ...labels,
  }
  const residents = new Residents(system as never, log as never, places, 900_000)
  return { residents, system, tokens: log.tokens, claims: () => claims }
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

test('What cannot come to life after it was claimed gives its claim back, so that another worker can have it', async () => {
  const { residents, system, tokens } = residentsOf(async (token) => token)
  system.releaseAgent = () => Promise.reject(new Error('it cannot be read'))
  await expect(residents.enter('writer')).rejects.toThrow('it cannot be read')
  expect([[...tokens], residents.has('writer')]).toEqual([[], false])
  await residents.without(() => true)
})

const regainAll = (here: Residents) => Promise.all(here.lostFor(0).map((id) => here.regain(id)))

test('What was lost and could not be claimed again is claimed later: nobody else looks after it', async () => {
  let isAway = false
  const { residents } = residentsOf((token) =>
    isAway ? Promise.reject(new Error('no database')) : Promise.resolve(token),
  )
  await residents.enter('writer')
  await residents.lose()
  isAway = true
  await expect(regainAll(residents)).rejects.toThrow('no database')
  isAway = false
  await regainAll(residents)
  expect(residents.has('writer')).toBe(true)
})

test('An agent whose labels no worker has any more is taken for a command once those that had it have let go of it', async () => {
  const asked: unknown[] = []
  let letGo = () => {}
  const { residents, tokens } = residentsOf(async (token) => token, {
    required: async () => ({ now: ['gqu'], before: [['cpu']] }),
    isNowhere: async () => true,
    letGo: (agent, requires) => {
      asked.push([agent, requires])
      return new Promise((resolve) => (letGo = resolve))
    },
  })
  await residents.enter('writer')
  const commanded = residents.command('writer', JSON.stringify({ method: 'held', args: [] }))
  for (let turns = 0; turns < 5; turns++) await turn()
  expect([asked, [...tokens]]).toEqual([[['writer', ['cpu']]], []])
  letGo()
  await commanded
  expect([...tokens.keys()]).toEqual(['agent/writer'])
})

test('However an agent is built once more before its last life here has ended, it lives here as long as any is left, with its newest claim, unless that was lost', async () => {
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
          doing.push(regainAll(residents))
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
      expect(is).toEqual({ isHere, works: isHere && !isLost, token: isHere && !isLost ? newest : undefined })
      for (; lives > 0; lives--) await residents.leave('a')
      await residents.without(() => true)
      expect([residents.size, tokens.size]).toEqual([0, 0])
    }),
    { numRuns: repetitions('CLAIMED', { short: 100, long: 5000 }) },
  )
})

test('What cannot be taken as soon as it is here leaves all the same, and keeps no shard', async () => {
  const log = withClaims({ ...memoryStore(), claim: async () => '1.1' })
  const takeRun = () => Promise.reject(new Error('no database'))
  const system = { duties: { takeRun, releaseRun: async () => {} } }
  const runs = new RunResidents(system as never, log as never, 'w1', async () => {})
  await runs.enter('r1')
  expect(runs.has('r1')).toBe(true)
  await runs.leave('r1')
  await runs.without(() => true)
  expect([runs.size, log.tokens.size]).toEqual([0, 0])
})

test('What fails to end leaves all the same', async () => {
  const { residents, system, tokens } = residentsOf(async (token) => token)
  await residents.enter('writer')
  system.releaseAgent = () => Promise.reject(new Error('it does not end'))
  await expect(residents.leave('writer')).rejects.toThrow('it does not end')
  await residents.without(() => true)
  expect([residents.size, tokens.size]).toEqual([0, 0])
})

describe('An agent whose labels have changed', () => {
  const GPU = 'labels-01'
  const changed = (before: readonly (readonly string[])[]) => ({
    required: async () => ({ now: ['gpu'], before }),
    groupOf: () => GPU,
  })

  test('is let go of by what has had it, and where it lived while no worker had its labels', async () => {
    for (const [before, expected] of [
      [[['gqu']], [['gqu'], []]],
      [[[]], [[]]],
      [
        [['gqu'], [], ['cpu']],
        [['gqu'], ['cpu'], []],
      ],
      [[], []],
    ] as const) {
      const asked: (readonly string[])[] = []
      const letGo = async (_: string, requires: readonly string[]) => void asked.push(requires)
      const { residents } = residentsOf(async (token) => token, { ...changed(before), letGo })
      await residents.enter(`${GPU}/writer`)
      expect([asked, residents.has('writer')]).toEqual([expected, true])
    }
  })

  test('is not claimed if it is not for this worker any more when others have let go of it, nor waited for', async () => {
    let isOurs = true
    const letGo = () => {
      isOurs = false
      return new Promise<void>(() => {})
    }
    const { residents, claims } = residentsOf(async (token) => token, { ...changed([['cpu']]), letGo })
    await residents.enter(`${GPU}/writer`, () => isOurs)
    expect([claims(), residents.has('writer')]).toEqual([0, false])
    await residents.leave(`${GPU}/writer`)
    await residents.without(() => true)
  })

  test('stays where it has come by its new labels while its life by the old ones ends in the same worker', async () => {
    const { residents, system, tokens } = residentsOf(async (token) => token)
    await residents.enter('writer')
    let ended = () => {}
    const ending = new Promise<void>((resolve) => {
      ended = resolve
    })
    system.releaseAgent = () => ending
    const leaving = residents.leave('writer')
    await turn()
    system.releaseAgent = async () => {}
    await residents.enter(`${GPU}/writer`)
    ended()
    await leaving
    expect([residents.has('writer'), tokens.get('agent/writer')]).toEqual([true, '1.2'])
    await residents.leave(`${GPU}/writer`)
    expect([residents.size, tokens.size]).toEqual([0, 0])
  })
})

test('One that takes long to come back keeps no other from it', async () => {
  const slow = new Set<string>()
  const { residents } = residentsOf(async (token, stream) => {
    if (slow.has(stream)) await new Promise(() => {})
    return token
  })
  for (const id of ['a', 'b']) await residents.enter(id)
  await residents.lose()
  slow.add('agent/a')
  void regainAll(residents)
  await turn()
  expect([residents.has('a'), residents.has('b')]).toEqual([false, true])
})
