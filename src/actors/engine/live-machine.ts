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
import type { ActorDefinition } from './definition.ts'

/** Receives XState's inspection events: a function or an observer. */
export type Inspection = NonNullable<ActorOptions<AnyActorLogic>['inspect']>

export type LiveLogic<M extends AnyStateMachine> = ActorLogic<
  SnapshotFrom<M> & Snapshot<unknown>,
  EventFromLogic<M>
>
export type LiveMachine<M extends AnyStateMachine> = Actor<LiveLogic<M>>

export function liveMachine<M extends AnyStateMachine>(
  { fold, live }: Pick<ActorDefinition<M, never>, 'fold' | 'live'>,
  id: string,
  snapshot: SnapshotFrom<M>,
  inspect: Inspection | undefined,
): LiveMachine<M> {
  const logic: LiveLogic<M> & { readonly config: M['config'] } = {
    getInitialSnapshot: () => snapshot as SnapshotFrom<M> & Snapshot<unknown>,
    transition: (before, fact) => (live(before, fact) as typeof before | undefined) ?? before,
    getPersistedSnapshot: (current) => current,
    // Inspectors draw the chart from here.
    config: fold.machine.config,
  }
  return createActor<LiveLogic<M>>(logic, defined({ id, inspect: inspect && reporting(inspect) })).start()
}

/** XState calls inspectors within a transition: what they throw goes to the host, and the transition is finished. */
function reporting(inspect: Inspection): Inspection {
  const next = typeof inspect === 'function' ? inspect : inspect.next?.bind(inspect)
  return (event) => callListener(next, event)
}
