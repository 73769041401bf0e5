/** A workflow as data: a pattern by its name, who takes part in it, and the options that go with it. */
import { nameHint } from '../events/nearest-name.ts'

/** Who takes part: an agent, a pool of its copies, or another workflow of the configuration file. */
export type StepDefinition =
  | string
  | { readonly pool: string; readonly size: number }
  | { readonly workflow: string }

/** What they mean is said at the patterns; which go with which pattern is in {@link PATTERNS}. JSON, so a type: an interface
 * could have more. */
export type DefinitionOptions = {
  /** For each of the agents the prompt, in which `{{input}}` stands for what comes in; null: just that. */
  readonly prompts?: readonly (string | null)[]
  readonly concurrency?: number
  readonly onError?: 'collect' | 'fail'
  readonly rounds?: number
  readonly votes?: number
  /** An agent. */
  readonly judge?: string
  /** An agent. */
  readonly fallback?: string
  /** What a piece of the task is. Default: a paragraph. */
  readonly split?: 'paragraphs' | 'lines'
}

export interface WorkflowDefinition {
  readonly pattern: string
  readonly agents: readonly StepDefinition[]
  readonly options: DefinitionOptions
}

/** One that the configuration file gives a name. */
export interface NamedWorkflow extends WorkflowDefinition {
  readonly name: string
}

interface Shape {
  /** What the agents are, in the order in which they are named. */
  readonly agents: string
  readonly least: number
  readonly most?: number
  /** Whether it makes sense that one is named twice. */
  readonly repeats?: boolean
  readonly options: readonly (keyof DefinitionOptions)[]
}

/** The patterns that can be said in words. Others are code: see modules. */
export const PATTERNS: Readonly<Record<string, Shape>> = {
  sequential: { agents: 'one after another', least: 1, repeats: true, options: ['prompts'] },
  parallel: { agents: 'all at once', least: 1, options: ['prompts', 'concurrency', 'onError'] },
  pipeline: { agents: 'stages', least: 1, repeats: true, options: ['prompts'] },
  hierarchical: { agents: 'a manager, then workers', least: 2, options: ['concurrency'] },
  race: { agents: 'runners', least: 1, options: ['prompts'] },
  vote: { agents: 'voters', least: 1, options: ['prompts', 'votes', 'judge', 'concurrency'] },
  debate: { agents: 'a writer and a critic', least: 2, most: 2, repeats: true, options: ['rounds'] },
  route: { agents: 'a classifier, then those whom it chooses among', least: 2, options: ['fallback'] },
  'map-reduce': {
    agents: 'who does a piece, then who makes one answer of all',
    least: 1,
    most: 2,
    repeats: true,
    options: ['split', 'concurrency'],
  },
}

/** Reports what is wrong with one part of a definition: `pattern`, `agents`, or the name of an option. */
export type Complaint = (part: string, problem: string, hint?: string) => never

/** Complains about the first thing that makes no sense. Whether the agents exist is another matter. */
export function checkDefinition({ pattern, agents, options }: WorkflowDefinition, complain: Complaint): void {
  const known = Object.keys(PATTERNS)
  const shape = Object.hasOwn(PATTERNS, pattern) ? PATTERNS[pattern] : undefined
  if (!shape) complain('pattern', `there is no pattern "${pattern}"`, nameHint(pattern, known))
  checkAgents(pattern, shape, agents, complain)
  for (const option of Object.keys(options)) {
    if (!(shape.options as readonly string[]).includes(option))
      complain(option, `the pattern ${pattern} does not take it`, optionsHint(pattern, shape))
  }
  const { prompts } = options
  if (prompts && prompts.length !== agents.length)
    complain(
      'prompts',
      `there are ${prompts.length} prompts for ${agents.length} agents`,
      'Give one for each.',
    )
}

function checkAgents(
  pattern: string,
  { agents: what, least, most = Number.POSITIVE_INFINITY, repeats = false }: Shape,
  agents: readonly StepDefinition[],
  complain: Complaint,
): void {
  if (agents.length === 0) complain('agents', 'there are no agents', `The pattern ${pattern} needs: ${what}.`)
  if (agents.length < least || agents.length > most) {
    const wanted = agents.length < least ? `at least ${least}` : `at most ${most}`
    complain('agents', `${pattern} takes ${wanted} agents, not ${agents.length}`, `It needs: ${what}.`)
  }
  const names = agents.map((step) => JSON.stringify(step))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined && !repeats)
    complain('agents', `${pattern} cannot have ${twice} twice`, 'Name each once.')
}

const optionsHint = (pattern: string, { options }: Shape) =>
  options.length === 0
    ? `${pattern} has no options.`
    : `The options of ${pattern} are: ${options.join(', ')}.`
