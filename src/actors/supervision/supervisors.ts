/** The supervision trees of an orchestrator: started, found by name, and stopped in order. */
import { SupervisorStoppedError } from '../../events/errors/supervision.ts'
import { checkSpecification, type SupervisorSpecification } from './specification.ts'
import { type LivingSupervisors, Supervisor } from './supervisor.ts'
import type { SupervisionEnvironment } from './worker.ts'

export class Supervisors {
  readonly #environment: SupervisionEnvironment
  readonly #living: LivingSupervisors = new Map()
  #closing = false

  constructor(environment: Omit<SupervisionEnvironment, 'isClosing'>) {
    this.#environment = { ...environment, isClosing: () => this.#closing }
  }

  /** Starts a tree. Resolves when all children run. */
  async supervise(specification: SupervisorSpecification): Promise<Supervisor> {
    return Supervisor.start(checkSpecification(specification), this.#environment, this.#living)
  }

  /** A running supervisor, at any level of a tree. Throws SupervisorStoppedError. */
  get(id: string): Supervisor {
    const supervisor = this.#living.get(id)
    if (!supervisor) throw new SupervisorStoppedError({ supervisor: id })
    return supervisor
  }

  /** An agent was removed: where it is a child that does not run, that child ends with its specification. */
  agentRemoved(agent: string): void {
    for (const supervisor of this.#living.values()) supervisor.agentRemoved(agent)
  }

  /**
   * Stops the trees, the last one first, also those still starting. Records nothing, so that the next process can resume
   * them.
   */
  async close(): Promise<void> {
    this.#closing = true
    const roots = [...this.#living.values()].filter(({ isRoot }) => isRoot)
    for (const root of roots.toReversed()) await root.stop()
  }
}
