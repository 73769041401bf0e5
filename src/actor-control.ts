/** The part of the orchestrator that supervises, and that brings actors of the user's own to life. */
import type { ActorRef, AnyStateMachine, OwnKind, SnapshotFrom } from './actors/own/definition.ts'
import type { SupervisorSpecification } from './actors/supervision/specification.ts'
import type { Supervisor } from './actors/supervision/supervisor.ts'
import type { Parts } from './assembly.ts'
import type { SupervisionFailedError } from './events/errors/supervision.ts'
import { TaskControl } from './task-control.ts'

export abstract class ActorControl extends TaskControl {
  /** As long as no supervision tree has given up. */
  protected abstract get alive(): Parts

  /**
   * Starts a supervision tree, and resolves when its children run; after a restart of the program it goes on with what the
   * log says. Throws InvalidSpecificationError, SupervisorExistsError, ChildStartError.
   *
   * @example
   * await orchestrator.supervise({ id: 'team', strategy: 'one-for-all', children: [{ agent: 'writer' }, { agent: 'critic' }] })
   */
  async supervise(specification: SupervisorSpecification): Promise<Supervisor> {
    return this.alive.supervisors.supervise(specification)
  }

  /**
   * Brings an actor of your own to life: the same one where it lives already, with the state that its log has. See
   * `defineActor`. Throws InvalidIdError, and CorruptRecord or UnknownFactError where its facts cannot be read.
   */
  async spawn<C, R, M extends AnyStateMachine>(
    kind: OwnKind<C, R, M>,
    id: string,
  ): Promise<ActorRef<C, R, SnapshotFrom<M>>> {
    return this.alive.own.spawn(kind, id)
  }

  /** Makes kinds of actors known without spawning any: their streams can be replayed. */
  registerActors(kinds: readonly OwnKind[]): void {
    this.parts.own.register(kinds)
  }

  /** A supervisor that runs, at whatever level of a tree. Throws SupervisorStoppedError. */
  supervisor(id: string): Supervisor {
    return this.parts.supervisors.get(id)
  }

  /** Resolves with the error when a tree has given up: nothing is done any more then. Closing still works. */
  get failed(): Promise<SupervisionFailedError> {
    return this.parts.downfall.failed
  }
}
