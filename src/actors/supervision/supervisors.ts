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

  /** Resolves when all children run. */
  async supervise(specification: SupervisorSpecification): Promise<Supervisor> {
    return Supervisor.start(checkSpecification(specification), this.#environment, this.#living)
  }

  /** A supervisor that lives, at whatever level. Throws SupervisorStoppedError. */
  get(id: string): Supervisor {
    const supervisor = this.#living.get(id)
    if (!supervisor) throw new SupervisorStoppedError({ supervisor: id })
    return supervisor
  }

  /**
   * Stops the trees, the last one first, and those that are still starting. The log stays as it is: the next process goes
   * on with them.
   */
  async close(): Promise<void> {
    this.#closing = true
    const roots = [...this.#living.values()].filter(({ isRoot }) => isRoot)
    for (const root of roots.toReversed()) await root.stop()
  }
}
