/** A fleet: each task goes to an agent of its own, which works in a worktree of the same repository. */
import { hash } from 'node:crypto'
import { InvalidInputError } from '../events/errors/usage.ts'
import { checkAgentId } from '../events/ids.ts'
import { defined } from '../events/json.ts'
import { type AgentOptions, agentConfig } from '../events/options/agent.ts'
import { checkArgument, type KnownKeys, refuseUnknownKeys } from '../events/options/decoding.ts'
import { checkLanding, LANDING_OPTIONS, type StepLanding } from '../events/options/landing.ts'
import { parallel } from './parallel.ts'
import { type Pattern, patternOf } from './pattern.ts'
import { checkCount } from './steps.ts'

/** A task of a fleet, with what its agent has of its own. A type rather than an interface, because it must be JSON. */
export type FleetTask = {
  /** What to do. */
  readonly task: string
  /**
   * The id of its agent. Default: made of the words of the task. In code, an agent that exists is used as it is; the command
   * `fleet` makes new ones only.
   */
  readonly id?: string
  /** What its work begins from: a branch, tag or commit. Default: that of the fleet. */
  readonly base?: string
  readonly model?: string
}

/** Options of `fleet`. A type for the same reason. */
export type FleetOptions = {
  /** A directory of the git repository. */
  readonly repo: string
  /** The branch, tag or commit that the work begins from. Default: `HEAD`. */
  readonly base?: string
  /** How many agents work at the same time. Default: all. */
  readonly concurrency?: number
  /** Part of the ids of the agents: another name makes other agents for the same tasks. */
  readonly name?: string
  /** Further options of the agents that are created: a model, tools, a deadline. */
  readonly agents?: Partial<Omit<AgentOptions, 'id' | 'workspace' | 'budget'>>
  /** Whether the work of each task lands once it is answered, and how: `{ gate: 'npm test' }`. Default: it stays on its branch. */
  readonly land?: StepLanding
}

const TASK: KnownKeys<FleetTask> = { task: true, id: true, base: true, model: true }
const OPTIONS: KnownKeys<FleetOptions> = {
  ...{ repo: true, base: true, concurrency: true, name: true, agents: true, land: true },
}

const ROLE = `You are an experienced software developer who works alone on one task, in a git worktree of a repository.
Read the code around a change before you make it, and follow its style. Do what you are asked in the simplest way that is
correct, and leave everything else as it is. You need not commit: what you change is committed for you.
Say what you changed and why, what you tested, and what remains to be done.`

/**
 * Gives each task to an agent of its own, with a worktree and a branch of the repository. Agents that are missing are
 * created, and stay when the run ends. If a task fails, the others continue. The prompt of the run's input only names the
 * run; its text and files are part of every task.
 *
 * @example
 * const work = fleet(['Test the checkout', 'Describe the checkout'], { repo: '.', concurrency: 2 })
 * const { success } = await orchestrator.run(work, 'The checkout', { id: 'checkout', budget: { usd: 5 } })
 */
export function fleet(tasks: readonly (string | FleetTask)[], options: FleetOptions): Pattern {
  checkArgument('The options of fleet', options, 'an object')
  refuseUnknownKeys(options, OPTIONS, { what: 'The options of fleet', noun: 'option' })
  const { repo, base, concurrency = Number.POSITIVE_INFINITY, name, agents = {}, land } = options
  checkArgument('repo', repo, 'a path')
  checkCount('concurrency', concurrency)
  if (land !== undefined) checkLanding(land, 'land', LANDING_OPTIONS)
  const members = fleetTasks(tasks, name)
  const steps = members.map(({ id, task }) =>
    patternOf([id], (ask, input) => ask(id, { ...input, prompt: task }, defined({ land }))),
  )
  const team = members.map(
    ({ id, model, base: own = base }): AgentOptions => ({
      ...{ systemPrompt: ROLE, ...agents, ...defined({ model }) },
      ...{ id, workspace: { repo, ...defined({ base: own }) } },
    }),
  )
  for (const member of team) agentConfig(member)
  return Object.assign(parallel(steps, { concurrency }), { team })
}

/**
 * The tasks with the ids of their agents, which are the same for the same tasks and name. Throws InvalidInputError.
 *
 * @param name Default: none.
 */
export function fleetTasks(
  tasks: readonly (string | FleetTask)[],
  name = '',
): readonly (FleetTask & { readonly id: string })[] {
  checkArgument('The tasks', tasks, 'a list')
  const seen = new Map<string, number>()
  const named = tasks.map((given, index) => {
    const what = `Task ${index + 1}`
    const one = typeof given === 'string' ? { task: given } : given
    checkArgument(what, one, 'an object')
    refuseUnknownKeys(one, TASK, { what, noun: 'part' })
    const { task, id } = one
    if (typeof task !== 'string' || task.trim() === '')
      throw new InvalidInputError({ what, problem: 'it is empty', hint: 'Say what is to be done.' })
    const nth = (seen.get(task) ?? 0) + 1
    seen.set(task, nth)
    return { ...one, id: id === undefined ? agentFor(task, name, nth) : checkAgentId(id) }
  })
  if (named.length === 0)
    throw new InvalidInputError({ what: 'The fleet', problem: 'it has no tasks', hint: 'Give at least one.' })
  const ids = named.map(({ id }) => id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice === undefined) return named
  const hint = 'Each task has an agent of its own.'
  throw new InvalidInputError({ what: 'The fleet', problem: `two tasks have the agent "${twice}"`, hint })
}

/** At most 32 characters of whole words, if the first is not longer. */
const FIRST_WORDS = /^.{1,32}(?=-|$)|^.{32}/

/** `test-the-checkout-3fa2c1`. *Contract:* every version makes the same of the same, as runs have recorded it. */
function agentFor(task: string, name: string, nth: number): string {
  const plain = task
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
  const [words = 'task'] = FIRST_WORDS.exec((plain.match(/[a-z0-9]+/g) ?? []).join('-')) ?? []
  return `${words}-${hash('sha256', JSON.stringify([name, task, nth]), 'hex').slice(0, 6)}`
}
