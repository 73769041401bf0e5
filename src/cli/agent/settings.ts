/** The options of an agent on the command line: all that can be said when it is created, and changed later. */
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { defined } from '../../events/json.ts'
import { nameHint } from '../../events/nearest-name.ts'
import {
  type AgentOptions,
  ON_MESSAGE,
  type OnMessage,
  type RepositoryOptions,
} from '../../events/options/agent.ts'
import type { AgentChanges } from '../../events/options/agent-changes.ts'
import { listedNames, oneOrMore, zeroOrMore } from '../arguments.ts'

export interface AgentSettings {
  readonly tools?: readonly string[]
  readonly approve?: readonly string[]
  readonly questions?: boolean
  readonly onMessage?: OnMessage
  readonly maxTurns?: number
  readonly model?: string
  /** Seconds. */
  readonly timeout?: number
  readonly retries?: number
  readonly repo?: string
  readonly base?: string
  readonly branch?: string
  readonly project?: boolean
  readonly commit?: 'turn' | 'agent'
  readonly message?: string
  readonly dangerouslySkipPermissions?: boolean
}

/** Declares them. */
export const withSettings = (command: Command): Command =>
  command
    .option('--tools <names...>', 'tools it may use without asking, as Claude Code names them', listedNames)
    .option('--approve <rules...>', 'tools of which you decide each call, in the inbox', listedNames)
    .option('--questions', 'let it ask you questions, in the inbox')
    .addOption(
      new Option(
        '--on-message <what>',
        'a message to it: queue (default) leaves it for the next task, wake begins one, hold asks you first, in the inbox',
      ).choices(ON_MESSAGE),
    )
    .option('--max-turns <n>', 'most turns of the model per call', oneOrMore)
    .option('--model <name>', 'model to use')
    .option('--timeout <seconds>', 'seconds of work on a task, retries included (default: 1800)', oneOrMore)
    .option('--retries <n>', 'how often to retry a call that failed temporarily', zeroOrMore)
    .option('--repo <directory>', 'let it work on a git repository: in a worktree, on a branch of its own')
    .option('--base <ref>', 'with --repo: the commit that its work begins from (default: HEAD)')
    .option('--branch <name>', 'with --repo: its branch (default: claude-agents/ID)')
    .addOption(
      new Option(
        '--commit <who>',
        'with --repo: turn (default) makes a commit of each answered task, agent leaves it to the agent',
      ).choices(['turn', 'agent']),
    )
    .option(
      '--message <template>',
      'with --repo: the message of these commits, with {subject}, {agent}, {task}, {run}',
    )
    .option(
      '--project',
      "with --repo: load the project's own settings, which can run commands (default: ask)",
    )
    .option('--no-project', 'with --repo: never load them')
    .option(
      '--dangerously-skip-permissions',
      'let it do anything without asking: use this only in a container',
    )

/** What each of them sets. */
const IN_CODE = {
  tools: 'allowedTools',
  approve: 'approveTools',
  questions: 'questions',
  'on-message': 'onMessage',
  'max-turns': 'maxTurns',
  model: 'model',
  timeout: 'timeoutMs',
  retries: 'retry',
  'dangerously-skip-permissions': 'permissions',
} as const satisfies Readonly<Record<string, keyof AgentChanges>>

/** The options in code, without a workspace. */
const inCode = (settings: AgentSettings) =>
  defined({
    allowedTools: settings.tools,
    approveTools: settings.approve,
    questions: settings.questions,
    onMessage: settings.onMessage,
    maxTurns: settings.maxTurns,
    model: settings.model,
    timeoutMs: settings.timeout === undefined ? undefined : settings.timeout * 1000,
    retry: settings.retries === undefined ? undefined : { attempts: settings.retries },
    permissions: settings.dangerouslySkipPermissions ? ('bypass' as const) : undefined,
  })

/** An agent to create. Throws InvalidInputError. */
export function agentOptionsOf(id: string, systemPrompt: string, settings: AgentSettings): AgentOptions {
  const { repo, ...workspace } = workspaceOf(settings)
  if (repo !== undefined) return { id, systemPrompt, ...inCode(settings), workspace: { repo, ...workspace } }
  const [option] = Object.keys(workspace)
  if (option === undefined) return { id, systemPrompt, ...inCode(settings) }
  const flag = option === 'project' && !workspace.project ? 'no-project' : option
  throw new InvalidInputError({ what: `--${flag}`, problem: 'it needs --repo DIRECTORY' })
}

/** Changes of an agent. Throws InvalidInputError. */
export function changesOf(
  systemPrompt: string | undefined,
  settings: AgentSettings,
  unset: readonly string[] = [],
): AgentChanges {
  const workspace = workspaceOf(settings)
  const given = { ...inCode(settings), ...defined({ systemPrompt }) }
  const defaults = unset.map((option) => {
    const name = option.replace(/^--/, '')
    const key = Object.hasOwn(IN_CODE, name) ? IN_CODE[name as keyof typeof IN_CODE] : undefined
    if (key === undefined) {
      const hint = nameHint(name, Object.keys(IN_CODE))
      throw new InvalidInputError({ what: '--unset', problem: `there is no option "${name}"`, hint })
    }
    if (!(key in given)) return [key, null] as const
    throw new InvalidInputError({ what: `--${name}`, problem: 'it is both given and unset' })
  })
  return {
    ...given,
    ...Object.fromEntries(defaults),
    ...(Object.keys(workspace).length > 0 && { workspace }),
  }
}

const workspaceOf = (settings: AgentSettings): Partial<RepositoryOptions> => {
  const { repo, base, branch, project, commit, message } = settings
  return defined({
    repo: repo === undefined ? undefined : resolve(repo),
    ...{ base, branch, project, commit, message },
  })
}
