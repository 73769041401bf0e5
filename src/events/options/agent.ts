/** The options of an agent, and the complete configuration that the log keeps. */
import { resolve } from 'node:path'
import * as Schema from 'effect/Schema'
import * as SchemaIssue from 'effect/SchemaIssue'
import { AGENT_ID_PATTERN, checkAgentId, ID_RULE } from '../ids.ts'
import { defined } from '../json.ts'
import { nameHint } from '../nearest-name.ts'
import { Budget } from './budget.ts'
import { type Decodable, decodedInput } from './decoding.ts'
import { labelSet, PLACING } from './labels.ts'
import { MESSAGING, type OnMessage } from './message.ts'
import { locatedServers, McpServers, PassedVariable, RecordedServers } from './servers.ts'
import { completed, explainedBy, optional, setting, whole } from './setting.ts'
import { TEAM_TOOLS, ToolRule, toolRule } from './tools.ts'
import { Count, Positive, Text } from './values.ts'

export const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const

/** The options of an agent: its id, its role, and how its calls are made. */
export interface AgentOptions {
  /** Lower-case letters, digits, `_` and `-`; at most 64. */
  readonly id: string
  /** The role of the agent, appended to the system prompt of `claude`. */
  readonly systemPrompt: string
  /**
   * Tools that need no permission, as Claude Code names them: `Read`, `Bash(git *)`, `mcp__server__tool`. File tools
   * without a scope are limited to the workspace. Default: none.
   */
  readonly allowedTools?: readonly string[]
  /**
   * Tools of which a person decides each call, by the same rules: `Bash`, `Write(src/**)`. The turn stops there, durably and
   * without a process, until someone approves the call, denies it or edits its input (`orchestrator.inbox`). Default: none.
   */
  readonly approveTools?: readonly string[]
  /** Whether it can ask a person: it gets a tool `ask_human`, whose answer comes from `orchestrator.inbox`. Default: false. */
  readonly questions?: boolean
  /**
   * Whether it works with the other agents of its team: it gets the tools `list_agents`, `ask_agent`,
   * `send_message` and `read_messages`, or those that are named. Who it is there, the owner of the log decides. Default: false.
   */
  readonly team?: boolean | readonly string[]
  /**
   * What becomes of a message to it: `queue` (the default) leaves it for the next task, `wake` begins a task for it once the
   * agent is idle, `hold` first asks a person (`orchestrator.inbox`).
   */
  readonly onMessage?: OnMessage
  /**
   * MCP servers by name, whose tools it may use as far as `allowedTools` has them: `mcp__NAME` for all, `mcp__NAME__TOOL` for
   * one. Secrets are references: `{ headers: { Authorization: 'Bearer ${TOKEN}' } }`. Default: none.
   */
  readonly mcpServers?: McpServers
  /** Tools that it may never use, by the same rules; they win over those that are allowed. Default: none. */
  readonly disallowedTools?: readonly string[]
  /** How much the model thinks. Default: what `claude` chooses. */
  readonly effort?: 'low' | 'medium' | 'high' | 'xhigh' | 'max'
  /** The model, or several between commas, to ask when the first is overloaded or gone. Default: none. */
  readonly fallbackModel?: string
  /** Directories beside the workspace whose files it reads and changes as those of the workspace. Default: none. */
  readonly addDirs?: readonly string[]
  /** Instructions that follow its system prompt, as those of a `CLAUDE.md` would: for what all agents are told, in the defaults. */
  readonly appendClaudeMd?: string
  /**
   * Names of variables that it gets from the environment of the process that has the store open, for its tools and servers. It
   * can read their values. Default: none.
   */
  readonly env?: readonly string[]
  /** Directories of plugins for Claude Code: their skills, commands, agents, hooks and servers. They run as you. Default: none. */
  readonly plugins?: readonly string[]
  /**
   * Labels that a worker must have for the agent to live there (`claude-agents worker --label gpu`), in a cluster. Default: none,
   * so each worker can have it.
   */
  readonly requires?: readonly string[]
  /** The most turns of the model in one call. Default: no limit. */
  readonly maxTurns?: number
  /** Default: the model that `claude` chooses. */
  readonly model?: string
  /**
   * How long a task may be worked on, retries included, in ms. Waiting for the account or for a turn does not count, nor
   * does the time between two processes. Default: 30 minutes.
   */
  readonly timeoutMs?: number
  /** Default: 3 retries, the first after up to 1 s, the longest wait 60 s. */
  readonly retry?: Partial<RetryPolicy>
  /**
   * `'bypass'` lets the agent do everything without asking: run commands, and read and change any file that you can.
   * Default `'workspace'`: it reads and changes files there, and uses the tools of `allowedTools`.
   */
  readonly permissions?: AgentConfig['permissions']
  /**
   * Where it works: in an empty directory of its own (the default), or in a worktree of a git repository, on a branch of its
   * own. The repository's working tree, index, configuration and other branches stay as they are.
   */
  readonly workspace?: RepositoryOptions
  /** The most that the agent may ever spend, including its copies in pools: `{ usd: 3 }`. Default: no limit. */
  readonly budget?: Budget
}

