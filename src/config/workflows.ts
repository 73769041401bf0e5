/** Checks the section `workflows:` of the configuration file beyond its schema: mistakes that span several keys. */

import { defined } from '../events/json.ts'
import { nameHint } from '../events/nearest-name.ts'
import type { WorkflowEntry } from './schema.ts'
import { checkDefinition, type DefinitionOptions, type NamedWorkflow } from './workflow-definition.ts'

/** Reports a mistake in a part of the entry at this index; throws. */
export type Complain = (index: number, part: string, problem: string, hint?: string) => never

/**
 * Throws what `complain` throws for duplicate names, unknown names, cycles, and definitions that do not fit their
 * pattern.
 */
export function namedWorkflows(
  entries: readonly WorkflowEntry[],
  complain: Complain,
): readonly NamedWorkflow[] {
  const workflows = entries.map(definitionOf)
  const names = workflows.map(({ name }) => name)
  workflows.forEach((workflow, index) => {
    const { name } = workflow
    checkDefinition(workflow, (part, problem, hint) => complain(index, KEY_OF[part] ?? part, problem, hint))
    if (names.indexOf(name) !== index)
      complain(index, 'name', `there is already a workflow "${name}"`, 'Choose another name for this one.')
    const unknown = partsOf(workflow).find((part) => !names.includes(part))
    if (unknown !== undefined)
      complain(index, 'agents', `there is no workflow "${unknown}"`, nameHint(unknown, names))
  })
  const byName = new Map(workflows.map((workflow) => [workflow.name, workflow]))
  workflows.forEach(({ name }, index) => {
    const cycle = cycleFrom(name, byName)
    if (cycle)
      complain(index, 'agents', `the workflow contains itself: ${cycle.join(' -> ')}`, 'Break the cycle.')
  })
  return workflows
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
