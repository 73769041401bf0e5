import { describe, expect, test } from 'vitest'
import { assign, createMachine, emit, fromPromise, raise, sendTo, setup } from 'xstate'
import { agentMachine } from '../../../src/actors/agent/machine.ts'
import { assertReplayable, replayable } from '../../../src/actors/engine/fold.ts'
import { NotReplayableError } from '../../../src/events/errors/actor.ts'

/** A machine with one state `here` that uses the construct. */
const withState = (here: object, rest: object = {}) =>
  createMachine({ id: 'test', initial: 'here', states: { here, there: {} }, ...rest } as never)

describe('a machine that is replayed', () => {
  test('the agent’s machine is replayable', () => {
    expect(() => assertReplayable(agentMachine)).not.toThrow()
  })

  test.each([
    ['invoke', withState({ invoke: { src: fromPromise(async () => 1) } })],
    ['after', withState({ after: { 1000: 'there' } })],
    ['emit', withState({ entry: emit({ type: 'ping' }) })],
    ['raise', withState({ on: { go: { actions: raise({ type: 'ping' }) } } })],
    ['sendTo', withState({ exit: sendTo('other', { type: 'ping' }) })],
    ['the action', withState({ entry: () => {} })],
    ['a final state', withState({ type: 'final' })],
    ['a context factory', withState({}, { context: () => ({ at: Date.now() }) })],
    ['the action shout', setup({ actions: { shout: () => {} } }).createMachine({ entry: 'shout' })],
  ])('may not use %s', (construct, machine) => {
    const refusal = (() => {
      try {
        assertReplayable(machine)
      } catch (error) {
        return error
      }
    })()
    expect(refusal).toBeInstanceOf(NotReplayableError)
    expect((refusal as Error).message).toContain(construct)
  })

  test('may name an action without an implementation, and may assign', () => {
    const machine = withState({ entry: 'greet', on: { go: { actions: assign({}) } } })
    expect(() => assertReplayable(machine)).not.toThrow()
  })

  test('folds without acting: an action that passed the check throws in the fold', () => {
    const machine = withState({ on: { go: { actions: 'late' } } })
    const { initial, transition } = replayable(machine)
    machine.implementations.actions.late = () => {}
    expect(() => transition(initial as never, { type: 'go' })).toThrow('executes late')
  })
})
