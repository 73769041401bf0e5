/** OTP's supervisor as sentences: what `supervisor_SUITE` demands, on a virtual clock. */
import { describe, expect, test } from 'vitest'
import { crew, quiet, statuses } from '../crew.ts'

const MANY = { maxRestarts: 100, withinMs: 1000 }

describe('A supervisor', () => {
  test('starts its children in order and stops them in reverse', async () => {
    const { child, heard, supervise } = crew()
    const supervisor = await supervise([child('a'), child('b'), child('c')])
    expect(heard()).toBe('+a +b +c')
    await supervisor.stop()
    expect(heard()).toBe('-c -b -a')
    expect(supervisor.status).toBe('stopped')
  })

  test('whose third child fails to start stops the first two and does not start', async () => {
    const { child, heard, supervise, failStarts, types } = crew()
    failStarts('c')
    await expect(supervise([child('a'), child('b'), child('c'), child('d')])).rejects.toMatchObject({
      _tag: 'ChildStartError',
      message: expect.stringContaining(
        'Child "c" of supervisor "top" could not be started: c does not start',
      ),
    })
    expect(heard()).toBe('+a +b ?c -b -a')
    expect((await types()).at(-1)).toBe('SupervisorStopped')
  })

  test('lists its children', async () => {
    const { child, supervise, exits } = crew()
    const supervisor = await supervise([child('a'), child('b', { restart: 'transient' })])
    await exits('b', 'normal')
    await exits('a')
    expect(supervisor.children()).toMatchObject([
      { id: 'a', status: 'running', restarts: 1, type: 'worker', restart: 'permanent' },
      { id: 'b', status: 'stopped', restarts: 0, ref: null },
    ])
    expect(supervisor.counts()).toEqual({ specs: 2, running: 1 })
  })

  test('is an actor: its stream has every decision and folds to its state', async () => {
    const { child, supervise, exits, types } = crew()
    const supervisor = await supervise([child('a'), child('b', { restart: 'temporary' })])
    await exits('a')
    await exits('b')
    await supervisor.stop()
    expect(await types()).toEqual([
      'SupervisorStarted',
      'ChildStarted',
      'ChildStarted',
      'ChildExited',
      'RestartScheduled',
      'ChildStarted',
      'ChildrenRestarted',
      'ChildExited',
      'ChildExited',
      'SupervisorStopped',
    ])
  })
})

describe('One for one', () => {
  test('leaves the siblings alone', async () => {
    const { child, heard, supervise, exits } = crew()
    const supervisor = await supervise([child('a'), child('b'), child('c')])
    const before = supervisor.children().map(({ ref }) => ref)
    heard()
    await exits('b')
    expect(heard()).toBe('xb +b')
    const now = supervisor.children().map(({ ref }) => ref)
    expect([now[0] === before[0], now[1] === before[1], now[2] === before[2]]).toEqual([true, false, true])
  })

  test('with intensity 2 ends at the third restart, together with its children', async () => {
    const { child, heard, supervise, exits, failures } = crew()
    const supervisor = await supervise([child('a'), child('b')])
    await exits('a')
    await exits('b')
    expect(supervisor.status).toBe('running')
    heard()
    await exits('a')
    expect(heard()).toBe('xa -b')
    expect(supervisor.status).toBe('stopped')
    expect(failures[0]?.message).toContain(
      'Supervisor "top" gave up on child "a", at restart 3 within 3600000 ms: boom.',
    )
  })

  test('with intensity 1 within 1 s survives a crash every 2.1 s', async () => {
    const { clock, child, supervise, exits } = crew()
    const supervisor = await supervise([child('a')], { intensity: { maxRestarts: 1, withinMs: 1000 } })
    for (let crash = 0; crash < 50; crash++) {
      await clock.advance(2100)
      await exits('a')
    }
    expect(supervisor.status).toBe('running')
    expect(supervisor.children()[0]?.restarts).toBe(50)
  })

  test('counts a restart whose start fails: a child that never starts ends the supervisor', async () => {
    const { child, heard, supervise, exits, failStarts } = crew()
    const supervisor = await supervise([child('a'), child('b')], {
      intensity: { maxRestarts: 4, withinMs: 3600_000 },
    })
    heard()
    failStarts('a')
    await exits('a')
    expect(heard()).toBe('xa ?a ?a ?a ?a -b')
    expect(supervisor.status).toBe('stopped')
  })
})

