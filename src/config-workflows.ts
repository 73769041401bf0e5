/** The section `workflows:` of the configuration file: workflows that are given a name. */
import * as Schema from 'effect/Schema'
import type { ConfigNodes, Node } from './config-nodes.ts'
import { nameHint } from './nearest-name.ts'
import {
  checkDefinition,
  type DefinitionOptions,
  type NamedWorkflow,
  type StepDefinition,
} from './workflow-definition.ts'

const Text = Schema.String.check(Schema.isMinLength(1))
const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

type Read = (nodes: ConfigNodes, node: Node, what: string) => unknown

const single =
  <T>(schema: Schema.Decoder<T>): Read =>
  (nodes, node, what) =>
    nodes.value(what, schema, node)

const KEYS: Readonly<Record<string, Read>> = {
  name: single(Text),
  pattern: single(Text),
  agents: (nodes, node, what) => nodes.items(node, what).map((item) => readStep(nodes, item, what)),
  prompts: (nodes, node, what) =>
    nodes.items(node, what).map((item) => nodes.value(what, Schema.NullOr(Text), item)),
  concurrency: single(Positive),
  on_error: single(Schema.Literals(['collect', 'fail'])),
  rounds: single(Positive),
  votes: single(Positive),
  judge: single(Text),
  fallback: single(Text),
  split: single(Schema.Literals(['paragraphs', 'lines'])),
}
/** What a workflow is made of is called the same inside, but for these. */
const OPTION_OF: Readonly<Record<string, string>> = { on_error: 'onError' }
const REQUIRED = ['name', 'pattern', 'agents']

/** Where the parts of a workflow stand. */
interface Placed {
  readonly workflow: NamedWorkflow
  readonly at: (part: string) => Node | number
}

/** Throws ConfigError for whatever is misspelt, missing, of the wrong kind, or makes no sense together. */
export function readWorkflows(nodes: ConfigNodes, section: Node): readonly NamedWorkflow[] {
  const placed = nodes.items(section, 'workflows').map((item) => readWorkflow(nodes, item))
  const names = placed.map(({ workflow }) => workflow.name)
  placed.forEach(({ workflow: { name }, at }, index) => {
    if (names.indexOf(name) !== index)
      nodes.fail(at('name'), `there is a workflow "${name}" already`, 'Give this one another name.')
  })
  for (const { workflow, at } of placed) {
    const unknown = parts(workflow).find((name) => !names.includes(name))
    if (unknown !== undefined)
      nodes.fail(at('agents'), `there is no workflow "${unknown}"`, nameHint(unknown, names))
    const circle = circleFrom(workflow.name, new Map(placed.map((one) => [one.workflow.name, one.workflow])))
    if (circle) nodes.fail(at('agents'), `the workflow contains itself: ${circle.join(' -> ')}`)
  }
  return placed.map(({ workflow }) => workflow)
}

function readWorkflow(nodes: ConfigNodes, item: Node): Placed {
  const values: Record<string, unknown> = {}
  const places = new Map<string, Node | number>()
  for (const [key, value, offset] of nodes.entries(item, 'a workflow')) {
    const read = nodes.field(KEYS, key, offset, 'workflow key')
    const part = OPTION_OF[key] ?? key
    values[part] = read(nodes, value, key)
    places.set(part, value ?? offset)
  }
  for (const key of REQUIRED) if (!(key in values)) nodes.fail(item, `the workflow has no ${key}`)
  const { name, pattern, agents, ...options } = values as unknown as NamedWorkflow & DefinitionOptions
  const workflow = { name, pattern, agents, options }
  const at = (part: string) => places.get(part) ?? item
  checkDefinition(workflow, (part, problem, hint) => nodes.fail(at(part), problem, hint))
  return { workflow, at }
}

const STEP_KEYS: Readonly<Record<string, Read>> = {
  workflow: single(Text),
  pool: single(Text),
  size: single(Positive),
}

/** The name of an agent, `{ pool: worker, size: 4 }` or `{ workflow: NAME }`. */
function readStep(nodes: ConfigNodes, item: Node, what: string): StepDefinition {
  if (item !== null && 'value' in item) return nodes.value(what, Text, item)
  const step: Record<string, unknown> = {}
  for (const [key, value, offset] of nodes.entries(item, `one of ${what}`))
    step[key] = nodes.field(STEP_KEYS, key, offset, 'key of a step')(nodes, value, key)
  const keys = Object.keys(step).sort().join(' ')
  if (keys === 'workflow' || keys === 'pool size') return step as unknown as StepDefinition
  return nodes.fail(item, 'a step is an agent, { pool: AGENT, size: NUMBER } or { workflow: NAME }')
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
