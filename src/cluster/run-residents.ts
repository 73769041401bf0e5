/** The runs that this worker executes: each is resumed where it comes to life, and left at once where it goes. */
import { inTime, systemClock } from '../clock.ts'
import { heard } from '../events/listener.ts'
import type { InterruptRequest } from '../owner/commands.ts'
import { type OwnedSystem, OwnerCommands } from '../owner/served-commands.ts'
import { errorLine } from '../owner/wire.ts'
import type { StepEvent } from '../patterns/runs/step-event.ts'
import type { WorkerDuties } from './duties.ts'
import { ClaimedHere } from './handover/claimed-here.ts'
import { type ClaimedLog, executionOf } from './handover/claims.ts'
import type { EntityCommand, EntityRun } from './requests.ts'

export interface RunningSystem extends OwnedSystem {
  readonly duties: WorkerDuties
  readonly runs: OwnedSystem['runs'] & {
    cancel(runId: string, reason: string, verdict: object): Promise<void>
  }
}

/** A workflow is usually built at once, but its module may take for ever. */
const BUILT_WITHIN_MS = 10_000

export class RunResidents extends ClaimedHere {
  readonly #system: RunningSystem
  readonly #commands: OwnerCommands
  /** Resolves when the worker has nothing more to do for the agents that move together with a run. */
  readonly #beforeLeaving: (runId: string) => Promise<unknown>

  constructor(
    system: RunningSystem,
    log: ClaimedLog,
    worker: string,
    beforeLeaving: (runId: string) => Promise<unknown>,
  ) {
    super(log)
    this.#system = system
    this.#beforeLeaving = beforeLeaving
    const is = {
      assertTaking: () => {},
      assertServing: () => {},
      isActive: (id: string) => system.duties.isActive(id),
    }
    this.#commands = new OwnerCommands(system, { worker }, is)
  }

  protected streamOf(id: string): string {
    return executionOf(id)
  }

  protected release(id: string): Promise<void> {
    return this.#system.duties.releaseRun(id)
  }

  /** Throws Fenced. */
  async execute(id: string): Promise<void> {
    this.assertHere(id)
  }

  protected override async entered(id: string): Promise<void> {
    // What is wrong with it is told to who asks for it.
    if (this.has(id)) await this.#take(id).catch(() => {})
  }

  protected async depart(id: string): Promise<void> {
    if (this.has(id)) await this.#beforeLeaving(id)
    await this.letGo(id)
  }

  /** Those that live here and have not begun, and why: one that is being resumed waits until it has, because that may fail. */
  get waiting(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#system.duties.waitingRuns()].filter(([id]) => this.has(id)))
  }

  /** Never rejects: an error is an answer. */
  async command(id: string, request: string): Promise<string> {
    try {
      this.assertHere(id)
      const { method, args } = JSON.parse(request) as EntityCommand
      return JSON.stringify({ result: await this.#command(id, method, args) })
    } catch (error) {
      return JSON.stringify(errorLine(error))
    }
  }

  async #command(id: string, method: string, args: readonly unknown[]): Promise<unknown> {
    switch (method) {
      case 'drive':
        await this.#take(id)
        // The engine ends what has no request for long.
        await this.#system.duties.runEnded(id)
        return null
      case 'cancel':
        await this.#system.runs.cancel(id, String(args[0]), Object(args[1]))
        return null
      case 'interrupt': {
        const interruption = args[0] as InterruptRequest
        // It was asked for elsewhere, and is asked for again here.
        if (!this.#commands.runOf(interruption.ask)) return null
        return this.#commands.interrupt(interruption)
      }
      default:
        throw new TypeError(`${JSON.stringify(method)} is not a command of a run`)
    }
  }

  /** What becomes of a run. It continues when this is left. */
  async *follow(id: string, request: string): AsyncGenerator<string> {
    const { after, ...run } = JSON.parse(request) as EntityRun
    const gone = new AbortController()
    yield* heard<string>((next, end) => {
      const write = (line: unknown) => void next(JSON.stringify(line))
      const lines = { write: (line: unknown) => void write(line), backlog: 0, abandon: end }
      const tell = async () => {
        this.assertHere(id)
        const steps: StepEvent[] = []
        const begun =
          this.#commands.runOf(run.ask) ??
          (await this.#system.duties.begunBefore(id, after, (step) => steps.push(step)))
        if (begun && !('begun' in begun)) {
          write({ begun: begun.agents })
          for (const step of steps) write({ step })
          return write({ result: begun })
        }
        await this.#commands.run(run, lines, gone.signal, begun)
      }
      tell()
        .catch((error) => write(errorLine(error)))
        .finally(end)
      return () => gone.abort()
    })
  }

  async #take(id: string): Promise<void> {
    await inTime(systemClock, this.#system.duties.takeRun(id), BUILT_WITHIN_MS, undefined)
  }
}