describe('One for all', () => {
  test('stops the siblings in reverse and starts all in order', async () => {
    const { child, heard, supervise, exits } = crew()
    const supervisor = await supervise([child('a'), child('b'), child('c')], { strategy: 'one-for-all' })
    heard()
    await exits('b')
    expect(heard()).toBe('xb -c -a +a +b +c')
    expect(supervisor.children().map(({ restarts }) => restarts)).toEqual([1, 1, 1])
  })

  test('with a sibling that fails to start stops what was started and starts all again', async () => {
    const { child, heard, supervise, exits, failStarts } = crew()
    const supervisor = await supervise([child('a'), child('b')], { strategy: 'one-for-all', intensity: MANY })
    heard()
    failStarts('b', 1)
    await exits('a')
    expect(heard()).toBe('xa -b +a ?b -a +a +b')
    expect(statuses(supervisor)).toBe('a running, b running')
  })

  test('ends if a sibling never starts', async () => {
    const { child, heard, supervise, exits, failStarts } = crew()
    const supervisor = await supervise([child('a'), child('b')], { strategy: 'one-for-all' })
    heard()
    failStarts('b')
    await exits('a')
    expect(heard()).toBe('xa -b +a ?b -a +a ?b -a')
    expect(supervisor.status).toBe('stopped')
  })

  test('does not restart a temporary sibling', async () => {
    const { child, heard, supervise, exits } = crew()
    const supervisor = await supervise([child('a'), child('b', { restart: 'temporary' })], {
      strategy: 'one-for-all',
    })
    heard()
    await exits('a', 'normal')
    expect(heard()).toBe('xa -b +a')
    expect(statuses(supervisor)).toBe('a running')
  })
})

describe('Rest for one', () => {
  test('restarts the children started after the one that ended', async () => {
    const { child, heard, supervise, exits } = crew()
    await supervise([child('a'), child('b'), child('c')], { strategy: 'rest-for-one' })
    heard()
    await exits('b')
    expect(heard()).toBe('xb -c +b +c')
  })

  test('with a later sibling that fails to start keeps what was started and retries from there', async () => {
    const { child, heard, supervise, exits, failStarts } = crew()
    await supervise([child('a'), child('b'), child('c')], { strategy: 'rest-for-one', intensity: MANY })
    heard()
    failStarts('b', 1)
    await exits('a')
    expect(heard()).toBe('xa -c -b +a ?b +b +c')
  })

  test('does not restart a temporary sibling', async () => {
    const { child, heard, supervise, exits } = crew()
    await supervise([child('a'), child('b', { restart: 'temporary' })], { strategy: 'rest-for-one' })
    heard()
    await exits('a')
    expect(heard()).toBe('xa -b +a')
  })
})

