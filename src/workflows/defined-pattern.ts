/** Builds patterns from data: from the options of the command line, and from workflows in the configuration file. */
import type {
  DefinitionOptions,
  NamedWorkflow,
  StepDefinition,
  WorkflowDefinition,
} from '../config/workflow-definition.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { defined } from '../events/json.ts'
import { nameHint } from '../events/nearest-name.ts'
import type { TaskInput } from '../events/task-input.ts'
import { hierarchical } from '../patterns/hierarchical.ts'
import { debate } from '../patterns/loop-until.ts'
import { mapReduce } from '../patterns/map-reduce.ts'
import { parallel } from '../patterns/parallel.ts'
import { type Pattern, patternOf, runStep, type Step, stepName } from '../patterns/pattern.ts'
import { pipeline } from '../patterns/pipeline.ts'
import { pool } from '../patterns/pool.ts'
import { race } from '../patterns/race.ts'
import { route } from '../patterns/route.ts'
import { sequential } from '../patterns/sequential.ts'
import { vote } from '../patterns/vote.ts'

type Build = (steps: readonly Step[], options: DefinitionOptions) => Pattern

/** One entry per entry of `PATTERNS`, which declares the number of steps and the options. */
const BUILD: Readonly<Record<string, Build>> = {
  sequential: (steps) => sequential(steps),
  parallel: (steps, { concurrency, onError }) => parallel(steps, defined({ concurrency, onError })),
  pipeline: (steps) => pipeline(steps.map((agent) => ({ agent }))),
  hierarchical: ([manager, ...workers], { concurrency }) =>
    hierarchical({ manager: manager as Step, workers, ...defined({ concurrency }) }),
  race: (steps) => race(steps),
  vote: (steps, { votes, judge, concurrency }) => vote(steps, defined({ votes, judge, concurrency })),
  debate: ([writer, critic], { rounds }) =>
    debate({ writer: writer as Step, critic: critic as Step, ...defined({ rounds }) }),
  route: ([classifier, ...others], { fallback }) =>
    route({
      classifier: classifier as Step,
      routes: Object.fromEntries(others.map((step) => [stepName(step), step])),
      ...defined({ fallback }),
    }),
  'map-reduce': ([map, reduce], { split = 'paragraphs', concurrency }) =>
    mapReduce({ split: PIECES[split], map: map as Step, ...defined({ reduce, concurrency }) }),
}

/** Splits the text of a task, or its prompt if it has no text. */
const pieces =
  (separator: RegExp) =>
  (task: TaskInput): string[] =>
    (task.textInput ?? task.prompt).split(separator).filter((piece) => piece.trim() !== '')
const PIECES = { paragraphs: pieces(/\n\s*\n/), lines: pieces(/\n/) } as const

/** @param workflows The workflows that the definition may refer to. Cycles were refused when they were loaded. */
export function definedPattern(
  { pattern, agents, options }: WorkflowDefinition,
  workflows: readonly NamedWorkflow[],
): Pattern {
  const steps = agents.map((agent, index) => prompted(stepOf(agent, workflows), options.prompts?.[index]))
  const built = (BUILD[pattern] as Build)(steps, options)
  const { session } = options
  return session === undefined
    ? built
    : patternOf([built], (ask, task) => runStep(ask, built, task, { session }))
}

function stepOf(step: StepDefinition, workflows: readonly NamedWorkflow[]): Step {
  if (typeof step === 'string') return step
  if ('pool' in step) return pool(step.pool, step)
  return definedPattern(namedWorkflow(step.workflow, workflows), workflows)
}

/**
 * The workflow of the configuration file with this name. Throws InvalidInputError.
 *
 * @param templates Names that are commands of their own, and may have been meant.
 */
export function namedWorkflow(
  wanted: string,
  workflows: readonly NamedWorkflow[],
  templates: readonly string[] = [],
): NamedWorkflow {
  const found = workflows.find(({ name }) => name === wanted)
  if (found) return found
  const names = workflows.map(({ name }) => name)
  const own = names.length === 0 ? 'It has no workflows.' : nameHint(wanted, names)
  const meant = templates.includes(wanted)
  const hint = meant
    ? `It is a template: claude-agents workflow template ${wanted} "..."`
    : templates.length === 0
      ? own
      : `${own} Templates need no file: claude-agents workflow template ${templates.join(' | ')} "..."`
  const problem = `there is no "${wanted}" in the configuration file`
  throw new InvalidInputError({ what: 'workflow', problem, hint })
}

const prompted = (agent: Step, prompt: string | null | undefined): Step =>
  prompt === null || prompt === undefined ? agent : pipeline([{ agent, prompt }])
