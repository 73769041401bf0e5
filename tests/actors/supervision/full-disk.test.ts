/** A supervisor whose store cannot be written for a while: what runs is what its list of children says. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StoreReadOnly } from '../../../src/events/errors/store.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { crew, quiet, statuses } from '../crew.ts'

const MANY = { maxRestarts: 1000, withinMs: 3600_000 }

/** A crew with a disk that a test can fill. */
function crewOnDisk() {
  const store = memoryStore()
  /** How many more appends find room, and how many then find none. */
  const disk = { room: Number.POSITIVE_INFINITY, refusals: Number.POSITIVE_INFINITY }
  const world = crew({
    store: {
      ...store,
      // It is opened again.
      [Symbol.asyncDispose]: async () => {},
      async append(...given: Parameters<typeof store.append>) {
        if (disk.room > 0) disk.room -= 1
        else if (disk.refusals > 0) {
          disk.refusals -= 1
          throw new StoreReadOnly({ path: '/log', problem: 'no space left on device' })
        }
        return store.append(...given)
      },
    },
  })
  return {
    ...world,
    disk,
    fill: (room = 0, refusals = Number.POSITIVE_INFINITY) => Object.assign(disk, { room, refusals }),
    free: () => Object.assign(disk, { room: Number.POSITIVE_INFINITY }),
  }
}

const refusal = { _tag: 'StoreReadOnly' }

describe('On a full disk', () => {
  test('startChild rejects, and the child does not run', async () => {
    const { child, supervise, running, fill, free, heard } = crewOnDisk()
    const supervisor = await supervise([child('a')])
    fill()
    await expect(supervisor.startChild(child('b'))).rejects.toMatchObject(refusal)
    expect([...running.keys()]).toEqual(['a'])
    expect(statuses(supervisor)).toBe('a running')
    free()
    await supervisor.startChild(child('b'))
    await supervisor.stop()
    expect(heard()).toBe('+a +b -b +b -b -a')
  })

  test('terminateChild rejects, and the child runs', async () => {
    const { child, supervise, running, fill, free } = crewOnDisk()
    const supervisor = await supervise([child('a')])
    fill()
    await expect(supervisor.terminateChild('a')).rejects.toMatchObject(refusal)
    expect([...running.keys()]).toEqual(['a'])
    expect(statuses(supervisor)).toBe('a running')
    free()
    await supervisor.terminateChild('a')
    expect([...running.keys()]).toEqual([])
  })

  test('a child whose termination is durable is stopped, also if its exit cannot be recorded', async () => {
    const { child, supervise, running, fill } = crewOnDisk()
    const supervisor = await supervise([child('a')])
    fill(1)
    await supervisor.terminateChild('a')
    expect([...running.keys()]).toEqual([])
    expect(statuses(supervisor)).toBe('a stopped')
  })

  test('restartChild and deleteChild reject, and the child stays as it is', async () => {
    const { child, supervise, running, fill, free } = crewOnDisk()
    const supervisor = await supervise([child('a'), child('b')])
    await supervisor.terminateChild('a')
    fill()
    await expect(supervisor.restartChild('a')).rejects.toMatchObject(refusal)
    await expect(supervisor.deleteChild('a')).rejects.toMatchObject(refusal)
    expect([...running.keys()]).toEqual(['b'])
    expect(statuses(supervisor)).toBe('a stopped, b running')
    free()
    await supervisor.deleteChild('a')
    expect(statuses(supervisor)).toBe('b running')
  })

  test('a child that ends is restarted once that it ended can be recorded', async () => {
    const { child, supervise, exits, clock, fill, free, heard, failures } = crewOnDisk()
    const supervisor = await supervise([child('a'), child('b')], { strategy: 'one-for-all' })
    heard()
    fill()
    await exits('a')
    await clock.advance(60_000)
    expect(heard()).toBe('xa')
    free()
    await clock.advance(60_000)
    await quiet()
    expect(heard()).toBe('-b +a +b')
    expect(statuses(supervisor)).toBe('a running, b running')
    expect(failures).toEqual([])
  })

  test('a supervisor that retries to record an exit can be stopped', async () => {
    const { child, supervise, exits, fill, running } = crewOnDisk()
    const supervisor = await supervise([child('a'), child('b')])
    fill()
    await exits('a')
    await supervisor.stop()
    expect([...running.keys()]).toEqual([])
  })

  test('a tree that cannot record its start does not start', async () => {
    const { child, open, running, fill } = crewOnDisk()
    const orchestrator = await open()
    for (const room of [0, 1]) {
      fill(room)
      const starting = orchestrator.supervise({ id: `t${room}`, children: [child('a'), child('b')] })
      await expect(starting).rejects.toMatchObject(refusal)
      expect([...running.keys()]).toEqual([])
    }
  })
})

