/** What all ready-made workflows have in common: a team that is created where it is missing, and a pattern that it runs. */
import { concatMap, from, type Observable, toArray } from 'rxjs'
import { AgentExistsError } from '../events/errors/agent.ts'
import type { JsonObject } from '../events/json.ts'
import type { AgentOptions } from '../events/options/agent.ts'
import type { TaskInput } from '../events/task-input.ts'
import type { Answer, Pattern } from '../patterns/pattern.ts'
import type { Run } from '../patterns/runs/run.ts'
import type { RunOptions } from '../patterns/runs/runs.ts'

/** What a template needs of an orchestrator. */
export interface WorkflowHost {
  createAgent(options: AgentOptions): Promise<unknown>
  run(pattern: Pattern, input: string | TaskInput, options?: RunOptions): Run
}

/** Options of a ready-made workflow. */
export interface TemplateOptions {
  /** What the agents that are created have beside their role: a model, tools, a deadline. */
  readonly agents?: Partial<Omit<AgentOptions, 'id' | 'systemPrompt'>>
}

/** What makes a template, without an orchestrator: with it a run can be resumed. */
export interface TemplateDefinition {
  /** By which the command line knows it. */
  readonly template: string
  /** The agents, as they are created. */
  readonly roles: readonly AgentOptions[]
  readonly pattern: Pattern
}

/** A ready-made workflow: a team and the pattern in which it works. */
export abstract class WorkflowTemplate {
  readonly #host: WorkflowHost
  readonly #definition: TemplateDefinition
  readonly #options: TemplateOptions

  constructor(orchestrator: WorkflowHost, definition: TemplateDefinition, options: TemplateOptions = {}) {
    this.#host = orchestrator
    this.#definition = definition
    this.#options = options
  }

  /** Creates the agents that are missing. Those that exist are used as they are. */
  async setup(): Promise<void> {
    for (const role of this.#definition.roles) {
      try {
        await this.#host.createAgent({ ...role, ...this.#options.agents })
      } catch (error) {
        if (!(error instanceof AgentExistsError)) throw error
      }
    }
  }

  /** Runs the workflow. The run can be resumed, also from the command line. */
  execute(input: string | TaskInput, options: Pick<RunOptions, 'id' | 'signal'> = {}): Run {
    const { template, pattern } = this.#definition
    const workflow: JsonObject = { kind: 'template', name: template }
    return this.#host.run(pattern, input, { ...options, name: template, workflow })
  }
}

/** Goes on with what all have answered. Where one has failed the run ends there, with what the others gave: resumed, it
 * asks only that one again. */
export const whenAllAnswered =
  (next: (answers: readonly Answer[]) => Observable<Answer>) =>
  (answers: Observable<Answer>): Observable<Answer> =>
    answers.pipe(
      toArray(),
      concatMap((all) => (all.some(({ error }) => error !== undefined) ? from(all) : next(all))),
    )