/** The repository that an agent works on: `{ repo: '.' }`. */
export interface RepositoryOptions {
  /** A directory of the repository. */
  readonly repo: string
  /** The branch, tag or commit that its work begins from. Default: `HEAD`. */
  readonly base?: string
  /** The branch of its work. Default: `claude-agents/<id>`. */
  readonly branch?: string
  /**
   * Whether the project's own settings for Claude Code count: `CLAUDE.md`, `.claude/`, `.mcp.json`. `true` trusts them as they
   * are where the work begins: their author can then run commands as you. `false`: never. Default: only if you have trusted
   * exactly these before (`claude-agents config trust DIRECTORY`).
   */
  readonly project?: boolean
  /**
   * Who commits: `'turn'` (the default) makes one commit of each answered task with changes; `'agent'` leaves it to the agent,
   * which needs git for that (`allowedTools: ['Bash(git *)']`).
   */
  readonly commit?: 'turn' | 'agent'
  /**
   * The message of these commits: a text with `{subject}` (the first line of the task), `{agent}`, `{task}` and `{run}`.
   * Trailers with agent, task, run and session follow it. Default: `{subject}`.
   */
  readonly message?: string
}

/** Options for every agent that does not set them itself. */
export type AgentDefaults = Omit<Partial<AgentOptions>, 'id' | 'systemPrompt'>

/** The options of an agent, with the defaults for what they leave open. */
export const withDefaults = (defaults: AgentDefaults, options: AgentOptions): AgentOptions => ({
  ...defaults,
  ...options,
  retry: { ...defaults.retry, ...options.retry },
})

/** How often to retry, and with which waits. */
export type RetryPolicy = {
  /** The number of retries after the first attempt. 0: none. */
  readonly attempts: number
  /** The wait before the first retry, in ms; doubled for each further one. */
  readonly minDelayMs: number
  /** The longest wait, in ms. */
  readonly maxDelayMs: number
}

/**
 * The configuration of an agent. It is decided when the agent is created: a changed default never changes an agent. What it has
 * of an agent's equipment is absent if it was not given.
 */
export type AgentConfig = Pick<
  AgentOptions,
  | 'mcpServers'
  | 'disallowedTools'
  | 'effort'
  | 'fallbackModel'
  | 'addDirs'
  | 'appendClaudeMd'
  | 'env'
  | 'plugins'
  | 'requires'
> & {
  readonly systemPrompt: string
  readonly allowedTools: readonly string[] | null
  /** Tools of which a person decides each call. Absent: none. */
  readonly approveTools?: readonly string[]
  /** Absent: it cannot ask a person. */
  readonly questions?: true
  /** The tools by which it works with its team. Absent: none. */
  readonly team?: readonly string[]
  /** Absent: messages are read with the next task. */
  readonly onMessage?: Exclude<OnMessage, 'queue'>
  readonly maxTurns: number | null
  readonly model: string | null
  /** How long a task may take, from its first call, retries included, in ms. */
  readonly timeoutMs: number
  readonly retry: RetryPolicy
  /** `bypass`: the agent may do everything without asking. */
  readonly permissions: 'workspace' | 'bypass'
  /** What `workspace.project` was in versions that had no trust in repositories. It no longer counts. */
  readonly loadProjectSettings?: boolean
  /** The repository that it works on. Absent: it has a directory of its own. */
  readonly workspace?: RepositoryWorkspace
}

