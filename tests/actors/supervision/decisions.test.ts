/** A supervisor's decisions as pure functions: OTP's rules, one sentence each. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assertReplayable, replayable } from '../../../src/actors/engine/fold.ts'
import {
  childIn,
  inStartOrder,
  withChild,
  withoutChild,
} from '../../../src/actors/supervision/child-table.ts'
import {
  childExited,
  childStartFailed,
  type ExitDecision,
  type Moment,
} from '../../../src/actors/supervision/decisions.ts'
import { supervisorMachine } from '../../../src/actors/supervision/machine.ts'
import { addRestart, nextAttempt, restartDelayMs } from '../../../src/actors/supervision/restart-intensity.ts'
import {
  type ChildSpecification,
  checkSpecification,
  type SupervisorSpecification,
} from '../../../src/actors/supervision/specification.ts'
import type { SupervisorContext } from '../../../src/actors/supervision/state.ts'
import { InvalidSpecificationError } from '../../../src/events/errors/supervision.ts'
import type { ExitReason, SupervisorFact } from '../../../src/events/supervisor-facts.ts'

const start = () => ({ watch: () => () => {}, stop: async () => {}, kill: async () => {} })
const fold = replayable(supervisorMachine)

/** The state after a tree of these children has started. */
function started(specification: Partial<SupervisorSpecification>): SupervisorContext {
  const { rules, children } = checkSpecification({ id: 'top', ...specification })
  const facts: SupervisorFact[] = [
    { type: 'SupervisorStarted', data: { rules, parent: null, children: children.map(({ data }) => data) } },
    ...children.map(({ data: { id } }): SupervisorFact => ({ type: 'ChildStarted', data: { id, stamp: 0 } })),
  ]
  return after(fold.initial, facts)
}

const after = (snapshot: typeof fold.initial, facts: readonly SupervisorFact[]) =>
  facts.reduce((state, fact) => fold.transition(state, { ...fact, id: '' } as never), snapshot).context

const at = (stamp: number): Moment => ({ now: stamp, stamp, random: 0 })
const exit = (reason: ExitReason) => ({ reason, error: null })
const child = (id: string, rest: ChildSpecification = {}): ChildSpecification => ({ id, start, ...rest })
const types = ({ facts }: ExitDecision) => facts.map(({ type }) => type)

describe('A child that ends', () => {
  test.each([
    ['permanent', 'normal', true],
    ['permanent', 'shutdown', true],
    ['permanent', 'crashed', true],
    ['transient', 'normal', false],
    ['transient', 'shutdown', false],
    ['transient', 'crashed', true],
    ['temporary', 'normal', false],
    ['temporary', 'shutdown', false],
    ['temporary', 'crashed', false],
    ['permanent', 'killed', true],
    ['transient', 'killed', true],
    ['temporary', 'killed', false],
  ] as const)('%s, with %s, is restarted: %s', (restart, reason, isRestarted) => {
    const verdict = childExited(started({ children: [child('a', { restart })] }), 'a', exit(reason), at(1))
    expect(types(verdict)).toEqual(isRestarted ? ['ChildExited', 'RestartScheduled'] : ['ChildExited'])
    expect(verdict.facts[0]?.data).toMatchObject({
      becomes: isRestarted ? 'restarted' : restart === 'temporary' ? 'deleted' : 'kept',
    })
  })
})

