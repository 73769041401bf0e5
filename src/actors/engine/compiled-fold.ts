/**
 * A fold without XState's interpreter: the transitions of a flat machine, compiled into tables. The live actor, loading and
 * every reader of a state fold with it; only a replay step by step uses XState. A property test over every kind of actor
 * checks that both lead to the same states.
 */
import type { AnyStateMachine, AnyStateNode, EventObject, SnapshotFrom } from 'xstate'
import type { Json } from '../../events/json.ts'
import type { Fold } from './replayable.ts'

/** A state as data, without XState's methods. */
export interface PlainState {
  readonly value: unknown
  readonly context: unknown
}

/** A machine as a fold over plain states. */
export interface PlainFold {
  readonly initial: PlainState
  /** The state after one more fact; undefined if this state does not expect it. */
  transition(state: PlainState, fact: EventObject): PlainState | undefined
}

/** The fold of a machine: compiled if the machine is flat, with guards and assigns only; otherwise XState's own. */
export function plainFold<M extends AnyStateMachine>(fold: Fold<M>): PlainFold {
  const known = folds.get(fold)
  if (known) return known
  const made = compiledFold(fold) ?? interpretedFold(fold)
  folds.set(fold, made)
  return made
}

const folds = new WeakMap<object, PlainFold>()

/** undefined if the machine uses something that only XState can do. */
export function compiledFold<M extends AnyStateMachine>({
  machine,
  initial,
}: Fold<M>): PlainFold | undefined {
  const table = compiledStates(machine)
  if (!table) return undefined
  const { value, context } = initial as PlainState
  return {
    initial: { value, context },
    transition(state, fact) {
      for (const { guard, target, changes } of table.get(state.value)?.get(fact.type) ?? []) {
        const input = { context: state.context, event: fact }
        if (guard && !guard(input)) continue
        return { value: target ?? state.value, context: changed(input, changes) }
      }
      return undefined
    },
  }
}

/** A fold over XState's own snapshots, for live actors; undefined if the state does not expect the fact. */
export type LiveFold<M extends AnyStateMachine> = (
  snapshot: SnapshotFrom<M>,
  fact: EventObject,
) => SnapshotFrom<M> | undefined

/** In a flat machine, the snapshots of one state differ only in their contexts. */
export function liveFold<M extends AnyStateMachine>(fold: Fold<M>): LiveFold<M> {
  const { transition } = plainFold(fold)
  const ofStates = new Map<unknown, SnapshotFrom<M>>()
  return (snapshot, fact) => {
    const next = transition(snapshot as PlainState, fact)
    // The interpreted fold returns snapshots.
    if (next === undefined || 'machine' in next) return next as SnapshotFrom<M> | undefined
    const { value, context } = next
    const known = ofStates.get(value) ?? fold.restore({ value, context } as Json)
    ofStates.set(value, known)
    return { ...(known as object), context } as SnapshotFrom<M>
  }
}

/** The same fold by XState, at a twentieth of the speed. */
export function interpretedFold<M extends AnyStateMachine>({ initial, transition }: Fold<M>): PlainFold {
  return {
    initial: initial as unknown as PlainState,
    transition(state, fact) {
      const next: unknown = transition(state as never, fact)
      const { can } = state as unknown as { can(fact: EventObject): boolean }
      return next !== state || can.call(state, fact) ? (next as PlainState) : undefined
    },
  }
}

interface Input {
  readonly context: unknown
  readonly event: EventObject
}

/** The argument of `assign`, as one function. */
type Change = (input: Input) => object

interface CompiledTransition {
  readonly guard: ((input: Input) => boolean) | undefined
  /** undefined: the state value stays. */
  readonly target: string | undefined
  readonly changes: readonly Change[]
}

type AnyTransition = NonNullable<AnyStateNode['always']>[number]

type CompiledStates = ReadonlyMap<unknown, ReadonlyMap<string, readonly CompiledTransition[]>>

function changed({ context, event }: Input, changes: readonly Change[]): unknown {
  let next = context
  for (const change of changes) next = { ...(next as object), ...change({ context: next, event }) }
  return next
}

/** Thrown where a machine cannot be compiled. */
const NOT_FLAT = Symbol('not flat')

function compiledStates(machine: AnyStateMachine): CompiledStates | undefined {
  const { root } = machine
  try {
    must(root.type === 'compound' && isQuiet(root) && root.transitions.size === 0)
    must(root.initial.actions.length === 0)
    return new Map(
      Object.values(root.states).map((node) => {
        must(node.type === 'atomic' && isQuiet(node))
        const transitions = [...node.transitions].map(([type, candidates]) => {
          must(!type.includes('*'))
          return [type, candidates.map((candidate) => compiled(machine, candidate))] as const
        })
        return [node.key, new Map(transitions)] as const
      }),
    )
  } catch (problem) {
    if (problem === NOT_FLAT) return undefined
    throw problem
  }
}

function must(holds: boolean): asserts holds {
  if (!holds) throw NOT_FLAT
}

/** Nothing happens in the state by itself. */
const isQuiet = ({ entry, exit, always }: AnyStateNode) =>
  entry.length === 0 && exit.length === 0 && (always ?? []).length === 0

function compiled(machine: AnyStateMachine, { guard, target, actions }: AnyTransition): CompiledTransition {
  must(target === undefined || (target.length === 1 && target[0]?.parent === machine.root))
  return {
    guard: compiledGuard(machine, guard),
    target: target?.[0]?.key,
    changes: actions.flatMap((action: unknown) => compiledAction(machine, action)),
  }
}

function compiledGuard(machine: AnyStateMachine, guard: unknown): CompiledTransition['guard'] {
  if (guard === undefined) return undefined
  const implementation = typeof guard === 'string' ? machine.implementations.guards[guard] : guard
  // `and`, `or`, `not` and `stateIn` are functions with a `check`.
  must(typeof implementation === 'function' && !('check' in implementation))
  return implementation as (input: Input) => boolean
}

function compiledAction(machine: AnyStateMachine, action: unknown): readonly Change[] {
  const implementation = typeof action === 'string' ? machine.implementations.actions[action] : action
  // A bare name does nothing.
  if (typeof action === 'string' && implementation === undefined) return []
  const { type, assignment } = implementation as { type?: unknown; assignment?: unknown }
  must(type === 'xstate.assign')
  if (typeof assignment === 'function') return [assignment as Change]
  const fields = Object.entries(assignment as object)
  return [
    (input) =>
      Object.fromEntries(
        fields.map(([name, field]) => [name, typeof field === 'function' ? field(input) : field]),
      ),
  ]
}
