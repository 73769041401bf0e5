/** A machine as a fold over facts, and the check that it contains no construct that acts. */
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

/** Actions that only compute the next context, as long as their functions are pure. All others act. */
const PURE_ACTIONS = new Set(['xstate.assign'])

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

function statesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(statesOf)]
}

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
