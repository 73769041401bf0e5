/** Commands to children that wait for a restart: what they decide holds, and nobody waits for a restart that never comes. */
import { describe, expect, test } from 'vitest'
import type { Exit } from '../../../src/actors/engine/exit.ts'
import { crew, quiet, statuses } from '../crew.ts'

const MANY = { maxRestarts: 100, withinMs: 3600_000 }
const SECOND = { minMs: 1000, maxMs: 1000, jitter: 0 }

async function team(strategy: 'one-for-all' | 'rest-for-one', ids = ['a', 'b', 'c']) {
  const world = crew()
  const supervisor = await world.supervise(
    ids.map((id) => world.child(id)),
    { strategy, intensity: MANY, backoff: SECOND },
  )
  world.heard()
  const backOffEnds = async () => {
    await world.clock.advance(1000)
    await quiet()
  }
  return { ...world, supervisor, backOffEnds }
}

describe.each(['one-for-all', 'rest-for-one'] as const)(
  'While a child waits for its restart, %s,',
  (strategy) => {
    test('terminating it restarts the siblings that waited with it', async () => {
      const { supervisor, heard, exits, backOffEnds } = await team(strategy)
      await exits('a')
      expect(statuses(supervisor)).toBe('a restarting, b restarting, c restarting')
      await supervisor.terminateChild('a')
      expect(statuses(supervisor)).toBe('a stopped, b running, c running')
      expect(heard()).toBe('xa -c -b +b +c')
      await backOffEnds()
      expect(heard()).toBe('')
    })

    test('a sibling that is terminated stays so', async () => {
      const { supervisor, heard, exits, backOffEnds } = await team(strategy)
      await exits('a')
      await supervisor.terminateChild('b')
      await backOffEnds()
      expect(statuses(supervisor)).toBe('a running, b stopped, c running')
      expect(heard()).toBe('xa -c -b +a +c')
    })

    test('terminating all of them in any order leaves all stopped, and each can be restarted', async () => {
      const { supervisor, exits, backOffEnds } = await team(strategy)
      await exits('a')
      for (const id of ['b', 'a', 'c']) await supervisor.terminateChild(id)
      await backOffEnds()
      expect(statuses(supervisor)).toBe('a stopped, b stopped, c stopped')
      for (const id of ['a', 'b', 'c']) await supervisor.restartChild(id)
      expect(statuses(supervisor)).toBe('a running, b running, c running')
    })

    test('a terminated child can be restarted, and is not restarted twice', async () => {
      const { supervisor, heard, exits, backOffEnds } = await team(strategy)
      await exits('a')
      await supervisor.terminateChild('c')
      await supervisor.restartChild('c')
      heard()
      await backOffEnds()
      expect(heard()).toBe('+a +b')
      expect(statuses(supervisor)).toBe('a running, b running, c running')
    })

    test('siblings whose start then fails are restarted as well', async () => {
      const { supervisor, exits, failStarts, backOffEnds } = await team(strategy)
      await exits('a')
      failStarts('b', 1)
      await supervisor.terminateChild('a')
      expect(statuses(supervisor)).toContain('b restarting')
      await backOffEnds()
      expect(statuses(supervisor)).toContain('b running, c running')
    })
  },
)

test('Rest for one: a child whose own restart came while an earlier one waited is restarted when that one is terminated', async () => {
  const { supervisor, clock, exits } = await team('rest-for-one')
  await exits('b')
  await clock.advance(600)
  await exits('a')
  await clock.advance(600)
  expect(statuses(supervisor)).toBe('a restarting, b restarting, c restarting')
  await supervisor.terminateChild('a')
  await quiet()
  expect(statuses(supervisor)).toBe('a stopped, b running, c running')
})

describe('Without a back-off, commands that arrive with an exit come after the restart', () => {
  test.each([
    ['a', 'xa -b +a +b -a', 'a stopped, b running'],
    ['b', 'xa -b +a +b -b', 'a running, b stopped'],
  ])('terminating %s', async (terminated, happened, left) => {
    const { child, heard, supervise, running } = crew()
    const supervisor = await supervise([child('a'), child('b')], {
      strategy: 'one-for-all',
      intensity: MANY,
    })
    heard()
    running.get('a')?.exit('crashed')
    await supervisor.terminateChild(terminated)
    await quiet()
    expect(heard()).toBe(happened)
    expect(statuses(supervisor)).toBe(left)
  })
})

describe('A child that never comes back', () => {
  const intensity = { maxRestarts: 20_000, withinMs: 3600_000 }

  test('because its start fails leaves the event loop to others', async () => {
    const { child, supervise, exits, failStarts, ...world } = crew()
    const supervisor = await supervise([child('a'), child('b')], { intensity })
    failStarts('a')
    await exits('a')
    expect(world.starts).toBeLessThan(50)
    await supervisor.terminateChild('a')
    expect(statuses(supervisor)).toBe('a stopped, b running')
  })

  test('because it has ended as soon as it is watched leaves the event loop to others', async () => {
    const { child, supervise, exits } = crew()
    let starts = 0
    const ended = () => {
      starts += 1
      return {
        watch: (tell: (exit: Exit) => void) => {
          if (starts > 1) tell({ reason: 'crashed', error: null })
          return () => {}
        },
        stop: async () => {},
        kill: async () => {},
      }
    }
    const supervisor = await supervise([child('a'), { id: 'b', start: ended }], {
      strategy: 'one-for-all',
      intensity,
    })
    await exits('a')
    expect(starts).toBeLessThan(50)
    await supervisor.terminateChild('b')
    await quiet()
    expect(statuses(supervisor)).toBe('a running, b stopped')
  })
})

describe('A shutdown by all significant children', () => {
  test('does not come before a restart that brings a significant child back', async () => {
    const { child, supervise, exits, clock } = crew()
    const significant = { restart: 'transient', significant: true } as const
    const supervisor = await supervise([child('a', significant), child('b'), child('c', significant)], {
      strategy: 'rest-for-one',
      autoShutdown: 'all-significant',
      intensity: MANY,
      backoff: SECOND,
    })
    await exits('c', 'normal')
    await exits('b')
    await exits('a', 'normal')
    expect(supervisor.status).toBe('running')
    await clock.advance(1000)
    await quiet()
    expect(statuses(supervisor)).toBe('a stopped, b running, c running')
    await exits('c', 'normal')
    expect(supervisor.status).toBe('stopped')
  })
})