/** A worktree of a repository. */
export type RepositoryWorkspace = {
  /** The directory of the repository. */
  readonly repo: string
  /** What its work begins from, as it was named, and the commit that this was then. */
  readonly base: string
  readonly commit: string
  readonly branch: string
  /** What was said of the project's own settings. Absent: nothing. */
  readonly project?: boolean
  /** Absent: one commit for each answered task. */
  readonly commits?: 'agent'
  /** The template of their messages. Absent: the first line of the task. */
  readonly message?: string
  /** A hash of these settings where the agent began. Absent: the repository had none. */
  readonly settings?: string
}

/** In bytes: the system prompt is part of a fact, so it is bounded. */
const LONGEST_SYSTEM_PROMPT = 64 * 1024

const SystemPrompt = Schema.String.annotate({ description: 'The role of the agent.' })
  .check(
    Schema.makeFilter((text) => Buffer.byteLength(text) <= LONGEST_SYSTEM_PROMPT, {
      problem: `is longer than ${LONGEST_SYSTEM_PROMPT} bytes`,
      hint: 'Put the rest into a file of the workspace.',
    }),
    Schema.isMinLength(1, { problem: 'is empty' }),
    Schema.makeFilter((text) => text === '' || text.trim() !== '' || 'is empty'),
  )
  .annotate({ title: 'The system prompt', problem: 'is not a text', hint: 'Say what the agent is.' })

/** The required options. */
export const IDENTITY = {
  id: Text.check(Schema.isPattern(AGENT_ID_PATTERN)).annotate({
    description: 'Lower-case letters, digits, _ and -; at most 64.',
    problem: 'is not a valid agent id',
    hint: `Use ${ID_RULE}.`,
  }),
  systemPrompt: SystemPrompt.pipe(Schema.annotateKey({ hint: 'Say what the agent is.' })),
}

export const RETRY = {
  attempts: setting(Count, 'how often a failed call is retried, where that can help', 3),
  minDelayMs: setting(Count, 'the wait before the first retry, in ms; doubled for each further one', 1000),
  maxDelayMs: setting(Count, 'the longest wait before a retry, in ms', 60_000),
}

const MODEL_NAME = /^[A-Za-z0-9]/

export const AGENT = {
  allowedTools: setting(Schema.Array(ToolRule), 'tools that need no permission'),
  maxTurns: setting(Positive, 'the most turns of the model in one call'),
  model: setting(
    Text.check(Schema.isPattern(MODEL_NAME)).annotate({ problem: 'is not the name of a model' }),
    'the model; by default the one that claude chooses',
  ),
  timeoutMs: setting(Positive, 'how long a task may be worked on, retries included, in ms', 30 * 60_000),
  permissions: setting(
    Schema.Literals(['workspace', 'bypass']).annotate({ problem: 'is neither "workspace" nor "bypass"' }),
    'what it may do without being asked',
    'workspace',
  ),
}

/** When a person is asked. An agent that asks none has neither in its facts. */
export const ASKING = {
  approveTools: setting(Schema.Array(ToolRule), 'tools of which a person decides each call'),
  questions: setting(Schema.Boolean, 'whether it can ask a person', false),
}

/** All tools of the team, none, or those that are named. */
export const TeamTools = Schema.Union([Schema.Boolean, Schema.Array(Schema.String)])
  .annotate({ problem: `is neither true, nor false, nor a list of these: ${TEAM_TOOLS.join(', ')}` })
  .check(
    Schema.makeFilter((granted) => {
      const unknown =
        typeof granted === 'boolean' ? undefined : granted.find((name) => !TEAM_TOOLS.includes(name))
      if (unknown === undefined) return undefined
      return new SchemaIssue.InvalidValue({
        message: `has ${JSON.stringify(unknown.slice(0, 70))}, which is not a tool of the team`,
        hint: nameHint(unknown, TEAM_TOOLS),
      })
    }),
  )
  .annotate({ description: 'Whether it works with the other agents of its team, or by which tools.' })

const LONGEST_CLAUDE_MD = 64 * 1024

const Directories = Schema.Array(
  Text.check(
    Schema.makeFilter((path) => !/[\0\r\n]/.test(path), { problem: 'is not the path of a directory' }),
  ),
)

