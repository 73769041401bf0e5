/** The compiled fold equals XState's, only faster, for every kind of actor and any facts. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AnyStateMachine, and, type EventObject, setup } from 'xstate'
import { agentKind, agentMachine } from '../../../src/actors/agent/machine.ts'
import {
  compiledFold,
  interpretedFold,
  liveFold,
  type PlainFold,
  plainFold,
  replayable,
} from '../../../src/actors/engine/fold.ts'
import { KINDS } from '../../../src/history/kinds.ts'

const few = (...values: string[]) => fc.constantFrom(...values)
const usage = { inputTokens: 3, outputTokens: 4, cacheReadTokens: 0, cacheCreationTokens: 0 }
const error = { tag: 'CliCrashedError', message: 'x', hint: '', retryable: true, details: {} }

const anyChild = fc.record({
  id: few('a', 'b'),
  starts: few('agent', 'function'),
  restart: few('permanent', 'temporary'),
  type: few('worker', 'supervisor'),
  significant: fc.boolean(),
})
const rules = {
  strategy: 'one-for-one',
  intensity: { maxRestarts: 2, withinMs: 1000 },
  backoff: null,
  autoShutdown: 'never',
}

/** A value for every field of any fact, from few ids, so that many facts are expected and many are not. */
const anyData = fc.record({
  taskId: few('t1', 't2'),
  callId: few('c1', 'c1', 'c2'),
  stepKey: few('s1', 's2'),
  id: few('a', 'b'),
  child: anyChild,
  children: fc.array(fc.oneof(anyChild, few('a', 'b')), { maxLength: 3 }),
  rules: fc.constant(rules),
  stamp: fc.nat(5000),
  becomes: few('kept', 'deleted', 'restarted'),
  sessionId: few('u1', 'u2'),
  parentSessionId: fc.option(few('u1', 'u2')),
  prompt: fc.string(),
  text: fc.string(),
  session: few('chain', 'fresh'),
  attempt: fc.integer({ min: 1, max: 3 }),
  costUsd: fc.double({ min: 0, max: 1, noNaN: true }),
  fatal: fc.boolean(),
  cancelled: fc.boolean(),
  name: fc.string(),
  reason: fc.string(),
  config: fc.record({ systemPrompt: fc.string() }),
  material: fc.constant({}),
  textInput: fc.constant(null),
  workflow: fc.constant(null),
  deadlineAt: fc.constant('2026-01-01T00:00:00.000Z'),
  dueAt: fc.constant('2026-01-01T00:00:00.000Z'),
  pid: fc.nat(),
  startTime: fc.constant(null),
  usage: fc.constant(usage),
  error: fc.constant(error),
  hold: fc.constantFrom<object>(
    { reason: 'approval', note: null },
    { reason: 'budget', budget: 'budget/orchestrator', usd: 1, tokens: 1 },
  ),
  limit: fc.constantFrom<object>(
    { usd: 3, tokens: null },
    { usd: null, tokens: 100 },
    { usd: null, tokens: null },
  ),
  usd: fc.double({ min: 0, max: 1, noNaN: true }),
  tokens: fc.nat(100),
  agent: few('a', 'a.1'),
  outcome: few('spent', 'assumed', 'released'),
  entry: few('e1', 'e2'),
  entries: fc.subarray(['e1', 'e2'], { minLength: 1 }),
  commits: fc.subarray(
    [
      { entry: 'e1', commit: 'c1' },
      { entry: 'e2', commit: 'c2' },
    ],
    { minLength: 1 },
  ),
  gate: fc.option(few('true')),
  target: few('main', 'next'),
  tip: few('c1', 'c2'),
  onto: few('c1', 'c2'),
  because: few('conflict', 'gate'),
  conflicts: fc.constant(['a.txt']),
})

const anySteps = fc.array(fc.record({ pick: fc.nat(), fits: fc.boolean(), data: anyData, id: fc.string() }), {
  minLength: 10,
  maxLength: 60,
})

/** About half of the facts are of a type that the state expects; otherwise hardly any would be folded. */
function facts(
  { initial, transition }: PlainFold,
  types: readonly string[],
  steps: typeof anySteps extends fc.Arbitrary<infer S> ? S : never,
) {
  let state = initial
  return steps.map(({ pick, fits, data, id }): EventObject => {
    const fact = (type: string) => ({ type, data, id })
    const next = (type: string) => {
      try {
        return transition(state, fact(type))
      } catch {
        return undefined
      }
    }
    const expected = fits ? types.filter((type) => next(type) !== undefined) : []
    const among = expected.length > 0 ? expected : [...types, 'NobodyKnowsThis']
    const type = among[pick % among.length] ?? ''
    const chosen = fact(type)
    state = next(type) ?? state
    return chosen
  })
}

