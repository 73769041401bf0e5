/** Going through an actor's history as it happened: the same fold as the live actor's, and nothing else. */
import type { AnyStateMachine, SnapshotFrom } from 'xstate'
import type { Recorded } from '../../events/envelope.ts'
import type { EventStore } from '../../store/event-store.ts'
import type { ActorDefinition, Effect } from './definition.ts'

/** One fact, and what it changed. */
export interface ReplayStep<M extends AnyStateMachine> {
  readonly recorded: Recorded
  readonly before: SnapshotFrom<M>
  readonly after: SnapshotFrom<M>
}

/** The same, of whatever kind of actor. */
export type AnyReplayStep = ReplayStep<AnyStateMachine>

/** Replays a stream, to the end or up to and including a version. Runs no effect and needs no clock. */
export async function* replaySteps<M extends AnyStateMachine, E extends Effect>(
  { facts, fold }: ActorDefinition<M, E>,
  store: EventStore,
  stream: string,
  to?: number,
): AsyncGenerator<ReplayStep<M>> {
  let before = fold.initial
  for await (const recorded of store.read(stream, to === undefined ? {} : { to })) {
    const after = fold.transition(before, facts.read(recorded))
    yield { recorded, before, after }
    before = after
  }
}
