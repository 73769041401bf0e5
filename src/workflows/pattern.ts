/** The references to workflows, and the patterns that they refer to. */
import {
  checkDefinition,
  type NamedWorkflow,
  type WorkflowDefinition,
} from '../config/workflow-definition.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { defined, type JsonObject } from '../events/json.ts'
import { nameHint } from '../events/nearest-name.ts'
import { checkArgument } from '../events/options/decoding.ts'
import { type FleetOptions, type FleetTask, fleet } from '../patterns/fleet.ts'
import { type Pattern, patternOf, runStep } from '../patterns/pattern.ts'
import { BrainstormWorkflow } from './brainstorm.ts'
import { CodeReviewWorkflow } from './code-review.ts'
import { definedPattern, namedWorkflow } from './defined-pattern.ts'
import { exportedPattern } from './exported-pattern.ts'
import { ResearchWorkflow } from './research.ts'

/** A reference to a workflow as JSON, recorded with its runs. */
export type WorkflowReference =
  | ({ readonly kind: 'agents' } & WorkflowDefinition)
  | { readonly kind: 'template'; readonly name: string }
  /** `file`: the configuration file. */
  | { readonly kind: 'config'; readonly name: string; readonly file?: string }
  | { readonly kind: 'module'; readonly file: string; readonly export: string }
  | ({ readonly kind: 'fleet'; readonly tasks: readonly FleetTask[] } & FleetOptions)
  /** A pattern that the program offers: `Orchestrator.open({ workflows: { name: pattern } })`. */
  | { readonly kind: 'program'; readonly name: string }

/** The workflows that a reference can refer to. */
export interface WorkflowSources {
  /** The workflows of the configuration file. */
  readonly workflows?: readonly NamedWorkflow[]
  /** The exports of the referenced module. */
  readonly module?: Readonly<Record<string, unknown>>
}

/** The ready-made workflows, by name. */
export const TEMPLATES = {
  research: ResearchWorkflow,
  'code-review': CodeReviewWorkflow,
  brainstorm: BrainstormWorkflow,
} as const

/** The template with this name, or an InvalidInputError that suggests the one that was probably meant. */
export function templateNamed(name: string): (typeof TEMPLATES)[keyof typeof TEMPLATES] {
  if (Object.hasOwn(TEMPLATES, name)) return TEMPLATES[name as keyof typeof TEMPLATES]
  const hint = nameHint(name, Object.keys(TEMPLATES))
  throw new InvalidInputError({ what: 'workflow template', problem: `there is no "${name}"`, hint })
}

/**
 * The pattern that a reference refers to. The same reference and sources always give the same pattern, so a run can be
 * resumed with it.
 *
 * @throws InvalidInputError if the reference is invalid, or refers to nothing
 *
 * @example
 * const { workflow } = await orchestrator.runs.show('report-7')
 * if (workflow) await orchestrator.runs.resume('report-7', workflowPattern(workflow, await loadConfig()))
 */
export function workflowPattern(
  workflow: WorkflowReference | JsonObject,
  { workflows = [], module = {} }: WorkflowSources = {},
): Pattern {
  checkArgument('The workflow', workflow, 'an object')
  // The log of another version may contain any reference; its content is checked where it is used.
  const reference = workflow as WorkflowReference
  switch (reference.kind) {
    case 'agents':
      checkDefinition(reference, refuse)
      return definedPattern(reference, workflows)
    case 'template': {
      const { pattern, roles } = templateNamed(reference.name)
      const whole = patternOf([pattern], (ask, task) => runStep(ask, pattern, task))
      return Object.assign(whole, { team: roles })
    }
    case 'fleet': {
      const { kind: _, tasks, ...options } = reference
      return fleet(tasks, options)
    }
    case 'config':
      return definedPattern(namedWorkflow(reference.name, workflows), workflows)
    case 'module':
      return exportedPattern(reference.file, module, reference.export)
    default:
      return refuse('workflow', `${JSON.stringify(workflow.kind)} is an unknown kind of workflow`)
  }
}

function refuse(what: string, problem: string, hint?: string): never {
  throw new InvalidInputError(defined({ what, problem, hint }))
}
