/** The part of the orchestrator that looks back, and goes on from where it was once. */
import type { Agent } from './actors/agent/agent.ts'
import type { agentMachine } from './actors/agent/machine.ts'
import type { ForkOptions } from './actors/agent/session/fork.ts'
import type { StateAt, When } from './actors/engine/fold-at.ts'
import type { AnyStep, Step } from './actors/engine/replay.ts'
import type { supervisorMachine } from './actors/supervision/machine.ts'
import type { Parts } from './assembly.ts'
import type { Recorded } from './events/envelope.ts'
import type { CauseLine } from './history/causes.ts'
import type { LogRange } from './history/history.ts'
import type { ReplayOptions } from './history/replay-stream.ts'
import type { ReplayReport } from './history/verify-replay.ts'
import type { ForkedRun, RunForkOptions } from './patterns/runs/fork.ts'
import type { runMachine } from './patterns/runs/machine.ts'
import { WorkflowShortcuts } from './workflow-shortcuts.ts'

export abstract class TimeTravel extends WorkflowShortcuts {
  protected abstract get parts(): Parts

  /** What has been written, and no more. Throws StreamNotFoundError where the stream that is named has no facts. */
  log(range: LogRange = {}): AsyncGenerator<Recorded> {
    return this.parts.history.log(range)
  }

  /**
   * Goes through the history of the stream of an actor, offline: each fact, and the state before and after it. Throws
   * StreamNotFoundError, VersionNotFoundError, UnknownKindError for an actor of your own whose definition was not given.
   */
  replay(stream: `agent/${string}`, options?: ReplayOptions): AsyncGenerator<Step<typeof agentMachine>>
  replay(stream: `run/${string}`, options?: ReplayOptions): AsyncGenerator<Step<typeof runMachine>>
  replay(
    stream: `supervisor/${string}`,
    options?: ReplayOptions,
  ): AsyncGenerator<Step<typeof supervisorMachine>>
  replay(stream: string, options?: ReplayOptions): AsyncGenerator<AnyStep>
  replay(stream: string, options: ReplayOptions = {}): AsyncGenerator<AnyStep> {
    return this.parts.history.replay(stream, options)
  }

  /**
   * The state of an actor: after the fact of a version, at a time, or now. Throws StreamNotFoundError,
   * VersionNotFoundError, BeforeFirstFactError.
   *
   * @example
   * const { state } = await orchestrator.stateAt('agent/researcher', 12)
   */
  async stateAt(stream: string, when?: When): Promise<StateAt> {
    return this.parts.history.stateAt(stream, when)
  }

  /** Folds the log, or a stream, again and compares with what was written down meanwhile. Makes no call. */
  async verifyReplay(options?: { readonly stream?: string }): Promise<ReplayReport> {
    return this.parts.history.verify(options)
  }

  /** What led to the fact at a position, back to the command, through agents and runs. Throws PositionNotFoundError. */
  async why(position: number): Promise<readonly CauseLine[]> {
    return this.parts.history.why(position)
  }

  /**
   * A new agent that goes on with another one's conversation as it was at a version. The other one stays as it is. Throws
   * AgentNotFoundError, VersionNotFoundError, CannotForkError, AgentExistsError.
   *
   * @example
   * const bolder = await orchestrator.fork('writer', { at: 9, as: 'bolder_writer' })
   */
  async fork(agent: string, options: ForkOptions): Promise<Agent> {
    return this.parts.agents.fork(agent, options)
  }

  /**
   * A new run that takes over what another one had answered before a step; resume it to go on from there. Throws
   * RunNotFoundError, StepNotFoundError, CannotForkError.
   */
  async forkRun(runId: string, options: RunForkOptions): Promise<ForkedRun> {
    return this.parts.runs.fork(runId, options)
  }
}
