/** The end of a supervision tree: it waits for its children, whatever they do, and leaves none behind. */
import { describe, expect, test } from 'vitest'
import type { Supervised } from '../../../src/actors/engine/exit.ts'
import type { ChildSpecification } from '../../../src/actors/supervision/specification.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { crew, quiet, statuses } from '../crew.ts'

const hangs = (): Promise<never> => new Promise(() => {})
const hanging = (id: string): ChildSpecification => ({ id, start: hangs })

describe('Closing while a tree starts', () => {
  test('waits for the children that have started', async () => {
    const { clock, child, heard, open } = crew()
    const orchestrator = await open()
    const refused = expect(
      orchestrator.supervise({ id: 'top', children: [child('a', {}, 1000), hanging('b')] }),
    ).rejects.toThrow('its supervisor is stopping')
    await quiet()
    let isClosed = false
    const closed = orchestrator.close().then(() => {
      isClosed = true
    })
    await clock.advance(999)
    expect([heard(), isClosed]).toEqual(['+a', false])
    await clock.advance(1)
    await closed
    await refused
    expect(heard()).toBe('-a')
  })

  test('waits for the children of a supervisor below that still starts', async () => {
    const { clock, child, heard, open, running } = crew()
    const orchestrator = await open()
    const under = { id: 'under', supervisor: { children: [child('b', {}, 1000), hanging('c')] } }
    const refused = expect(
      orchestrator.supervise({ id: 'top', children: [child('a'), under] }),
    ).rejects.toThrow('its supervisor is stopping')
    await quiet()
    let isClosed = false
    const closed = orchestrator.close().then(() => {
      isClosed = true
    })
    await quiet()
    expect(isClosed).toBe(false)
    await clock.advance(1000)
    await closed
    await refused
    expect(heard()).toBe('+a +b -b -a')
    expect([...running.keys()]).toEqual([])
  })

  test('leaves no child behind that is added at this moment', async () => {
    const { child, open, running, start } = crew()
    const orchestrator = await open()
    const supervisor = await orchestrator.supervise({ id: 'top', children: [child('a')] })
    let begun = () => {}
    const slow = new Promise<void>((resolve) => {
      begun = resolve
    })
    const added = supervisor.startChild({
      id: 'b',
      start: async () => {
        await slow
        return start('b')
      },
    })
    const refused = expect(added).rejects.toThrow()
    await quiet()
    begun()
    await orchestrator.close()
    await refused
    await quiet()
    expect([...running.keys()]).toEqual([])
  })
})

test('A start that fails restarts none of the siblings that crash meanwhile, and nothing starts in it any more', async () => {
  const { child, heard, open, running } = crew()
  const orchestrator = await open()
  let added: Promise<unknown> = Promise.resolve()
  const fails: ChildSpecification = {
    id: 'b',
    start: () => {
      running.get('a')?.exit('crashed')
      added = orchestrator.supervisor('top').startChild(child('c'))
      added.catch(() => {})
      throw new Error('b does not start')
    },
  }
  await expect(orchestrator.supervise({ id: 'top', children: [child('a'), fails] })).rejects.toThrow(
    'b does not start',
  )
  await expect(added).rejects.toMatchObject({ _tag: 'SupervisorStoppedError' })
  await quiet()
  expect(heard()).toBe('+a xa')
})

describe('A child that does not end as it is told to', () => {
  const WRONG: readonly [string, Partial<Supervised>][] = [
    [
      'whose stop throws',
      {
        stop: () => {
          throw new RangeError('stuck')
        },
      },
    ],
    ['whose stop rejects', { stop: () => Promise.reject(new RangeError('stuck')) }],
    ['whose stop and kill reject', { stop: hangs, kill: () => Promise.reject(new RangeError('stuck')) }],
    [
      'whose kill throws',
      {
        stop: hangs,
        kill: () => {
          throw new RangeError('stuck')
        },
      },
    ],
    ['whose stop and kill never settle', { stop: hangs, kill: hangs }],
    [
      'that throws when it is released',
      {
        released: () => {
          throw new RangeError('stuck')
        },
      },
    ],
  ]
  const wrong = (parts: Partial<Supervised>): ChildSpecification => ({
    id: 'b',
    start: () => ({ watch: () => () => {}, stop: async () => {}, kill: async () => {}, ...parts }),
  })

  test.each(WRONG)('%s is reported, and does not keep the orchestrator from closing', async (_, parts) => {
    const errors: string[] = []
    let isStoreClosed = false
    const { child, clock, heard, open } = crew({
      store: memoryStore(),
      logger: { debug() {}, info() {}, warn() {}, error: (_, message) => errors.push(message ?? '') },
    })
    const orchestrator = await open()
    await orchestrator.supervise({ id: 'one', children: [child('a'), wrong(parts), child('c')] })
    await orchestrator.supervise({ id: 'two', children: [child('d')] })
    heard()
    const closed = orchestrator.close().then(() => {
      isStoreClosed = true
    })
    await clock.advance(10_000)
    await closed
    expect(isStoreClosed).toBe(true)
    expect(heard()).toBe('-d -c -a')
    if (!parts.released) expect(errors).toContainEqual(expect.stringContaining('shutdown_error'))
  })

  test.each(WRONG.slice(0, 4))('%s is stopped, and the log says why it ended so', async (_, parts) => {
    const { clock, store, supervise } = crew()
    const supervisor = await supervise([wrong(parts)])
    const terminated = supervisor.terminateChild('b')
    await clock.advance(10_000)
    await terminated
    expect(statuses(supervisor)).toBe('b stopped')
    const exits: unknown[] = []
    for await (const { type, data } of store.read('supervisor/top'))
      if (type === 'ChildExited') exits.push(data)
    expect(exits).toMatchObject([
      { id: 'b', becomes: 'kept', error: { tag: 'RangeError', message: 'stuck' } },
    ])
  })

  test('is killed when its stop fails', async () => {
    const { supervise } = crew()
    let kills = 0
    const parts = { stop: () => Promise.reject(new Error('stuck')), kill: async () => void kills++ }
    const supervisor = await supervise([wrong(parts)])
    await supervisor.stop()
    expect(kills).toBe(1)
  })

  test('cannot be watched is not started, and not left running', async () => {
    const { supervise, child, heard } = crew()
    let ends = 0
    const supervisor = await supervise([child('a')])
    const parts: Partial<Supervised> = {
      watch: () => {
        throw new RangeError('no')
      },
      stop: async () => void ends++,
    }
    await expect(supervisor.startChild(wrong(parts))).rejects.toMatchObject({ _tag: 'ChildStartError' })
    expect([ends, statuses(supervisor), heard()]).toEqual([1, 'a running', '+a'])
  })
})
