/**
 * A machine as a fold over facts. A machine is pure: constructs that act are refused. A flat one is compiled into tables, with
 * which the live actor, loading and every reader of a state fold; only a replay step by step uses XState's interpreter. A
 * property test over every kind of actor checks that both lead to the same states.
 */
import type { AnyActorScope, AnyStateMachine, AnyStateNode, EventObject, SnapshotFrom } from 'xstate'
import { NotReplayableError } from '../../events/errors/actor.ts'
import type { Json } from '../../events/json.ts'
import { checkArgument } from '../../events/options/decoding.ts'

/** A machine as a fold over facts. */
export interface Fold<M extends AnyStateMachine> {
  readonly machine: M
  readonly initial: SnapshotFrom<M>
  /** The state after one more fact. Pure: no clock, no effects, no messages. */
  readonly transition: (snapshot: SnapshotFrom<M>, fact: EventObject) => SnapshotFrom<M>
  /** Restores a state from its JSON: see `savedState`. */
  readonly restore: (state: Json) => SnapshotFrom<M>
}

/** A state as data, without XState's methods. */
export interface PlainState {
  readonly value: unknown
  readonly context: unknown
}

/** The same fold over plain states. */
export interface PlainFold {
  readonly initial: PlainState
  /** The state after one more fact; undefined if this state does not expect it. */
  transition(state: PlainState, fact: EventObject): PlainState | undefined
}

/** The machine as a fold. Throws NotReplayableError. */
export function replayable<M extends AnyStateMachine>(machine: M): Fold<M> {
  assertReplayable(machine)
  return {
    machine,
    initial: machine.getInitialSnapshot(inertScope) as SnapshotFrom<M>,
    restore: (state) => machine.resolveState(withHistory(machine, state) as never) as SnapshotFrom<M>,
    transition: (snapshot, fact) =>
      machine.transition(snapshot as never, fact, inertScope) as SnapshotFrom<M>,
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

/** Where each history state of a machine would return to: the ids of states, by the id of the history state. */
type HistoryIds = Readonly<Record<string, readonly string[]>>

/** The whole of a state as JSON. What history states remember is part of it; other machines have none. */
export function savedState(snapshot: object): Json {
  const {
    value,
    context,
    historyValue = {},
  } = snapshot as {
    readonly value: Json
    readonly context: Json
    readonly historyValue?: Readonly<Record<string, readonly { readonly id: string }[]>>
  }
  const history = Object.entries(historyValue).map(
    ([id, nodes]) => [id, nodes.map((node) => node.id).sort()] as const,
  )
  return history.length === 0 ? { value, context } : { value, context, history: Object.fromEntries(history) }
}

function withHistory(machine: AnyStateMachine, state: Json): object {
  const { history, ...plain } = state as { readonly history?: HistoryIds }
  if (history === undefined) return plain
  const nodes = new Map(statesOf(machine.root).map((node) => [node.id, node]))
  const historyValue = Object.entries(history).map(
    ([id, ids]) => [id, ids.map((one) => nodes.get(one))] as const,
  )
  return { ...plain, historyValue: Object.fromEntries(historyValue) }
}

export const hasHistoryStates = (machine: AnyStateMachine): boolean =>
  statesOf(machine.root).some(({ type }) => type === 'history')

/**
 * Rejects a machine with constructs that act: throws {@link NotReplayableError} for `invoke`, `after`, `spawn`, `emit`,
 * `raise`, `sendTo`, functions as actions, final states, and a context made by a function (XState loses timers on restore
 * and runs invoked promises again). *Contract:* assigns and guards are pure. That cannot be checked: one that reads a clock
 * passes.
 *
 * @example
 * assertReplayable(agentMachine)
 */
export function assertReplayable(machine: AnyStateMachine): void {
  checkArgument('The machine', machine?.root, 'an object')
  const refuseAt = (state: string, construct: string) => {
    throw new NotReplayableError({ machine: machine.id, state, construct })
  }
  if (typeof machine.config.context === 'function') refuseAt('(machine)', 'a context factory')
  for (const node of statesOf(machine.root)) {
    if (node.invoke.length > 0) refuseAt(node.key, 'invoke')
    if (node.after.length > 0) refuseAt(node.key, 'after')
    if (node.type === 'final') refuseAt(node.key, 'a final state')
    const transitions = [...node.transitions.values(), node.always ?? []].flat()
    const actions = [...node.entry, ...node.exit, ...transitions.flatMap((transition) => transition.actions)]
    for (const action of actions) {
      const construct = impureAction(machine, action)
      if (construct) refuseAt(node.key, construct)
    }
  }
}

/**
 * The scope that XState passes to a transition, made inert: anything that would act throws. A named action without an
 * implementation passes, because a bare name does nothing.
 */
const inertScope = {
  self: {},
  id: 'fold',
  sessionId: 'fold',
  logger: () => {},
  defer: refuse('defers a function'),
  emit: refuse('emits an event'),
  stopChild: refuse('stops a child'),
  system: { _sendInspectionEvent: () => {} },
  actionExecutor(action: { type: string; exec?: unknown }) {
    if (action.exec) refuse(`executes ${action.type}`)()
  },
} as unknown as AnyActorScope

function refuse(what: string) {
  return () => {
    throw new NotReplayableError({
      machine: '',
      state: '',
      construct: `something that ${what} in a transition`,
    })
  }
}

/** Actions that only compute the next context, as long as their functions are pure. All others act. */
const PURE_ACTIONS = new Set(['xstate.assign'])

/** The impure construct of an action, or undefined. A named action is judged by its implementation; a bare name is inert. */
function impureAction(machine: AnyStateMachine, action: unknown): string | undefined {
  const named = typeof action === 'string' ? action : (action as { type?: string }).type
  const implementation =
    typeof action === 'function' ? action : named ? machine.implementations.actions[named] : undefined
  if (implementation === undefined) return undefined
  const builtin = 'resolve' in implementation ? (implementation as { type?: string }).type : undefined
  if (builtin === undefined) return `the action ${named ?? implementation.name ?? '(a function)'}`
  return PURE_ACTIONS.has(builtin) ? undefined : builtin.replace('xstate.', '')
}

function statesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(statesOf)]
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