describe('A shutdown', () => {
  test('in ms is waited for, then the child is killed', async () => {
    const { clock, child, heard, supervise } = crew()
    const supervisor = await supervise([
      child('a', { shutdown: 1000 }, 999),
      child('b', { shutdown: 1000 }, 'never'),
    ])
    heard()
    const stopped = supervisor.stop()
    await quiet()
    await clock.advance(999)
    expect(heard()).toBe('')
    await clock.advance(1)
    await quiet()
    expect(heard()).toBe('!b')
    await clock.advance(999)
    await stopped
    expect(heard()).toBe('-a')
  })

  test('that is brutal kills the child at once', async () => {
    const { child, heard, supervise } = crew()
    const supervisor = await supervise([child('a', { shutdown: 'brutal' }, 'never')])
    heard()
    await supervisor.stop()
    expect(heard()).toBe('!a')
  })

  test('of infinity is waited for without limit', async () => {
    const { clock, child, heard, supervise } = crew()
    const supervisor = await supervise([child('a', { shutdown: 'infinity' }, 86_400_000)])
    heard()
    const stopped = supervisor.stop()
    await quiet()
    await clock.advance(86_399_999)
    expect(heard()).toBe('')
    await clock.advance(1)
    await stopped
    expect(heard()).toBe('-a')
  })

  test('does not wait for a start that hangs', async () => {
    const { child, heard, supervise } = crew()
    const supervisor = await supervise([child('a')])
    const hanging = supervisor.startChild({ id: 'b', start: () => new Promise(() => {}) })
    const refused = expect(hanging).rejects.toThrow('its supervisor is stopping')
    await quiet()
    await supervisor.stop()
    await refused
    expect(heard()).toBe('+a -a')
  })
})

describe('A child', () => {
  test('that is terminated during a restart loop is not restarted', async () => {
    const { clock, child, heard, supervise, exits, failStarts } = crew()
    const supervisor = await supervise([child('a'), child('b')], {
      intensity: { maxRestarts: 1000, withinMs: 10 },
      backoff: { minMs: 50, maxMs: 50, jitter: 0 },
    })
    failStarts('a')
    await exits('a')
    await clock.advance(200)
    await quiet()
    expect(statuses(supervisor)).toBe('a restarting, b running')
    await supervisor.terminateChild('a')
    heard()
    await clock.advance(10_000)
    await quiet()
    expect(heard()).toBe('')
    expect(statuses(supervisor)).toBe('a stopped, b running')
  })

  test('that is terminated is kept, can be restarted, and can be deleted only while stopped', async () => {
    const { child, heard, supervise } = crew()
    const supervisor = await supervise([child('a')])
    for (const command of ['deleteChild', 'restartChild'] as const) {
      await expect(supervisor[command]('a')).rejects.toMatchObject({
        ...{ _tag: 'ChildRunningError', message: expect.stringContaining('is running') },
      })
    }
    await supervisor.terminateChild('a')
    await supervisor.terminateChild('a')
    expect(statuses(supervisor)).toBe('a stopped')
    await supervisor.restartChild('a')
    expect(statuses(supervisor)).toBe('a running')
    await supervisor.terminateChild('a')
    await supervisor.deleteChild('a')
    expect(heard()).toBe('+a -a +a -a')
    expect(supervisor.children()).toEqual([])
  })

  test('that is being restarted can be neither restarted nor deleted', async () => {
    const { child, supervise, exits } = crew()
    const supervisor = await supervise([child('a')], { backoff: { minMs: 1000 } })
    await exits('a')
    for (const command of ['deleteChild', 'restartChild'] as const) {
      await expect(supervisor[command]('a')).rejects.toMatchObject({
        ...{ _tag: 'ChildRestartingError', message: expect.stringContaining('is being restarted') },
      })
    }
  })

  test('that does not exist is reported, with the closest id', async () => {
    const { child, supervise } = crew()
    const supervisor = await supervise([child('writer')])
    for (const command of ['terminateChild', 'restartChild', 'deleteChild'] as const)
      await expect(supervisor[command]('wirter')).rejects.toMatchObject({
        ...{ _tag: 'ChildNotFoundError', message: expect.stringContaining('Did you mean "writer"?') },
      })
  })

  test('whose id is taken is not started, whether the other one runs or not', async () => {
    const { child, supervise } = crew()
    const supervisor = await supervise([child('a')])
    await expect(supervisor.startChild(child('a'))).rejects.toMatchObject({
      _tag: 'ChildAlreadyStartedError',
    })
    await supervisor.terminateChild('a')
    await expect(supervisor.startChild(child('a'))).rejects.toMatchObject({
      _tag: 'ChildAlreadyPresentError',
    })
  })

  test('that is added at run time comes last, and a failed start leaves nothing behind', async () => {
    const { child, heard, supervise, failStarts } = crew()
    const supervisor = await supervise([child('a')])
    await supervisor.startChild(child('b'))
    failStarts('c', 1)
    await expect(supervisor.startChild(child('c'))).rejects.toThrow('c does not start')
    expect(statuses(supervisor)).toBe('a running, b running')
    await supervisor.startChild(child('c'))
    await supervisor.stop()
    expect(heard()).toBe('+a +b ?c +c -c -b -a')
  })

  test('that is temporary leaves no specification, however it ends', async () => {
    const { child, supervise, exits } = crew()
    const temporary = child('a', { restart: 'temporary' })
    const supervisor = await supervise([temporary])
    await exits('a')
    await supervisor.startChild(temporary)
    await exits('a', 'normal')
    await supervisor.startChild(temporary)
    await supervisor.terminateChild('a')
    expect(supervisor.children()).toEqual([])
  })
})

