/** Checks the section `workflows:` of the configuration file beyond its schema: mistakes that span several keys. */

import { ConfigError, type ConfigProblem } from '../events/errors/config.ts'
import { defined } from '../events/json.ts'
import { nameHint } from '../events/nearest-name.ts'
import type { WorkflowEntry } from './schema.ts'
import { checkDefinition, type DefinitionOptions, type NamedWorkflow } from './workflow-definition.ts'

/**
 * The workflows, and of each its first mistake: a definition that does not fit its pattern, a duplicate name, an unknown one, or a
 * cycle.
 *
 * @param placeOf Where a part of the entry at an index is.
 */
export function namedWorkflows(
  entries: readonly WorkflowEntry[],
  placeOf: (index: number, part: string) => string,
): { readonly workflows: readonly NamedWorkflow[]; readonly problems: readonly ConfigProblem[] } {
  const workflows = entries.map(definitionOf)
  const names = workflows.map(({ name }) => name)
  const byName = new Map(workflows.map((workflow) => [workflow.name, workflow]))
  const check = (workflow: NamedWorkflow, index: number) => {
    const { name } = workflow
    const complain = (part: string, problem: string, hint = ''): never => {
      throw new ConfigError([{ place: placeOf(index, KEY_OF[part] ?? part), problem, hint }])
    }
    checkDefinition(workflow, complain)
    if (names.indexOf(name) !== index)
      complain('name', `there is already a workflow "${name}"`, 'Choose another name for this one.')
    const unknown = partsOf(workflow).find((part) => !names.includes(part))
    if (unknown !== undefined)
      complain('agents', `there is no workflow "${unknown}"`, nameHint(unknown, names))
    const cycle = cycleFrom(name, byName)
    if (cycle) complain('agents', `the workflow contains itself: ${cycle.join(' -> ')}`, 'Break the cycle.')
  }
  const problems = workflows.flatMap((workflow, index) => {
    try {
      check(workflow, index)
      return []
    } catch (error) {
      if (error instanceof ConfigError) return error.details.problems
      throw error
    }
  })
  return { workflows, problems }
}

/** Parts of a definition whose key in the file has a different name. */
const KEY_OF: Readonly<Record<string, string>> = { onError: 'on_error' }

function definitionOf({ name, pattern, agents, on_error, ...rest }: WorkflowEntry): NamedWorkflow {
  const options: DefinitionOptions = { ...rest, ...defined({ onError: on_error }) }
  return { name, pattern, agents, options }
}

/** The workflows that a workflow contains. */
export const partsOf = ({ agents }: NamedWorkflow): string[] =>
  agents.flatMap((step) => (typeof step === 'object' && 'workflow' in step ? [step.workflow] : []))

function cycleFrom(
  start: string,
  workflows: ReadonlyMap<string, NamedWorkflow>,
  path: readonly string[] = [start],
): readonly string[] | undefined {
  const workflow = workflows.get(path.at(-1) ?? start)
  for (const name of workflow ? partsOf(workflow) : []) {
    if (name === start) return [...path, name]
    // A cycle that does not include the start is found from one of its members.
    const cycle = path.includes(name) ? undefined : cycleFrom(start, workflows, [...path, name])
    if (cycle) return cycle
  }
  return undefined
}
