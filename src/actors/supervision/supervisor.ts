/** A running supervision tree as its users hold it: to inspect, change and stop. */
import type { Failure } from '../../events/agent-facts.ts'
import {
  ChildAlreadyStartedError,
  SupervisionFailedError,
  SupervisorExistsError,
  SupervisorStoppedError,
} from '../../events/errors/supervision.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import type { ChildData } from '../../events/options/supervision.ts'
import type { SupervisorFact } from '../../events/supervisor-facts.ts'
import { Ending, type Exit, failureOf, KILLED, type Supervised } from '../engine/exit.ts'
import { Life } from '../engine/life.ts'
import { inStartOrder } from './child-table.ts'
import { checkNewChild, checkStopped, knownChild, type Next } from './decisions.ts'
import { supervisorKind } from './machine.ts'
import {
  type CheckedChild,
  type ChildSpecification,
  checkNewSpecification,
  type Specification,
  templateChild,
} from './specification.ts'
import type { ChildState } from './state.ts'
import {
  causeOf,
  type End,
  isRemovedAgent,
  type SupervisionEnvironment,
  type SupervisorActor,
  SupervisorWorker,
} from './worker.ts'

/** The running supervisors of this process, by id. */
export type LivingSupervisors = Map<string, Supervisor>

/** A child of a supervisor as it is now. */
export interface ChildInfo {
  readonly id: string
  readonly status: ChildState['status']
  /** The number of its restarts. */
  readonly restarts: number
  readonly type: ChildData['type']
  readonly restart: ChildData['restart']
  /** When it will be restarted, if a restart is scheduled. */
  readonly dueAt: string | null
  /** Why it last ended or failed to start; null while it runs. */
  readonly failure: Failure | null
  /** The agent, the supervisor, or what `start` returned; null while it does not run. */
  readonly ref: unknown
}

export class Supervisor implements Supervised, AsyncDisposable {
  readonly id: string
  readonly #specification: Specification
  readonly #actor: SupervisorActor
  readonly #environment: SupervisionEnvironment
  readonly #living: LivingSupervisors
  readonly #parent: string | null
  readonly #worker: SupervisorWorker
  readonly #ending = new Ending()
  /** The specification of each child, with the code that starts it. */
  readonly #sources = new Map<string, CheckedChild>()
  #stopping: Promise<void> | undefined
  #finishing: Promise<void> | undefined