describe('A back-off', () => {
  test('grows with each restart, is recorded, and starts over after a quiet period', async () => {
    const { clock, child, heard, supervise, exits } = crew()
    await supervise([child('a')], {
      intensity: MANY,
      backoff: { minMs: 100, maxMs: 400, jitter: 0, resetAfterMs: 5000 },
    })
    heard()
    for (const wait of [100, 200, 400, 400]) {
      await exits('a')
      await clock.advance(wait - 1)
      await quiet()
      expect(heard()).toBe('xa')
      await clock.advance(1)
      await quiet()
      expect(heard()).toBe('+a')
    }
    await clock.advance(5000)
    await exits('a')
    await clock.advance(100)
    await quiet()
    expect(heard()).toBe('xa +a')
  })
})

describe('Auto-shutdown', () => {
  const significant = { restart: 'transient', significant: true } as const

  test('by any significant child ends the supervisor when the first one ends', async () => {
    const { child, heard, supervise, exits, failures } = crew()
    const supervisor = await supervise([child('a'), child('b', significant), child('c', significant)], {
      autoShutdown: 'any-significant',
    })
    heard()
    await exits('b', 'normal')
    expect(heard()).toBe('xb -c -a')
    expect(supervisor.status).toBe('stopped')
    expect(failures).toEqual([])
  })

  test('by all significant children ends it when the last one ends', async () => {
    const { child, supervise, exits } = crew()
    const supervisor = await supervise([child('a'), child('b', significant), child('c', significant)], {
      autoShutdown: 'all-significant',
    })
    await exits('b', 'normal')
    expect(supervisor.status).toBe('running')
    await exits('c', 'shutdown')
    expect(supervisor.status).toBe('stopped')
  })

  test('ignores a significant child that is restarted or terminated by command', async () => {
    const { child, supervise, exits } = crew()
    const supervisor = await supervise([child('a'), child('b', significant)], {
      autoShutdown: 'any-significant',
    })
    await exits('b', 'crashed')
    await supervisor.terminateChild('b')
    expect(supervisor.status).toBe('running')
  })
})

describe('Dynamic children', () => {
  test('come and go, and leave no specification', async () => {
    const { child, supervise, exits, heard } = crew()
    const supervisor = await supervise([], { strategy: 'dynamic' })
    for (const id of ['a', 'b', 'c']) await supervisor.startChild(child(id, { restart: 'transient' }))
    await exits('a')
    await exits('b', 'normal')
    await supervisor.terminateChild('c')
    expect(heard()).toBe('+a +b +c xa +a xb -c')
    expect(statuses(supervisor)).toBe('a running')
  })

  test('of a template need only an id and an argument', async () => {
    const { supervise, start } = crew()
    const started: unknown[] = []
    const supervisor = await supervise([], {
      strategy: 'dynamic',
      child: {
        restart: 'temporary',
        start: (child) => {
          started.push(child)
          return start(child.id)
        },
      },
    })
    await supervisor.startChild({ id: 'a', argument: { shard: 3 } })
    await supervisor.startChild({ id: 'b' })
    expect(started).toEqual([
      { id: 'a', argument: { shard: 3 } },
      { id: 'b', argument: null },
    ])
    await expect(supervisor.startChild({ id: 'c', restart: 'permanent' })).rejects.toThrow('restart')
  })

  test('cannot be restarted or deleted by command', async () => {
    const { child, supervise } = crew()
    const supervisor = await supervise([], { strategy: 'dynamic' })
    await supervisor.startChild(child('a'))
    for (const command of ['deleteChild', 'restartChild'] as const) {
      await expect(supervisor[command]('a')).rejects.toMatchObject({
        ...{ _tag: 'NotForDynamicChildrenError', message: expect.stringContaining('dynamic') },
      })
    }
  })
})

