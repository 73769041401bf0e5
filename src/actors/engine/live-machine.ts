/** The live XState actor of a fold: subscribe to it, `waitFor` it, inspect it. It is sent facts and has no effects. */
import {
  type Actor,
  type ActorLogic,
  type ActorOptions,
  type AnyActorLogic,
  type AnyStateMachine,
  createActor,
  type EventFromLogic,
  type Snapshot,
  type SnapshotFrom,
} from 'xstate'
import { defined } from '../../events/json.ts'
import { callListener } from '../../events/listener.ts'
import type { Fold } from './fold.ts'

/** Receives XState's inspection events: a function or an observer. */
export type Inspection = NonNullable<ActorOptions<AnyActorLogic>['inspect']>

export type LiveLogic<M extends AnyStateMachine> = ActorLogic<
  SnapshotFrom<M> & Snapshot<unknown>,
  EventFromLogic<M>
>
export type LiveMachine<M extends AnyStateMachine> = Actor<LiveLogic<M>>

/** @param state The state of now: when the machine is sent a fact, that is folded. */
export function liveMachine<M extends AnyStateMachine>(
  { machine }: Fold<M>,
  id: string,
  state: () => SnapshotFrom<M>,
  inspect: Inspection | undefined,
): LiveMachine<M> {
  const now = state as () => SnapshotFrom<M> & Snapshot<unknown>
  const logic: LiveLogic<M> & { readonly config: M['config'] } = {
    getInitialSnapshot: now,
    transition: now,
    getPersistedSnapshot: (current) => current,
    // Inspectors draw the chart from here.
    config: machine.config,
  }
  return createActor<LiveLogic<M>>(logic, defined({ id, inspect: inspect && reporting(inspect) })).start()
}

/** XState calls inspectors within a transition: what they throw goes to the host, and the transition is finished. */
function reporting(inspect: Inspection): Inspection {
  const next = typeof inspect === 'function' ? inspect : inspect.next?.bind(inspect)
  return (event) => callListener(next, event)
}