describe('The intensity', () => {
  test('of 2 allows two restarts, and the third ends the supervisor', () => {
    const intensity = { maxRestarts: 2, withinMs: 3600_000 }
    const first = addRestart([], 1, intensity)
    const second = addRestart(first.stamps, 2, intensity)
    const third = addRestart(second.stamps, 3, intensity)
    expect([first, second, third].map(({ isTooMany }) => isTooMany)).toEqual([false, false, true])
  })

  test('of 1 within 1 s allows a crash every 2.1 s', () => {
    let stamps: readonly number[] = []
    for (let crash = 0; crash < 1000; crash++) {
      const restart = addRestart(stamps, crash * 2100, { maxRestarts: 1, withinMs: 1000 })
      expect(restart.isTooMany).toBe(false)
      stamps = restart.stamps
      expect(stamps.length).toBe(1)
    }
  })

  test('counts a restart that is exactly as old as the period', () => {
    expect(addRestart([0], 1000, { maxRestarts: 1, withinMs: 1000 }).isTooMany).toBe(true)
    expect(addRestart([0], 1001, { maxRestarts: 1, withinMs: 1000 }).isTooMany).toBe(false)
  })

  test('of 0 allows no restart', () => {
    expect(addRestart([], 0, { maxRestarts: 0, withinMs: 1 }).isTooMany).toBe(true)
  })

  test('that is exceeded is recorded', () => {
    const tree = started({ intensity: { maxRestarts: 0, withinMs: 100 }, children: [child('a')] })
    const verdict = childExited(tree, 'a', exit('crashed'), at(5))
    expect(verdict.next.type).toBe('end')
    expect(verdict.facts.at(-1)).toEqual({
      type: 'Escalated',
      data: { id: 'a', error: null, restarts: 1, withinMs: 100 },
    })
  })

  test('counts a failed start as a restart', () => {
    const tree = started({ intensity: { maxRestarts: 1, withinMs: 100 }, children: [child('a')] })
    const failure = { tag: 'Error', message: 'no', hint: '', retryable: false, details: {} }
    const crash = childExited(tree, 'a', exit('crashed'), at(5))
    const restarting = after(fold.restore({ value: 'running', context: tree } as never), crash.facts)
    const verdict = childStartFailed(restarting, 'a', failure, at(6))
    expect(types(verdict)).toEqual(['ChildStartFailed', 'Escalated'])
  })
})

describe('The back-off', () => {
  const backoff = { minMs: 100, maxMs: 1000, jitter: 0.5, resetAfterMs: 60_000 }

  test('doubles from the shortest delay to the longest', () => {
    const waits = [1, 2, 3, 4, 5, 60].map((attempt) => restartDelayMs(backoff, attempt, 0))
    expect(waits).toEqual([100, 200, 400, 800, 1000, 1000])
  })

  test('adds jitter up to its fraction', () => {
    expect(restartDelayMs(backoff, 1, 1)).toBe(150)
  })

  test('starts over after a quiet period', () => {
    expect(nextAttempt(backoff, { attempt: 4, startedAt: 0 }, 59_999)).toBe(5)
    expect(nextAttempt(backoff, { attempt: 4, startedAt: 0 }, 60_000)).toBe(1)
  })

  test('is decided once and recorded with its due time', () => {
    const tree = started({ backoff, intensity: { maxRestarts: 5, withinMs: 1000 }, children: [child('a')] })
    const verdict = childExited(tree, 'a', exit('crashed'), { now: 1000, stamp: 7, random: 1 })
    expect(verdict.facts[1]).toEqual({
      type: 'RestartScheduled',
      data: { id: 'a', stamp: 7, attempt: 1, dueAt: '1970-01-01T00:00:01.150Z', delayMs: 150 },
    })
  })
})

