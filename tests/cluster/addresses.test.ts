/** Where agents are asked for: how often the database is asked for it, and what a request learns that waits. */
import { expect, test } from 'vitest'
import { pause } from '../../src/clock.ts'
import { Addresses } from '../../src/cluster/labels/addresses.ts'
import { type VirtualClock, virtualClock } from '../../src/testing/virtual-clock.ts'

const ANSWER_MS = 5

/** A table of workers in memory, which counts what it is asked, and how much of it at once. */
function table(clock: VirtualClock) {
  const questions = { required: 0, groups: 0, atOnce: 0, under: 0 }
  const requires = new Map<string, readonly string[]>()
  const served = new Map<string, string>()
  const answer = async <T>(kind: 'required' | 'groups', found: () => T): Promise<T> => {
    questions[kind]++
    questions.atOnce = Math.max(questions.atOnce, ++questions.under)
    await pause(clock, ANSWER_MS)
    questions.under--
    return found()
  }
  const members = {
    required: (agents: readonly string[]) =>
      answer(
        'required',
        () => new Map(agents.map((agent) => [agent, { now: requires.get(agent) ?? [], before: [] }])),
      ),
    groupsOf: (keys: readonly string[]) =>
      answer(
        'groups',
        () => new Map(keys.flatMap((key) => (served.has(key) ? [[key, served.get(key) as string]] : []))),
      ),
  }
  return { questions, requires, served, members }
}

test('However many asks wait for a worker with labels, a process asks the database four questions a second at most', async () => {
  const clock = virtualClock()
  const { questions, requires, served, members } = table(clock)
  const addresses = new Addresses({ members, logger: { warn() {} }, clock })
  const agents = Array.from({ length: 200 }, (_, index) => `a${index}`)
  for (const [index, agent] of agents.entries()) requires.set(agent, [index % 2 ? 'gpu' : 'eu'])
  const asked: Promise<unknown>[] = []
  for (const agent of agents) {
    const { signal } = new AbortController()
    asked.push(addresses.of({ agent, method: 'ask', signal }, false))
    // They come at different moments of a second.
    await clock.advance(4)
  }
  await clock.advance(1000)
  questions.required = 0
  questions.groups = 0
  for (let second = 0; second < 5; second++) {
    await clock.advance(1000)
  }
  // The first timer that fires asks by itself, and all others together.
  expect(questions.required).toBeLessThanOrEqual(10)
  expect(questions.groups).toBeLessThanOrEqual(10)

  // A worker has come, and one of them requires nothing any more.
  served.set('gpu', 'labels-01')
  requires.set('a0', [])
  await clock.advance(1100)
  expect(await Promise.all(asked.filter((_, index) => index % 2))).toEqual(
    agents
      .filter((_, index) => index % 2)
      .map((agent) => ({ address: `labels-01/${agent}`, requires: ['gpu'] })),
  )
  expect(await asked[0]).toEqual({ address: 'a0', requires: [] })
  // One of each kind.
  expect(questions.atOnce).toBeLessThanOrEqual(2)
})

test('That no worker has the labels any more is noticed, but not while the database is away', async () => {
  const clock = virtualClock()
  const { served, members } = table(clock)
  let isAway = false
  const groupsOf = (keys: readonly string[]) =>
    isAway ? Promise.reject(new Error('it is away')) : members.groupsOf(keys)
  const addresses = new Addresses({ members: { ...members, groupsOf }, logger: { warn() {} }, clock })
  served.set('gpu', 'labels-01')
  let isGone = false
  const gone = addresses.gone(['gpu'], new AbortController().signal).then(() => {
    isGone = true
  })
  isAway = true
  served.delete('gpu')
  await clock.advance(3000)
  expect(isGone).toBe(false)
  isAway = false
  await clock.advance(1100)
  await gone
})
