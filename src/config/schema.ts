/** What may stand in the configuration file: one schema, which also makes the JSON Schema for editors. */
import * as Schema from 'effect/Schema'
import { Supervisor } from './supervision.ts'

const Text = Schema.String.check(Schema.isMinLength(1))
const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Names = Schema.Array(Text)

/** A value that can be set on the command line, in the environment and in the file. */
interface Setting<S extends Schema.Top> {
  readonly schema: S
  /** How its text in a variable or on the command line is read. */
  readonly kind: 'text' | 'number' | 'flag' | 'list'
  /** A phrase that goes on after the name. */
  readonly means: string
  /** Without `CLAUDE_AGENTS_`. */
  readonly variable: string
  readonly fallback?: string | number | boolean
  /** Whether it is a path, relative to where it was written. */
  readonly isPath?: true
}

const setting = <S extends Schema.Top>(
  schema: S,
  kind: Setting<S>['kind'],
  variable: string,
  means: string,
  more: Pick<Setting<S>, 'fallback' | 'isPath'> = {},
): Setting<S> => ({ schema, kind, variable, means, ...more })

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

const ORCHESTRATOR = {
  base_dir: setting(Text, 'text', 'BASE_DIR', 'where the log and the agents live', {
    fallback: '.claude-agents',
    isPath: true,
  }),
  max_agents: setting(Positive, 'number', 'MAX_AGENTS', 'how many agents there may be at once', {
    fallback: 100,
  }),
  session_persistence: setting(
    Schema.Boolean,
    'flag',
    'SESSION_PERSISTENCE',
    "whether a task continues its agent's conversation; if not, each has one of its own",
    { fallback: true },
  ),
}

const AGENT_DEFAULTS = {
  max_turns: setting(Positive, 'number', 'MAX_TURNS', 'the most turns of the model in one call'),
  timeout: setting(Positive, 'number', 'TIMEOUT', 'how many seconds a task may take, retries included', {
    fallback: 300,
  }),
  retry_attempts: setting(
    Count,
    'number',
    'RETRY_ATTEMPTS',
    'how often a call that failed is tried again, where that can help',
    { fallback: 3 },
  ),
  model: setting(Text, 'text', 'MODEL', 'the model; what claude takes by itself unless set'),
  allowed_tools: setting(Names, 'list', 'ALLOWED_TOOLS', 'tools that need no permission'),
}

const LIMITS = {
  calls_in_flight: setting(
    Positive,
    'number',
    'CALLS_IN_FLIGHT',
    'how many calls there may be at once, over all agents; four for each core, at least 8, unless set',
  ),
  process_starts: setting(
    Positive,
    'number',
    'PROCESS_STARTS',
    'how many processes may be starting at once; one for each core unless set',
  ),
  mailbox: setting(Positive, 'number', 'MAILBOX', 'how many tasks one agent may have, waiting or running', {
    fallback: 1000,
  }),
}

const Dollars = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

const BUDGET = {
  usd: setting(Dollars, 'number', 'BUDGET_USD', 'how many dollars may be spent by all agents together, ever'),
  tokens: setting(
    Count,
    'number',
    'BUDGET_TOKENS',
    'how many tokens may be used by all agents together, ever',
  ),
  minimum_usd: setting(
    Dollars,
    'number',
    'BUDGET_MINIMUM_USD',
    'what a call is reckoned to cost at least, before it is made',
    { fallback: 0.01 },
  ),
  minimum_tokens: setting(
    Count,
    'number',
    'BUDGET_MINIMUM_TOKENS',
    'how many tokens a call is reckoned to use at least, before it is made',
    { fallback: 100 },
  ),
}

const LOGGING = {
  level: setting(Schema.Literals(LOG_LEVELS), 'text', 'LOG_LEVEL', 'what is logged', { fallback: 'warn' }),
  file: setting(Text, 'text', 'LOG_FILE', 'a file that gets the log as lines of JSON as well', {
    isPath: true,
  }),
}

