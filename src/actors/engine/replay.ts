/**
 * Replays an actor's history step by step, folded by XState itself. The live actor folds with the tables of
 * `compiled-fold.ts`; a property test checks that both lead to the same states.
 */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import type { Recorded } from '../../events/envelope.ts'
import { defined } from '../../events/json.ts'
import type { EventStore } from '../../store/event-store.ts'
import type { ActorDefinition, Effect } from './definition.ts'
import { foldFact } from './fold-fact.ts'

/** One fact, with the state before and after it. */
export interface ReplayStep<M extends AnyStateMachine> {
  readonly recorded: Recorded
  readonly before: SnapshotFrom<M>
  readonly after: SnapshotFrom<M>
}

/** A replay step of any kind of actor. */
export type AnyReplayStep = ReplayStep<AnyStateMachine>

/** Replays a stream to its end, or up to and including a version. Runs no effects and needs no clock. */
export async function* replaySteps<M extends AnyStateMachine, E extends Effect>(
  { facts, fold }: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
  to?: number,
): AsyncGenerator<ReplayStep<M>> {
  let before = fold.initial
  for await (const recorded of store.read(stream, defined({ to }))) {
    const after = foldFact(fold.transition, before, facts, recorded)
    yield { recorded, before, after }
    before = after
  }
}