/** What an agent is given beyond its role. One that is not given it has none of it in its facts. */
export const EQUIPMENT = {
  disallowedTools: setting(Schema.Array(ToolRule), 'tools that it may never use'),
  effort: setting(Schema.Literals(EFFORTS), 'how much the model thinks'),
  fallbackModel: setting(
    Text.check(
      Schema.makeFilter((names) => names.split(',').every((name) => MODEL_NAME.test(name)), {
        problem: 'is not the name of a model',
      }),
    ),
    'the model, or several between commas, for when the first is overloaded or gone',
  ),
  addDirs: setting(Directories, 'directories beside the workspace whose files it reads and changes'),
  appendClaudeMd: setting(
    Text.check(
      Schema.makeFilter((text) => Buffer.byteLength(text) <= LONGEST_CLAUDE_MD, {
        problem: `is longer than ${LONGEST_CLAUDE_MD} bytes`,
        hint: 'Put the rest into a file of the workspace.',
      }),
    ),
    'instructions that follow its system prompt',
  ),
  env: setting(Schema.Array(PassedVariable), 'names of variables of the environment that it gets'),
  plugins: setting(Directories, 'directories of plugins for Claude Code'),
}

/** What a call gets of it. */
export type Equipment = Pick<AgentConfig, Exclude<keyof typeof EQUIPMENT, 'appendClaudeMd'> | 'mcpServers'>

/** What an agent's configuration has of it. */
export const equipmentOf = (config: AgentConfig): Equipment => {
  const { mcpServers, disallowedTools, effort, fallbackModel, addDirs, env, plugins } = config
  return defined({ mcpServers, disallowedTools, effort, fallbackModel, addDirs, env, plugins })
}

