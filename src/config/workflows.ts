/** The section `workflows:` of the configuration file, beyond what its schema says: what makes no sense together. */

import { nameHint } from '../events/nearest-name.ts'
import type { WorkflowEntry } from './schema.ts'
import { checkDefinition, type DefinitionOptions, type NamedWorkflow } from './workflow-definition.ts'

/** Reports a problem with a part of the entry of this index; throws. */
export type Complain = (index: number, part: string, problem: string, hint?: string) => never

/** Throws what `complain` throws for what is said twice, unknown, in a circle, or does not go with its pattern. */
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
    const unknown = parts(workflow).find((part) => !names.includes(part))
    if (unknown !== undefined)
      complain(index, 'agents', `there is no workflow "${unknown}"`, nameHint(unknown, names))
  })
  const byName = new Map(workflows.map((workflow) => [workflow.name, workflow]))
  workflows.forEach(({ name }, index) => {
    const circle = circleFrom(name, byName)
    if (circle)
      complain(index, 'agents', `the workflow contains itself: ${circle.join(' -> ')}`, 'Remove one of them.')
  })
  return workflows
}

/** What a workflow is made of is called the same in the file, but for these. */
const KEY_OF: Readonly<Record<string, string>> = { onError: 'on_error' }

function definitionOf({ name, pattern, agents, on_error, ...rest }: WorkflowEntry): NamedWorkflow {
  const options: DefinitionOptions = { ...rest, ...(on_error === undefined ? {} : { onError: on_error }) }
  return { name, pattern, agents, options }
}

/** The other workflows that a workflow is made of. */
const parts = ({ agents }: NamedWorkflow): string[] =>
  agents.flatMap((step) => (typeof step === 'object' && 'workflow' in step ? [step.workflow] : []))

function circleFrom(
  start: string,
  workflows: ReadonlyMap<string, NamedWorkflow>,
  path: readonly string[] = [start],
): readonly string[] | undefined {
  const workflow = workflows.get(path.at(-1) ?? start)
  for (const name of workflow ? parts(workflow) : []) {
    if (name === start) return [...path, name]
    // A circle that does not come back to the start is found from where it does.
    const circle = path.includes(name) ? undefined : circleFrom(start, workflows, [...path, name])
    if (circle) return circle
  }
  return undefined
}