/** Every state on the way and every unexpected fact, up to one that cannot be folded at all. */
function course({ initial, transition }: PlainFold, history: readonly EventObject[]) {
  const states: unknown[] = []
  let state = initial
  for (const fact of history) {
    try {
      const next = transition(state, fact)
      state = next ?? state
      states.push([next !== undefined, state.value, state.context])
    } catch {
      states.push('it cannot be folded')
      break
    }
  }
  return states
}

describe('the compiled fold', () => {
  test.each(KINDS.map((kind) => [kind.kind, kind] as const))('of %s is XState`s', (_, kind) => {
    const compiled = compiledFold(kind.fold)
    if (!compiled) throw new Error('it cannot be compiled')
    let expected = 0
    fc.assert(
      fc.property(anySteps, (steps) => {
        const history = facts(compiled, kind.facts.types, steps)
        const own = course(compiled, history)
        expect(own).toEqual(course(interpretedFold(kind.fold), history))
        expect(own).toEqual(
          course({ initial: kind.fold.initial as never, transition: liveFold(kind.fold) as never }, history),
        )
        expected += own.filter((step) => Array.isArray(step) && step[0]).length
      }),
      { numRuns: 150, seed: 20261123 },
    )
    expect(expected).toBeGreaterThan(500)
  })

  test('gives live actors the snapshots that XState makes', () => {
    const fact = { type: 'AgentCreated', data: { config: { systemPrompt: 'x' } }, id: 'f1' }
    const { initial, transition } = agentKind.fold
    const live = agentKind.live(initial, fact)
    const described = ({ machine, ...rest }: object & { machine?: unknown }) => [
      machine === agentMachine,
      rest,
    ]
    expect(live && described(live)).toEqual(described(transition(initial, fact)))
    expect(live?.matches('idle') && live.can({ type: 'AgentReset', data: {}, id: '' })).toBe(true)
    expect(agentKind.live(initial, { type: 'AgentReset' })).toBeUndefined()
  })

  const machine = setup({
    types: {} as { context: { n: number; m: number }; events: { type: 'A' | 'B'; by: number } },
    guards: { small: ({ context }) => context.n < 5, even: ({ context }) => context.n % 2 === 0 },
  })
  const add = machine.assign({ n: ({ context, event }) => context.n + event.by, m: 7 })
  const context = { n: 0, m: 0 }

  test('applies several assigns in order, and those of single fields', () => {
    const twice = machine.createMachine({
      context,
      initial: 'a',
      states: {
        a: { on: { A: [{ guard: 'small', actions: [add, add], target: 'b' }, 'b'], B: {} } },
        b: { on: { B: 'a' } },
      },
    })
    const fold = replayable(twice as unknown as AnyStateMachine)
    const facts = ['A', 'B', 'A', 'A', 'B', 'A', 'B'].map((type) => ({ type, by: 2 }))
    const compiled = compiledFold(fold)
    expect(compiled && course(compiled, facts)).toEqual(course(interpretedFold(fold), facts))
  })

  const on = { A: { actions: add } }
  test.each([
    ['states within states', { initial: 'a', states: { a: { initial: 'b', states: { b: { on } } } } }],
    ['transitions of the whole machine', { initial: 'a', on, states: { a: {} } }],
    ['a wildcard', { initial: 'a', states: { a: { on: { '*': { actions: add } } } } }],
    [
      'a step by itself',
      { initial: 'a', states: { a: { always: { guard: 'small', target: 'b' } }, b: { on } } },
    ],
    ['something at the entry', { initial: 'a', states: { a: { on: { A: 'b' } }, b: { entry: add } } }],
    [
      'guards made of guards',
      { initial: 'a', states: { a: { on: { A: { guard: and(['small', 'even']), actions: add } } } } },
    ],
  ])('leaves %s to XState', (_, config) => {
    const fold = replayable(
      machine.createMachine({ ...config, context } as never) as unknown as AnyStateMachine,
    )
    expect(compiledFold(fold)).toBeUndefined()
    const facts = ['A', 'B', 'A', 'A'].map((type) => ({ type, by: 2 }))
    expect(course(plainFold(fold), facts)).toHaveLength(4)
    expect(course(plainFold(fold), facts).at(-1)).not.toBe('it cannot be folded')
  })
})