test('Wherever the disk is full for a while, the children that run are those that the list says, and none outlives close', async () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd')
  const happening = fc.oneof(
    fc.record({ exits: id, reason: fc.constantFrom('crashed', 'normal') }),
    fc.record({ command: fc.constantFrom('terminateChild', 'restartChild', 'deleteChild'), id }),
    fc.record({ starts: id }),
  )
  const strategies = fc.constantFrom('one-for-one', 'one-for-all', 'rest-for-one')
  const script = fc.array(
    fc.tuple(happening, fc.option(fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 5 })))),
    {
      maxLength: 8,
    },
  )
  await fc.assert(
    fc.asyncProperty(strategies, script, async (strategy, happenings) => {
      const { child, open, running, clock, fill, free, ...world } = crewOnDisk()
      const orchestrator = await open()
      const children = ['a', 'b', 'c'].map((one) => child(one, { restart: 'transient' }))
      const supervisor = await orchestrator.supervise({ id: 'top', strategy, intensity: MANY, children })
      for (const [what, full] of happenings) {
        if (full) fill(...full)
        if ('exits' in what) await world.exits(what.exits, what.reason)
        const asked =
          'command' in what
            ? supervisor[what.command](what.id)
            : 'starts' in what
              ? supervisor.startChild(child(what.starts))
              : Promise.resolve()
        const outcome = asked.then(
          () => 'done',
          ({ _tag }) => _tag,
        )
        await quiet()
        free()
        // Longer than the longest pause between two attempts.
        await clock.advance(31_000)
        await quiet()
        assert.match(await outcome, /^done$|^StoreReadOnly$|^Child\w+Error$/)
        const listed = supervisor.children().filter(({ status }) => status === 'running')
        assert.deepEqual([...running.keys()].sort(), listed.map((one) => one.id).sort())
        assert.ok(!statuses(supervisor).includes('restarting'), statuses(supervisor))
      }
      await orchestrator.close()
      assert.deepEqual([...running.keys()], [])
      assert.deepEqual(world.failures, [])
    }),
    { seed: 20_261_129, numRuns: 150 },
  )
})

test('Wherever the log ends, a tree that is supervised again runs, and what was terminated stays so', async () => {
  const id = fc.constantFrom('a', 'b', 'c')
  const happening = fc.oneof(
    fc.record({ exits: id, reason: fc.constantFrom('crashed', 'normal') }),
    fc.record({ command: fc.constantFrom('terminateChild', 'restartChild'), id }),
  )
  const backoff = { minMs: 1000, maxMs: 1000, jitter: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('one-for-one', 'one-for-all', 'rest-for-one'),
      fc.array(happening, { minLength: 1, maxLength: 8 }),
      fc.nat(25),
      async (strategy, happenings, room) => {
        const { child, open, exits, running, clock, fill, free } = crewOnDisk()
        const children = ['a', 'b', 'c'].map((one) => child(one))
        const specification = { id: 'top', strategy, intensity: MANY, backoff, children }
        const before = await open()
        const supervisor = await before.supervise(specification)
        fill(room)
        const terminated = new Set<string>()
        for (const what of happenings) {
          if ('exits' in what) {
            // With them, a strategy restarts what was terminated, as in OTP.
            if (strategy !== 'one-for-one') terminated.clear()
            await exits(what.exits, what.reason)
            continue
          }
          if (what.command === 'restartChild') terminated.delete(what.id)
          const acknowledged = () => {
            if (what.command === 'terminateChild') terminated.add(what.id)
          }
          supervisor[what.command](what.id).then(acknowledged, () => {})
          await quiet()
        }
        await before.close()
        assert.deepEqual([...running.keys()], [])
        free()
        const after = await open()
        const again = await after.supervise(specification)
        await clock.advance(1000)
        await quiet()
        for (const { id: one, status } of again.children()) {
          assert.equal(running.has(one), status === 'running', one)
          assert.notEqual(status, 'restarting', one)
          if (terminated.has(one)) assert.equal(status, 'stopped', one)
        }
        await after.close()
      },
    ),
    { seed: 20_261_129, numRuns: 150 },
  )
})