describe('A specification', () => {
  test('has OTP’s defaults', () => {
    const { rules, children } = checkSpecification({
      id: 'top',
      children: [{ agent: 'researcher' }, { id: 'under', supervisor: {} }],
    })
    expect(rules).toEqual({
      strategy: 'one-for-one',
      intensity: { maxRestarts: 1, withinMs: 5000 },
      backoff: null,
      autoShutdown: 'never',
    })
    expect(children.map(({ data }) => data)).toEqual([
      {
        id: 'researcher',
        starts: 'agent',
        agent: 'researcher',
        restart: 'permanent',
        shutdown: 5000,
        type: 'worker',
        significant: false,
      },
      {
        id: 'under',
        starts: 'supervisor',
        agent: null,
        restart: 'permanent',
        shutdown: 'infinity',
        type: 'supervisor',
        significant: false,
      },
    ])
  })

  const bad = (rest: object) => ({ id: 'top', ...rest })
  const deep = (rest: object) =>
    bad({ children: [{ id: 'under', supervisor: { children: [{ id: 'a', start, ...rest }] } }] })

  test.each<[string, object, string[]]>([
    [
      'a strategy that there is not',
      bad({ strategy: 'one-for-none' }),
      ['top', 'one-for-none', 'rest-for-one'],
    ],
    ['an intensity without a period', bad({ intensity: { maxRestarts: 1 } }), ['no period', 'withinMs']],
    ['an intensity without a number', bad({ intensity: { withinMs: 1 } }), ['maxRestarts']],
    ['a negative intensity', bad({ intensity: { maxRestarts: -1, withinMs: 1 } }), ['-1']],
    ['a period of nothing', bad({ intensity: { maxRestarts: 1, withinMs: 0 } }), ['withinMs', '0']],
    ['a back-off that ends before it begins', bad({ backoff: { minMs: 9, maxMs: 8 } }), ['maxMs (8)']],
    ['jitter above 1', bad({ backoff: { jitter: 2 } }), ['jitter', '2']],
    ['a misspelled key', bad({ stratgy: 'one-for-all' }), ['stratgy', 'Did you mean "strategy"']],
    ['a misspelled key of a child', deep({ restrat: 'permanent' }), ['restrat', '"restart"']],
    ['no id', { children: [] }, ['no id']],
    ['an invalid id', { id: '../etc' }, ['../etc']],
    ['a negative shutdown', deep({ shutdown: -5 }), ['under', '"a"', 'shutdown', '-5']],
    ['a shutdown that is not a number', deep({ shutdown: 'soon' }), ['soon', 'brutal', 'infinity']],
    ['a shutdown of NaN', deep({ shutdown: Number.NaN }), ['shutdown']],
    ['an unknown restart type', deep({ restart: 'always' }), ['always', 'permanent']],
    ['two children with one id', bad({ children: [child('a'), child('a')] }), ['two children "a"']],
    [
      'two supervisors of one id in the tree',
      bad({ children: [{ id: 'u', supervisor: { children: [{ id: 'top', supervisor: {} }] } }] }),
      ['two supervisors', 'top'],
    ],
    ['nothing to start', deep({ start: undefined }), ['nothing to start']],
    ['two things to start', deep({ agent: 'b' }), ['agent and start']],
    ['a start that is not a function', deep({ start: 'npm start' }), ['not a function']],
    [
      'significant and permanent',
      bad({ autoShutdown: 'any-significant', children: [child('a', { significant: true })] }),
      ['significant and permanent'],
    ],
    [
      'significant without auto-shutdown',
      deep({ significant: true, restart: 'transient' }),
      ['autoShutdown'],
    ],
    ['dynamic with children', bad({ strategy: 'dynamic', children: [child('a')] }), ['startChild']],
    ['a template without dynamic', bad({ child: { start } }), ['dynamic']],
    ['children that are not a list', bad({ children: {} }), ['not a list']],
  ])('with %s is refused', (_, given, words) => {
    let refusal: unknown
    try {
      checkSpecification(given as SupervisorSpecification)
    } catch (error) {
      refusal = error
    }
    expect(refusal).toBeInstanceOf(InvalidSpecificationError)
    for (const word of words) expect((refusal as Error).message).toContain(word)
  })

  test('accepts auto-shutdown as OTP defines it', () => {
    const given = { id: 'top', autoShutdown: 'all_significant' } as unknown as SupervisorSpecification
    expect(checkSpecification(given).rules.autoShutdown).toBe('all-significant')
  })
})

test('The supervisor’s machine is replayable', () => {
  expect(() => assertReplayable(supervisorMachine)).not.toThrow()
})

test('A table of children contains what was added and not removed, in any order', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 300 })))
  fc.assert(
    fc.property(steps, (given) => {
      const expected = new Map<string, { id: string; order: number }>()
      let table = {}
      given.forEach(([adds, number], order) => {
        const id = `c${number}`
        if (adds) expected.set(id, { id, order })
        else expected.delete(id)
        table = adds ? withChild(table, id, { id, order }) : withoutChild(table, id)
      })
      expect(inStartOrder(table)).toEqual([...expected.values()].sort((a, b) => a.order - b.order))
      for (const [id, one] of expected) expect(childIn(table, id)).toEqual(one)
    }),
    { seed: 20_261_123 },
  )
})