describe('A tree', () => {
  test('stops and starts as a whole, and a supervisor that gives up is restarted by its parent', async () => {
    const { child, heard, supervise, exits, failures } = crew()
    const supervisor = await supervise([
      child('a'),
      {
        id: 'under',
        supervisor: { intensity: { maxRestarts: 1, withinMs: 1000 }, children: [child('b'), child('c')] },
      },
      child('d'),
    ])
    expect(heard()).toBe('+a +b +c +d')
    await exits('b')
    await exits('b')
    expect(heard()).toBe('xb +b xb -c +b +c')
    expect(supervisor.children().map(({ restarts }) => restarts)).toEqual([0, 1, 0])
    expect(failures).toEqual([])
    await supervisor.stop()
    expect(heard()).toBe('-d -c -b -a')
  })

  test('escalates up to the root, which fails the orchestrator', async () => {
    const { child, open, exits, failures, types } = crew()
    const orchestrator = await open()
    const intensity = { maxRestarts: 0, withinMs: 1000 }
    const inner = { intensity, children: [child('a')] }
    await orchestrator.supervise({
      id: 'top',
      intensity,
      children: [{ id: 'middle', supervisor: { intensity, children: [{ id: 'inner', supervisor: inner }] } }],
    })
    await exits('a')
    expect(failures.map(({ _tag, details }) => [_tag, details])).toMatchObject([
      [
        'SupervisionFailedError',
        {
          supervisor: 'top',
          child: 'middle',
          restarts: 1,
          withinMs: 1000,
          code: 'RangeError',
          problem: 'boom',
        },
      ],
    ])
    expect(await orchestrator.failed).toBe(failures[0])
    await expect(orchestrator.sendTask('x', 'y')).rejects.toBe(failures[0])
    await expect(orchestrator.supervise({ id: 'other' })).rejects.toBe(failures[0])
    for (const id of ['top', 'middle', 'inner']) expect(await types(id)).toContain('Escalated')
    await orchestrator.close()
  })

  test('that takes too long to stop is killed as a whole, and its successor is left alone', async () => {
    const { clock, child, heard, open, exits } = crew()
    const orchestrator = await open()
    await orchestrator.supervise({
      id: 'top',
      strategy: 'one-for-all',
      children: [
        { id: 'under', shutdown: 1000, supervisor: { children: [child('b', {}, 4000)] } },
        child('a'),
      ],
    })
    heard()
    await exits('a')
    await clock.advance(1000)
    await quiet()
    expect(heard()).toBe('xa !b +b +a')
    await clock.advance(10_000)
    await quiet()
    expect(heard()).toBe('')
    expect(orchestrator.supervisor('under').status).toBe('running')
    const closed = orchestrator.close()
    await quiet()
    await clock.advance(4000)
    await closed
  })

  test('does not restore dynamic children when it is restarted', async () => {
    const { child, supervise, exits, heard, open: _ } = crew()
    const supervisor = await supervise([
      { id: 'under', supervisor: { intensity: { maxRestarts: 0, withinMs: 1000 }, children: [child('a')] } },
    ])
    const under = supervisor.children()[0]?.ref as typeof supervisor
    await under.startChild(child('b'))
    heard()
    await exits('a')
    expect(heard()).toBe('xa -b +a')
  })

  test('stops in order when the orchestrator closes, and nothing is recorded', async () => {
    const { child, heard, open, types } = crew()
    const orchestrator = await open()
    await orchestrator.supervise({ id: 'one', children: [child('a'), child('b')] })
    await orchestrator.supervise({ id: 'two', children: [child('c')] })
    heard()
    await orchestrator.close()
    expect(heard()).toBe('-c -b -a')
    expect(await types('one')).toEqual(['SupervisorStarted', 'ChildStarted', 'ChildStarted'])
  })

  test('that is still starting when the orchestrator closes is abandoned, and what it started ends', async () => {
    const { child, heard, open } = crew()
    const orchestrator = await open()
    const hangs = { id: 'b', start: () => new Promise<never>(() => {}) }
    const refused = expect(orchestrator.supervise({ id: 'one', children: [child('a'), hangs] })).rejects
    const stopping = refused.toThrow('its supervisor is stopping')
    await quiet()
    await orchestrator.close()
    await stopping
    expect(heard()).toBe('+a -a')
  })

  test('with a taken id is refused, also when nested', async () => {
    const { child, open } = crew()
    const orchestrator = await open()
    await orchestrator.supervise({
      id: 'one',
      children: [{ id: 'two', supervisor: { children: [child('a')] } }],
    })
    await expect(orchestrator.supervise({ id: 'two' })).rejects.toMatchObject({
      _tag: 'SupervisorExistsError',
    })
    expect(orchestrator.supervisor('two').children().length).toBe(1)
  })
})

