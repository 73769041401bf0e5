/** The base of ready-made workflows: a team whose missing agents are created, and the pattern in which it works. */
import { concatMap, from, type Observable, toArray } from 'rxjs'
import { AgentExistsError } from '../events/errors/agent.ts'
import type { JsonObject } from '../events/json.ts'
import type { AgentOptions } from '../events/options/agent.ts'
import type { TaskInput } from '../events/task-input.ts'
import type { Answer } from '../patterns/answers.ts'
import type { Pattern } from '../patterns/pattern.ts'
import type { RunOptions } from '../patterns/runs/options.ts'
import type { Run } from '../patterns/runs/run.ts'

/** The part of an orchestrator that a template needs. */
export interface WorkflowHost {
  createAgent(options: AgentOptions): Promise<unknown>
  run(pattern: Pattern, input: string | TaskInput, options?: RunOptions): Run
}

/** Options of a ready-made workflow. */
export interface TemplateOptions {
  /** Further options for the agents that are created: a model, tools, a deadline. */
  readonly agents?: Partial<Omit<AgentOptions, 'id' | 'systemPrompt'>>
}

/** A template without an orchestrator: enough to resume its runs. */
export interface TemplateDefinition {
  /** Its name on the command line. */
  readonly template: string
  /** The options of its agents. */
  readonly roles: readonly AgentOptions[]
  readonly pattern: Pattern
}

/** A ready-made workflow: a team, and the pattern in which it works. */
export abstract class WorkflowTemplate {
  readonly #host: WorkflowHost
  readonly #definition: TemplateDefinition
  readonly #options: TemplateOptions

  constructor(orchestrator: WorkflowHost, definition: TemplateDefinition, options: TemplateOptions = {}) {
    this.#host = orchestrator
    this.#definition = definition
    this.#options = options
  }

  /** Creates the missing agents. Existing ones are used as they are. */
  async setup(): Promise<void> {
    for (const role of this.#definition.roles) {
      try {
        await this.#host.createAgent({ ...role, ...this.#options.agents })
      } catch (error) {
        if (!(error instanceof AgentExistsError)) throw error
      }
    }
  }

  /** Runs the workflow. The run can be resumed, from the command line too. */
  execute(
    input: string | TaskInput,
    options: Pick<RunOptions, 'id' | 'signal' | 'session' | 'budget'> = {},
  ): Run {
    const { template, pattern } = this.#definition
    const workflow: JsonObject = { kind: 'template', name: template }
    return this.#host.run(pattern, input, { ...options, name: template, workflow })
  }
}

/**
 * Continues with the answers of all agents. If one has failed, the run ends there with the answers of the others; resumed,
 * it asks only the failed one again.
 */
export const whenAllAnswered =
  (next: (answers: readonly Answer[]) => Observable<Answer>) =>
  (answers: Observable<Answer>): Observable<Answer> =>
    answers.pipe(
      toArray(),
      concatMap((all) => (all.some(({ error }) => error !== undefined) ? from(all) : next(all))),
    )