const BaseName = Text.check(Schema.isPattern(/^(?!-)[^\0-\x20\x7f~^:?*[\\]+$/)).annotate({
  problem: 'is not a name for a branch or a commit',
})

// The other rules of git check-ref-format: it would take `@{-1}` for the branch that was checked out before.
const BranchName = BaseName.check(
  Schema.isPattern(/^(?!@$|HEAD$|[./])(?!.*(\.\.|@\{|\/[./]|\.lock(\/|$)|[./]$))/),
).annotate({
  problem: 'is not a name that git allows for a branch',
  hint: 'Use letters, digits, - and _, with / between parts, as in feature/parser.',
})

/** What a template of a commit's message may name. */
export const MESSAGE_PARTS = ['subject', 'agent', 'task', 'run'] as const

const LONGEST_MESSAGE = 4096

const CommitMessage = Text.check(
  Schema.makeFilter(
    (text) =>
      [...text.matchAll(/\{(\w+)\}/g)].every(([, part]) => MESSAGE_PARTS.some((known) => known === part)),
    {
      problem: 'names something that no commit has',
      hint: `Use ${MESSAGE_PARTS.map((part) => `{${part}}`).join(', ')}.`,
    },
  ),
  Schema.makeFilter((text) => text.length <= LONGEST_MESSAGE && !text.includes('\0'), {
    problem: `is longer than ${LONGEST_MESSAGE} characters, or has a zero byte`,
  }),
).annotate({
  description: 'The message of the commits: a text with {subject}, {agent}, {task} and {run}.',
})

/** The fields of a workspace, in code and in the configuration file. */
export const RepositoryOptions: Schema.Codec<RepositoryOptions> = explainedBy<RepositoryOptions>()(
  Schema.Struct({
    repo: Text.annotate({ description: 'A directory of the git repository.' }),
    base: Schema.optionalKey(
      BaseName.annotate({
        description: 'The branch, tag or commit that its work begins from: HEAD by default.',
      }),
    ),
    branch: Schema.optionalKey(
      BranchName.annotate({ description: 'The branch of its work: claude-agents/ID by default.' }),
    ),
    project: Schema.optionalKey(
      Schema.Boolean.annotate({
        description:
          "Whether the project's own settings for Claude Code count: by default only if you have trusted them.",
      }),
    ),
    commit: Schema.optionalKey(
      Schema.Literals(['turn', 'agent']).annotate({
        description: 'Who commits: turn makes a commit of each answered task, agent leaves it to the agent.',
        problem: 'is neither "turn" nor "agent"',
      }),
    ),
    message: Schema.optionalKey(CommitMessage),
  }).annotate({ noun: 'option' }),
)

const RepositoryWorkspace: Schema.Codec<RepositoryWorkspace> = explainedBy<RepositoryWorkspace>()(
  Schema.Struct({
    repo: Schema.String,
    base: Schema.String,
    commit: Schema.String,
    branch: Schema.String,
    project: Schema.optionalKey(Schema.Boolean),
    settings: Schema.optionalKey(Schema.String),
    commits: Schema.optionalKey(Schema.Literal('agent')),
    message: Schema.optionalKey(Schema.String),
  }),
)

export const RetryPolicy: Schema.Codec<RetryPolicy> = explainedBy<RetryPolicy>()(Schema.Struct(whole(RETRY)))

export const AgentConfig: Schema.Codec<AgentConfig> = explainedBy<AgentConfig>()(
  Schema.Struct({
    systemPrompt: Schema.String,
    ...whole(AGENT),
    // As it was written: the tools of Claude Code change.
    allowedTools: Schema.NullOr(Schema.Array(Schema.String)),
    approveTools: Schema.optionalKey(Schema.Array(Schema.String)),
    questions: Schema.optionalKey(Schema.Literal(true)),
    team: Schema.optionalKey(Schema.Array(Schema.String)),
    onMessage: Schema.optionalKey(Schema.Literals(['wake', 'hold'])),
    mcpServers: Schema.optionalKey(RecordedServers),
    disallowedTools: Schema.optionalKey(Schema.Array(Schema.String)),
    effort: Schema.optionalKey(EQUIPMENT.effort.schema),
    fallbackModel: Schema.optionalKey(Schema.String),
    addDirs: Schema.optionalKey(Schema.Array(Schema.String)),
    appendClaudeMd: Schema.optionalKey(Schema.String),
    env: Schema.optionalKey(Schema.Array(Schema.String)),
    plugins: Schema.optionalKey(Schema.Array(Schema.String)),
    requires: Schema.optionalKey(Schema.Array(Schema.String)),
    retry: RetryPolicy,
    loadProjectSettings: Schema.optionalKey(Schema.Boolean),
    workspace: Schema.optionalKey(RepositoryWorkspace),
  }),
)

const defaults = {
  ...optional(AGENT),
  ...optional(ASKING),
  team: Schema.optionalKey(TeamTools),
  ...optional(MESSAGING),
  ...optional(EQUIPMENT),
  ...optional(PLACING),
  mcpServers: Schema.optionalKey(McpServers),
  retry: Schema.optionalKey(Schema.Struct(optional(RETRY)).annotate({ noun: 'option' })),
  workspace: Schema.optionalKey(RepositoryOptions),
  budget: Schema.optionalKey(Budget),
}

export const AgentOptions: Decodable<AgentOptions> = explainedBy<AgentOptions>()(
  Schema.Struct({ ...IDENTITY, ...defaults }).annotate({ noun: 'option' }),
)

export const AgentDefaults: Decodable<AgentDefaults> = explainedBy<AgentDefaults>()(
  Schema.Struct(defaults).annotate({ noun: 'option' }),
)

/** The configuration that the options describe, without its workspace: what that begins from, only git knows. Throws InvalidIdError, InvalidInputError. */
export function agentConfig(options: AgentOptions): AgentConfig {
  const id = checkAgentId(options.id)
  const whole = { name: `agent "${id}"`, outcome: 'Nothing was written' }
  const given = decodedInput(AgentOptions, options, whole)
  const { systemPrompt, retry = {}, workspace: _, budget: __, team = false, onMessage, ...others } = given
  const config = completed(AGENT, others)
  const { mcpServers = {}, effort, fallbackModel, appendClaudeMd } = others
  return {
    systemPrompt,
    ...config,
    allowedTools: config.allowedTools?.map(toolRule) ?? null,
    // What was not given is not in the log.
    ...defined({
      approveTools: some(others.approveTools)?.map(toolRule),
      questions: others.questions || undefined,
      team: team === true ? TEAM_TOOLS : team || undefined,
      onMessage: onMessage === 'queue' ? undefined : onMessage,
      mcpServers: Object.keys(mcpServers).length > 0 ? locatedServers(mcpServers) : undefined,
      disallowedTools: some(others.disallowedTools)?.map(toolRule),
      ...{ effort, fallbackModel, appendClaudeMd },
      addDirs: some(others.addDirs)?.map((path) => resolve(path)),
      env: some(others.env),
      plugins: some(others.plugins)?.map((path) => resolve(path)),
      requires: some(labelSet(others.requires)),
    }),
    retry: completed(RETRY, retry),
  }
}

const some = <T>(list: readonly T[] = []): readonly T[] | undefined => (list.length > 0 ? list : undefined)
