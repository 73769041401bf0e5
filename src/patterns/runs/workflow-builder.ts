/**
 * What a run executes: its workflow, built from code, from data, or by a name that the program offers, and the agents of its
 * team, made where they are missing.
 */
import type { AgentRef } from '../../actors/agent/ref.ts'
import type { AgentSystem } from '../../actors/agent/system.ts'
import { AgentExistsError } from '../../events/errors/agent.ts'
import { WorkflowChangedError, WorkflowNotBuiltError } from '../../events/errors/run.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { JsonObject } from '../../events/json.ts'
import { nameHint } from '../../events/nearest-name.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import type { Pattern } from '../pattern.ts'
import type { RunContext } from './machine.ts'
import type { BuildWorkflow, BuiltWorkflow, Workflow } from './options.ts'
import { configFingerprint } from './step-key.ts'

export interface BuildSources {
  /** The patterns that the program offers by name. */
  readonly offered: Readonly<Record<string, Pattern>>
  readonly build: BuildWorkflow
}

export class WorkflowBuilder {
  readonly #sources: BuildSources
  readonly #agents: AgentSystem

  constructor(sources: BuildSources, agents: AgentSystem) {
    this.#sources = sources
    this.#agents = agents
  }

  /** Whether a workflow may be built here: it is data, or a pattern that this program offers. */
  canBuild(workflow: RunContext['workflow']): boolean {
    if (workflow?.kind === 'program') return Object.hasOwn(this.#sources.offered, String(workflow.name))
    return workflow !== null
  }

  /** Throws InvalidInputError and ConfigError. */
  async build(workflow: Workflow): Promise<BuiltWorkflow> {
    if (typeof workflow === 'function')
      return { pattern: workflow, name: 'workflow', workflow: null, hash: null }
    checkArgument('The workflow', workflow, 'an object')
    if (workflow.kind !== 'program') return this.#sources.build(workflow)
    const { offered } = this.#sources
    const name = String(workflow.name)
    if (Object.hasOwn(offered, name))
      return {
        pattern: offered[name] as Pattern,
        name,
        workflow: { kind: 'program', name },
        hash: null,
      }
    const names = Object.keys(offered)
    const hint =
      names.length === 0
        ? 'Offer it: Orchestrator.open({ workflows: { name: pattern } })'
        : nameHint(name, names)
    throw new InvalidInputError({ what: 'workflow', problem: `this program offers no "${name}"`, hint })
  }

  /**
   * The workflow with which a run is resumed: the one given, else the one that it recorded. Throws WorkflowNotBuiltError, and
   * InvalidInputError if that was code.
   */
  async buildAgain(
    runId: string,
    { workflow }: RunContext,
    given: Workflow | undefined,
    build = (data: Workflow) => this.build(data),
  ): Promise<BuiltWorkflow> {
    if (given !== undefined) return build(given)
    if (workflow === null) {
      const problem = 'a program started it, and its workflow exists only in code'
      const hint = 'Resume it in that program, or name its code: --module FILE'
      throw new InvalidInputError({ what: `Run ${runId}`, problem, hint })
    }
    try {
      return await build(workflow)
    } catch (cause) {
      throw new WorkflowNotBuiltError({ runId, problem: (cause as Error).message }, { cause })
    }
  }

  /** A reference to a workflow as any process finds it. Throws what starting a run of it would. */
  async sealed(workflow: JsonObject): Promise<JsonObject> {
    const { pattern, workflow: reference } = await this.build(workflow)
    const created = new Set(pattern.team?.map(({ id }) => id))
    for (const agent of pattern.agents ?? []) if (!created.has(agent)) await this.#agents.get(agent)
    return reference ?? workflow
  }

  /**
   * Creates the agents that are missing from the team of a workflow: all of them, or none. An unknown agent is an error
   * before the first call.
   */
  async assemble({ agents = [], team = [] }: Pattern): Promise<void> {
    const created: AgentRef[] = []
    try {
      for (const options of team) {
        // What it once began from may be gone.
        if ((await this.#agents.stateOf(options.id)).value !== 'absent') continue
        await this.#agents.create(options).then(
          (agent) => created.push(agent),
          (error) => {
            if (!(error instanceof AgentExistsError)) throw error
          },
        )
      }
      for (const agent of agents) await this.#agents.get(agent)
    } catch (error) {
      for (const { id } of created) await this.#agents.remove(id, { force: true }).catch(() => {})
      throw error
    }
  }

  /** What the key of a step has of its agent, also of one of the team that resuming will make. */
  async fingerprint(agent: string, team: Pattern['team'] = []): Promise<string> {
    const options = team.find(({ id }) => id === agent)
    const isMissing = options && (await this.#agents.stateOf(agent)).value === 'absent'
    if (isMissing) return configFingerprint(await this.#agents.configOf(options))
    return configFingerprint((await this.#agents.get(agent)).snapshot.context.config)
  }
}

/** Whether a run was last executed with another workflow, as far as both are known. */
export const hasChanged = ({ hash: recorded }: RunContext, { hash }: BuiltWorkflow): boolean =>
  hash !== null && recorded !== undefined && recorded !== hash

/** Throws {@link WorkflowChangedError}. */
export function refuseChange(runId: string, context: RunContext, built: BuiltWorkflow): void {
  if (hasChanged(context, built)) throw new WorkflowChangedError({ runId })
}
