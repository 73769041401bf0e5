/** Changes to the options of an agent that exists. */
import { resolve } from 'node:path'
import { InvalidInputError } from '../errors/usage.ts'
import { defined } from '../json.ts'
import { nameHint } from '../nearest-name.ts'
import {
  type AgentConfig,
  type AgentOptions,
  agentConfig,
  type RepositoryOptions,
  type RepositoryWorkspace,
} from './agent.ts'
import { checkArgument } from './decoding.ts'
import { toolRule } from './tools.ts'

type Changeable = Omit<AgentOptions, 'id' | 'systemPrompt' | 'workspace'>

/** What changes of an agent. An option that is given gets that value, with null its default; one that is left out stays. */
export type AgentChanges = { readonly [K in keyof Changeable]?: Changeable[K] | null } & {
  readonly systemPrompt?: string
  /** `project`, `commit` and `message` of an agent that works on a repository. */
  readonly workspace?: Partial<RepositoryOptions>
  /** Rules that approvals have remembered: calls that match them need a decision again. */
  readonly forgetRules?: readonly string[]
}

/** The options that describe a configuration. */
export function optionsOf(id: string, config: AgentConfig): AgentOptions {
  const { loadProjectSettings: _, allowedTools, maxTurns, model, workspace, ...kept } = config
  const { repo, base, branch, project, commits: commit, message } = workspace ?? {}
  return defined({
    id,
    ...kept,
    allowedTools: allowedTools ?? undefined,
    maxTurns: maxTurns ?? undefined,
    model: model ?? undefined,
    workspace: repo === undefined ? undefined : defined({ repo, base, branch, project, commit, message }),
  })
}

/** The configuration with these changes. Throws InvalidInputError for one that is wrong, or that no agent can have. */
export function editedConfig(id: string, config: AgentConfig, changes: AgentChanges): AgentConfig {
  const { workspace, forgetRules: _, ...given } = defined(changes)
  if ('id' in given && given.id !== id)
    throw unchangeable(id, 'its id', 'Fork it under another one: claude-agents fork AGENT --as ID')
  const options: Record<string, unknown> = { ...optionsOf(id, config) }
  for (const [key, value] of Object.entries(given)) {
    if (value === null && key !== 'systemPrompt') delete options[key]
    // Its parts are options of their own.
    else options[key] = key === 'retry' ? { ...config.retry, ...(value as object) } : value
  }
  const place = workspace && changedWorkspace(id, config.workspace, workspace)
  const decoded = agentConfig({ ...options, ...(place && { workspace: place }) } as unknown as AgentOptions)
  const { loadProjectSettings } = config
  return defined({ loadProjectSettings, ...decoded, workspace: changed(config.workspace, place) })
}

/** The rules to forget. Throws InvalidInputError for one that the agent does not have. */
export function forgottenRules(
  id: string,
  rules: readonly string[] = [],
  { forgetRules = [] }: AgentChanges,
): readonly string[] {
  checkArgument('The rules to forget', forgetRules, 'a list')
  return [...new Set(forgetRules)].map((given) => {
    const rule = toolRule(given)
    if (rules.includes(rule)) return rule
    throw new InvalidInputError({
      what: `agent "${id}"`,
      problem: `it remembers no rule ${rule}`,
      hint: rules.length === 0 ? 'It remembers none.' : nameHint(rule, rules),
    })
  })
}

/** Throws InvalidInputError if it would be another place. */
function changedWorkspace(
  id: string,
  known: RepositoryWorkspace | undefined,
  { repo, base, branch, ...said }: Partial<RepositoryOptions>,
): RepositoryOptions {
  if (!known) throw unchangeable(id, 'that it works on no repository', CREATE_ANOTHER)
  const place = defined({ repo: repo === undefined ? undefined : resolve(repo), base, branch })
  for (const key of ['repo', 'base', 'branch'] as const)
    if (key in place && place[key] !== known[key])
      throw unchangeable(id, `the ${key} of its workspace`, CREATE_ANOTHER)
  const { project, message, commits: commit } = known
  return { repo: known.repo, ...defined({ project, message, commit }), ...said }
}

const CREATE_ANOTHER =
  'Its work begins there. Create another agent: claude-agents agent create ID "..." --repo .'

function changed(
  known: RepositoryWorkspace | undefined,
  place: RepositoryOptions | undefined,
): RepositoryWorkspace | undefined {
  if (!known || !place) return known
  const { project, commit, message } = place
  const { project: _, commits: __, message: ___, ...began } = known
  return defined({ ...began, project, message, commits: commit === 'agent' ? commit : undefined })
}

const unchangeable = (id: string, what: string, hint: string) =>
  new InvalidInputError({ what: `agent "${id}"`, problem: `${what} cannot change`, hint })
