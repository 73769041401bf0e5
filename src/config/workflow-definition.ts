/** A workflow as data: the name of a pattern, its participants, and its options. */
import * as Schema from 'effect/Schema'
import { ID_RULE, LARGEST_POOL } from '../events/ids.ts'
import { nameHint } from '../events/nearest-name.ts'
import { decoded, pathName, problemOf } from '../events/options/decoding.ts'
import { partial } from '../events/options/setting.ts'
import { idOf, NotBlank, Positive, Text } from '../events/options/values.ts'

const AgentId = idOf('agent')
const STEP = 'an agent, { pool: AGENT, size: NUMBER } or { workflow: NAME }'
const STEP_RULE = `a step is ${STEP}; the id of an agent is ${ID_RULE}, and a pool has at most ${LARGEST_POOL} copies`

/** A participant: an agent, a pool of copies of an agent, or another workflow of the configuration file. */
export const WorkflowStep = Schema.Union([
  AgentId,
  Schema.Struct({ pool: AgentId, size: Positive.check(Schema.isLessThanOrEqualTo(LARGEST_POOL)) }),
  Schema.Struct({ workflow: Text }),
]).annotate({ description: `A${STEP.slice(1)}.`, message: STEP_RULE, problem: `is no step: ${STEP_RULE}` })
/** A participant: an agent, a pool of copies of an agent, or another workflow of the configuration file. */
export type StepDefinition = typeof WorkflowStep.Type

/** The options of all patterns. */
export const WORKFLOW_OPTIONS = {
  prompts: Schema.Array(Schema.NullOr(NotBlank)),
  concurrency: Positive,
  onError: Schema.Literals(['collect', 'fail']),
  rounds: Positive,
  votes: Positive,
  judge: AgentId,
  fallback: AgentId,
  split: Schema.Literals(['paragraphs', 'lines']),
  session: Schema.Literals(['run', 'chain', 'fresh']),
}

const Parts = Schema.Struct({ agents: Schema.Array(WorkflowStep), ...partial(WORKFLOW_OPTIONS) })

/**
 * Described at the patterns; {@link PATTERNS} says which pattern takes which. A type rather than an interface,
 * because it must be JSON, and an interface could be extended.
 */
export type DefinitionOptions = {
  /** One prompt per agent, with `{{input}}` for the incoming text; null: just the incoming text. */
  readonly prompts?: readonly (string | null)[]
  readonly concurrency?: number
  readonly onError?: 'collect' | 'fail'
  readonly rounds?: number
  readonly votes?: number
  /** An agent. */
  readonly judge?: string
  /** An agent. */
  readonly fallback?: string
  /** How the task is split into pieces. Default: by paragraph. */
  readonly split?: 'paragraphs' | 'lines'
  /** The conversations in which its steps ask. Default: those of the run. */
  readonly session?: 'run' | 'chain' | 'fresh'
}

/** A type rather than an interface, for the same reason. */
export type WorkflowDefinition = {
  readonly pattern: string
  readonly agents: readonly StepDefinition[]
  readonly options: DefinitionOptions
}

/** A workflow that the configuration file names. */
export interface NamedWorkflow extends WorkflowDefinition {
  readonly name: string
}

interface Shape {
  /** The roles of the agents, in order. */
  readonly agents: string
  readonly minimum: number
  readonly maximum?: number
  /** Whether an agent may be named twice. */
  readonly repeats?: boolean
  readonly options: readonly (keyof DefinitionOptions)[]
}

/** The patterns that can be declared as data. Others are code: see modules. */
export const PATTERNS: Readonly<Record<string, Shape>> = {
  sequential: { agents: 'one after another', minimum: 1, repeats: true, options: ['prompts'] },
  parallel: { agents: 'all at once', minimum: 1, options: ['prompts', 'concurrency', 'onError'] },
  pipeline: { agents: 'stages', minimum: 1, repeats: true, options: ['prompts'] },
  hierarchical: { agents: 'a manager, then workers', minimum: 2, options: ['concurrency'] },
  race: { agents: 'runners', minimum: 1, options: ['prompts'] },
  vote: { agents: 'voters', minimum: 1, options: ['prompts', 'votes', 'judge', 'concurrency'] },
  debate: { agents: 'a writer and a critic', minimum: 2, maximum: 2, repeats: true, options: ['rounds'] },
  route: { agents: 'a classifier, then the agents it chooses from', minimum: 2, options: ['fallback'] },
  'map-reduce': {
    agents: 'an agent for the pieces, then one that combines the answers',
    minimum: 1,
    maximum: 2,
    repeats: true,
    options: ['split', 'concurrency'],
  },
}

/** Reports a mistake in one part of a definition: `pattern`, `agents`, or the name of an option. */
export type Complaint = (part: string, problem: string, hint?: string) => never

/** Reports the first mistake. Whether the agents exist is checked elsewhere. */
export function checkDefinition({ pattern, agents, options }: WorkflowDefinition, complain: Complaint): void {
  const known = Object.keys(PATTERNS)
  const shape = Object.hasOwn(PATTERNS, pattern) ? PATTERNS[pattern] : undefined
  if (!shape) complain('pattern', `there is no pattern "${pattern}"`, nameHint(pattern, known))
  checkAgents(pattern, shape, agents, complain)
  for (const option of Object.keys(options)) {
    if (!optionsOf(shape).includes(option))
      complain(option, `the pattern ${pattern} has no such option`, optionsHint(pattern, shape))
  }
  decoded(Parts, { agents, ...options }, ([mistake]) => {
    const [part] = mistake.path
    const { problem, hint } = problemOf(mistake)
    return complain(String(part), `${pathName(mistake.path)}: ${problem}`, hint)
  })
  const { prompts } = options
  if (prompts && prompts.length !== agents.length)
    complain(
      'prompts',
      `there are ${prompts.length} prompts for ${agents.length} agents`,
      'Give one per agent.',
    )
}

function checkAgents(
  pattern: string,
  { agents: what, minimum, maximum = Number.POSITIVE_INFINITY, repeats = false }: Shape,
  agents: readonly StepDefinition[],
  complain: Complaint,
): void {
  if (agents.length === 0) complain('agents', 'there are no agents', `The pattern ${pattern} needs: ${what}.`)
  if (agents.length < minimum || agents.length > maximum) {
    const allowed = agents.length < minimum ? `at least ${minimum}` : `at most ${maximum}`
    complain('agents', `${pattern} takes ${allowed} agents, not ${agents.length}`, `It needs: ${what}.`)
  }
  const names = agents.map((step) => JSON.stringify(step))
  const duplicate = names.find((name, index) => names.indexOf(name) !== index)
  if (duplicate !== undefined && !repeats)
    complain('agents', `${pattern} cannot have ${duplicate} twice`, 'Name each agent once.')
}

/** Every pattern has steps, and so a session for them. */
const optionsOf = ({ options }: Shape): readonly string[] => [...options, 'session']

const optionsHint = (pattern: string, shape: Shape) =>
  `The options of ${pattern} are: ${optionsOf(shape).join(', ')}.`