describe('After a restart of the program', () => {
  test('a tree resumes from the log: terminated children, counted restarts, pending restarts', async () => {
    const { clock, child, heard, open, exits } = crew()
    const specification = {
      id: 'top',
      intensity: { maxRestarts: 2, withinMs: 60_000 },
      backoff: { minMs: 10_000, maxMs: 10_000, jitter: 0 },
      children: [child('a'), child('b'), child('c')],
    }
    const first = await open()
    const supervisor = await first.supervise(specification)
    await supervisor.terminateChild('b')
    await exits('a')
    await first.close()
    heard()

    const second = await open()
    const again = await second.supervise(specification)
    expect(heard()).toBe('+c')
    expect(statuses(again)).toBe('a restarting, b stopped, c running')
    await clock.advance(10_000)
    await quiet()
    expect(heard()).toBe('+a')
    await exits('a')
    expect(again.status).toBe('running')
    await exits('c')
    expect(again.status).toBe('stopped')
  })

  test('dynamic children of a template are restored, and those started with their own code are not', async () => {
    const { child, heard, open, start } = crew()
    const specification = {
      id: 'top',
      strategy: 'dynamic',
      child: { start: ({ id }: { id: string }) => start(id) },
    } as const
    const first = await open()
    const supervisor = await first.supervise(specification)
    await supervisor.startChild({ id: 'a', argument: 1 })
    const other = await first.supervise({ id: 'other' })
    await other.startChild(child('b'))
    await first.close()
    heard()
    const second = await open()
    await second.supervise(specification)
    const otherAgain = await second.supervise({ id: 'other' })
    expect(heard()).toBe('+a')
    expect(otherAgain.children()).toEqual([])
  })

  test('a tree that had ended starts from scratch', async () => {
    const { child, open, exits } = crew()
    const specification = {
      id: 'top',
      intensity: { maxRestarts: 0, withinMs: 60_000 },
      children: [child('a')],
    }
    const first = await open()
    await first.supervise(specification)
    await exits('a')
    await first.close()
    const second = await open()
    expect(statuses(await second.supervise(specification))).toBe('a running')
  })
})

test('A stopped supervisor takes no commands', async () => {
  const { child, supervise } = crew()
  const supervisor = await supervise([child('a')])
  await supervisor.stop()
  await supervisor.stop()
  await expect(supervisor.startChild(child('b'))).rejects.toMatchObject({ _tag: 'SupervisorStoppedError' })
})