const CLAUDE = {
  path: setting(Text, 'text', 'CLAUDE_PATH', 'the claude command; the one on the PATH unless set', {
    isPath: true,
  }),
}

/** The sections whose values are settings. */
export const SETTINGS: Readonly<Record<string, Readonly<Record<string, Setting<Schema.Top>>>>> = {
  orchestrator: ORCHESTRATOR,
  agent_defaults: AGENT_DEFAULTS,
  limits: LIMITS,
  budget: BUDGET,
  logging: LOGGING,
  claude: CLAUDE,
}

const described = ({ schema, means, fallback }: Setting<Schema.Top>) =>
  schema.annotate({
    description: `${means[0]?.toUpperCase()}${means.slice(1)}.`,
    ...(fallback === undefined ? {} : { default: fallback }),
  })

type Optional<F extends Readonly<Record<string, Setting<Schema.Top>>>> = {
  [K in keyof F]: Schema.optionalKey<F[K]['schema']>
}

const optional = <F extends Readonly<Record<string, Setting<Schema.Top>>>>(fields: F) =>
  Object.fromEntries(
    Object.entries(fields).map(([key, field]) => [key, Schema.optionalKey(described(field))]),
  ) as unknown as Optional<F>

const section = <F extends Readonly<Record<string, Setting<Schema.Top>>>>(fields: F) =>
  Schema.optionalKey(Schema.Struct(optional(fields)))

const Agent = Schema.Struct({
  id: Text.annotate({ description: 'Lower-case letters, digits, _ and -; at most 64.' }),
  system_prompt: Text.annotate({ description: 'The role of the agent.' }),
  ...optional(AGENT_DEFAULTS),
  budget: Schema.optionalKey(
    Schema.Struct({ usd: Schema.optionalKey(Dollars), tokens: Schema.optionalKey(Count) }).annotate({
      description: 'The most that it may spend, ever.',
    }),
  ),
})

const Step = Schema.Union([
  Text,
  Schema.Struct({ pool: Text, size: Positive }),
  Schema.Struct({ workflow: Text }),
]).annotate({ description: 'An agent, { pool: AGENT, size: NUMBER } or { workflow: NAME }.' })

const Workflow = Schema.Struct({
  name: Text,
  pattern: Text,
  agents: Schema.Array(Step),
  prompts: Schema.optionalKey(Schema.Array(Schema.NullOr(Text))),
  concurrency: Schema.optionalKey(Positive),
  on_error: Schema.optionalKey(Schema.Literals(['collect', 'fail'])),
  rounds: Schema.optionalKey(Positive),
  votes: Schema.optionalKey(Positive),
  judge: Schema.optionalKey(Text),
  fallback: Schema.optionalKey(Text),
  split: Schema.optionalKey(Schema.Literals(['paragraphs', 'lines'])),
})
export type WorkflowEntry = typeof Workflow.Type

/** The whole file. */
export const ConfigFile = Schema.Struct({
  orchestrator: section(ORCHESTRATOR),
  agent_defaults: section(AGENT_DEFAULTS),
  limits: section(LIMITS),
  budget: section(BUDGET),
  logging: section(LOGGING),
  claude: section(CLAUDE),
  agents: Schema.optionalKey(
    Schema.Array(Agent).annotate({
      description: 'Agents that are created, or brought up to date, on opening.',
    }),
  ),
  supervision: Schema.optionalKey(
    Schema.Array(Supervisor).annotate({
      description: 'Trees of supervisors, started by claude-agents serve.',
    }),
  ),
  workflows: Schema.optionalKey(
    Schema.Array(Workflow).annotate({ description: 'Workflows that are given a name.' }),
  ),
})
export type ConfigValues = typeof ConfigFile.Type

/** For editors: completion, and what each key means. */
export function configJsonSchema(): object {
  const { schema, definitions } = Schema.toJsonSchemaDocument(ConfigFile, { onExcessProperty: 'error' })
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'The configuration file of claude-agents',
    ...schema,
    $defs: definitions,
  }
}