  private constructor(
    specification: Specification,
    actor: SupervisorActor,
    environment: SupervisionEnvironment,
    living: LivingSupervisors,
    parent: string | null,
  ) {
    this.id = specification.id
    this.#specification = specification
    this.#actor = actor
    this.#environment = environment
    this.#living = living
    this.#parent = parent
    for (const child of specification.children) this.#sources.set(child.data.id, child)
    this.#worker = new SupervisorWorker(
      this.id,
      actor,
      environment,
      (data, again) => this.#launch(data, again),
      (end) => this.#endBySelf(end),
    )
  }

  /**
   * Starts a tree. If the log says that it was running when its process ended, it resumes with the children that were
   * added and terminated and the restarts so far. Throws ChildStartError, SupervisorExistsError.
   *
   * @param again Whether its own supervisor restarts it. Then agents that were removed meanwhile are left out.
   */
  static async start(
    specification: Specification,
    environment: SupervisionEnvironment,
    living: LivingSupervisors,
    parent: string | null = null,
    again = false,
  ): Promise<Supervisor> {
    const { id, rules, children } = specification
    if (living.has(id)) throw new SupervisorExistsError({ supervisor: id })
    const actor = await Life.load(supervisorKind, id, environment)
    if (living.has(id)) throw new SupervisorExistsError({ supervisor: id })
    if (environment.isClosing()) throw new ClosedError({ what: 'orchestrator' })
    if (parent !== null && living.get(parent)?.status !== 'running')
      throw new SupervisorStoppedError({ supervisor: parent })
    const supervisor = new Supervisor(specification, actor, environment, living, parent)
    living.set(id, supervisor)
    const started = { rules, parent, children: children.map(({ data }) => data) }
    // Within one turn of the mailbox, so that a start that fails has ended before anything else happens.
    await supervisor.#worker.mailbox.post(async () => {
      try {
        await supervisor.#worker.record({ type: 'SupervisorStarted', data: started })
        await supervisor.#worker.startAll(
          again,
          (child) => again || !children.some(({ data }) => data.id === child),
        )
      } catch (error) {
        supervisor.#stopping ??= supervisor.#ended()
        await supervisor.#end('not-started', { reason: 'crashed', error: failureOf(error) })
        throw error
      }
    })
    return supervisor
  }

  /** Whether it has no parent. */
  get isRoot(): boolean {
    return this.#parent === null
  }

  /** `running`, then `stopping` until its children have ended, then `stopped`. */
  get status(): 'running' | 'stopping' | 'stopped' {
    if (this.#ending.exit) return 'stopped'
    return this.#stopping ? 'stopping' : 'running'
  }

  /** The whole state, as XState has it. */
  get snapshot(): SupervisorActor['snapshot'] {
    return this.#actor.snapshot
  }

  /** The children, in start order. */
  children(): readonly ChildInfo[] {
    return inStartOrder(this.snapshot.context.children).map((child) =>
      childInfo(child, this.#worker.children.get(child.data.id)),
    )
  }

  /** The number of children and of running ones. Constant cost. */
  counts(): { readonly specs: number; readonly running: number } {
    const { specs, running } = this.snapshot.context
    return { specs, running }
  }

  /**
   * Starts a new child after the existing ones; it is not kept if it fails to start. Throws InvalidSpecificationError,
   * ChildAlreadyStartedError, ChildAlreadyPresentError, ChildStartError.
   *
   * @example
   * await supervisor.startChild({ agent: 'writer', restart: 'transient' })
   */
  async startChild(specification: ChildSpecification): Promise<ChildInfo> {
    const checked = checkNewSpecification(specification, this.#specification)
    const { id } = checked.data
    const { recording } = await this.#command(async () => {
      if (this.#worker.children.has(id))
        throw new ChildAlreadyStartedError({ supervisor: this.id, child: id })
      checkNewChild(this.id, this.snapshot.context, id)
      this.#sources.set(id, checked)
      const { type, data } = await this.#worker.start(checked.data, false)
      return { recording: this.#worker.record({ type, data: { ...data, child: checked.data } }) }
    })
    return this.#started(id, recording)
  }

  /** Stops a child; its specification stays, unless it is temporary or dynamic. Throws ChildNotFoundError. */
  async terminateChild(id: string): Promise<void> {
    await this.#command(async () => {
      const { children } = this.#worker
      const state = await this.#worker.state()
      const child = knownChild(this.id, state, id)
      if (child.status === 'stopped' && !children.has(id)) return
      await this.#worker.terminate(child)
    })
  }

  /**
   * Starts a child that was terminated or that ended and is not restarted by itself. Throws ChildNotFoundError,
   * ChildRunningError, ChildRestartingError, NotForDynamicChildrenError, ChildStartError.
   */
  async restartChild(id: string): Promise<ChildInfo> {
    const { recording } = await this.#command(async () => {
      const { data } = checkStopped(this.id, await this.#worker.state(), id, 'restartChild')
      try {
        return { recording: this.#worker.record(await this.#worker.start(data, true)) }
      } catch (error) {
        await this.#worker.record(
          isRemovedAgent(data, error)
            ? { type: 'ChildDeleted', data: { id } }
            : { type: 'ChildStartFailed', data: { id, error: failureOf(causeOf(error)) } },
        )
        throw error
      }
    })
    return this.#started(id, recording)
  }

  /**
   * Deletes a stopped child. Throws ChildNotFoundError, ChildRunningError, ChildRestartingError,
   * NotForDynamicChildrenError.
   */
  async deleteChild(id: string): Promise<void> {
    await this.#command(async () => {
      checkStopped(this.id, await this.#worker.state(), id, 'deleteChild')
      await this.#worker.record({ type: 'ChildDeleted', data: { id } })
      this.#sources.delete(id)
    })
  }

  watch(ended: (exit: Exit) => void): () => void {
    return this.#ending.watch(ended)
  }

  /** Stops the children in reverse order, each within its shutdown time, and then ends. */
  stop(reason: 'normal' | 'shutdown' = 'shutdown'): Promise<void> {
    this.#stopping ??= this.#orderlyEnd('asked', { reason, error: null })
    return this.#stopping
  }

  async kill(): Promise<void> {
    if (this.#ending.exit) return
    this.#stopping ??= this.#ended()
    this.#worker.children.leave()
    for (const starting of this.#starting()) await starting.kill()
    await this.#worker.children.kill()
    await this.#finish('killed', KILLED)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** An agent was removed: a child that it was, and that does not run, ends with its specification. */
  agentRemoved(agent: string): void {
    this.#worker.agentRemoved(agent)
  }

  #ended(): Promise<void> {
    return new Promise((resolve) => this.watch(() => resolve()))
  }

  /** The supervisors below that are still starting: they are no children yet. */
  #starting(): readonly Supervisor[] {
    return [...this.#living.values()].filter(
      (one) => one.#parent === this.id && !this.#worker.children.has(one.id),
    )
  }

  /** Its own decision, taken within a turn of the mailbox. */
  async #endBySelf(end: End): Promise<void> {
    this.#stopping ??= this.#ended()
    const exit: Exit = { reason: 'shutdown', error: null }
    if (end.reason === 'auto-shutdown') return this.#end(end.reason, exit)
    const failure = escalation(this.#specification, end)
    // Reported before the children are stopped, so that their callers learn this reason and not that they were stopped.
    if (this.#parent === null) this.#environment.failed(failure, this.#stopping)
    await this.#end(end.reason, { ...exit, error: failureOf(failure) })
  }

  async #orderlyEnd(reason: Stopped['reason'], exit: Exit): Promise<void> {
    this.#worker.children.leave()
    await this.#worker.mailbox.post(() => this.#end(reason, exit))
  }

  async #end(reason: Stopped['reason'], exit: Exit): Promise<void> {
    if (this.#ending.exit) return
    for (const starting of this.#starting()) await starting.stop()
    await this.#worker.stopAll()
    await this.#finish(reason, exit)
  }

  /** Only the first end counts: by the second one, another supervisor may have this id. */
  #finish(reason: Stopped['reason'], exit: Exit): Promise<void> {
    this.#finishing ??= this.#conclude(reason, exit)
    return this.#finishing
  }

  async #conclude(reason: Stopped['reason'], exit: Exit): Promise<void> {
    try {
      await this.#worker.record({ type: 'SupervisorStopped', data: { reason } })
    } catch (error) {
      this.#environment.logger.error(
        { supervisor: this.id, error },
        'the end of a supervisor could not be recorded',
      )
    }
    await this.#actor.close()
    this.#living.delete(this.id)
    this.#ending.end(exit)
  }

  #launch(data: ChildData, again: boolean): Supervised | Promise<Supervised> {
    const known = this.#sources.get(data.id) ?? templateChild(this.#specification, data)
    this.#sources.set(data.id, known)
    const { start, supervisor } = known
    if (supervisor) return Supervisor.start(supervisor, this.#environment, this.#living, this.id, again)
    if (start) return start({ id: data.id, argument: data.argument ?? null })
    return this.#environment.startAgent(data.agent ?? data.id, this.id)
  }

  /** Throws if the supervisor is ending. */
  #command<T>(work: () => Promise<T>): Promise<T> {
    return this.#worker.command(async () => {
      if (this.#environment.isClosing()) throw new ClosedError({ what: 'orchestrator' })
      if (this.#stopping) throw new SupervisorStoppedError({ supervisor: this.id })
      return work()
    })
  }

  async #started(id: string, recording: Promise<unknown>): Promise<ChildInfo> {
    await this.#worker.keep(id, recording)
    if (this.#environment.isClosing()) throw new ClosedError({ what: 'orchestrator' })
    return this.#known(id)
  }

  #known(id: string): ChildInfo {
    return childInfo(knownChild(this.id, this.snapshot.context, id), this.#worker.children.get(id))
  }
}

type Stopped = Extract<SupervisorFact, { type: 'SupervisorStopped' }>['data']

function childInfo(
  { data, status, restarts, dueAt, failure }: ChildState,
  child: Supervised | undefined,
): ChildInfo {
  const { id, type, restart } = data
  const ref = child && ('ref' in child ? child.ref : child)
  return { id, status, restarts, type, restart, dueAt, failure, ref: ref ?? null }
}

/** The error that says why a supervisor gave up, the same at each level up to the root of the tree. */
function escalation(
  { id: supervisor, rules }: Specification,
  { id: child, restarts, error }: Extract<Next, { reason: 'escalated' }>,
): SupervisionFailedError {
  // The cause that a supervisor below reported stays.
  const { code = error?.tag, problem = error?.message, remedy = error?.hint } = error?.details ?? {}
  return new SupervisionFailedError({
    supervisor,
    child,
    restarts,
    withinMs: rules.intensity.withinMs,
    code: String(code ?? ''),
    problem: String(problem ?? ''),
    remedy: String(remedy ?? ''),
  })
}
