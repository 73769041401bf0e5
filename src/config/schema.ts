/** The schema of the configuration file, which also generates the JSON Schema for editors. */

import * as Schema from 'effect/Schema'
import { defined } from '../events/json.ts'
import {
  AGENT,
  ASKING,
  EQUIPMENT,
  IDENTITY,
  RETRY,
  RepositoryOptions,
  TeamTools,
} from '../events/options/agent.ts'
import { BUDGET, CACHE_READ_WEIGHT, CALL_MINIMUM } from '../events/options/budget.ts'
import { Labels, PLACING } from '../events/options/labels.ts'
import { LIMITS } from '../events/options/limits.ts'
import { MESSAGING } from '../events/options/message.ts'
import { NotificationReceivers } from '../events/options/notify.ts'
import { ORCHESTRATOR } from '../events/options/orchestrator.ts'
import { McpServers } from '../events/options/servers.ts'
import { partial, type Setting, type Settings, setting } from '../events/options/setting.ts'
import { Positive, Text } from '../events/options/values.ts'
import { LOG_LEVELS } from '../logger.ts'
import { inFile } from './names.ts'
import { SupervisorSection } from './supervision.ts'
import { WORKFLOW_OPTIONS, WorkflowStep } from './workflow-definition.ts'

/** A value that can be set on the command line, in the environment and in the file. */
export interface FileSetting<S extends Schema.Top = Schema.Top, F = unknown> extends Setting<S, F> {
  /** Without `CLAUDE_AGENTS_`. */
  readonly variable: string
}

type WithVariables<T extends Settings> = {
  readonly [K in keyof T]: FileSetting<T[K]['schema'], T[K]['fallback']>
}

/** The settings of a section. Their variables are named after their keys. */
const section = <const T extends Settings>(settings: T, prefix = ''): WithVariables<T> =>
  Object.fromEntries(
    Object.entries(settings).map(([key, one]) => [
      key,
      { ...one, variable: `${prefix}${key.toUpperCase()}` },
    ]),
  ) as unknown as WithVariables<T>

const { max_turns, model, allowed_tools } = inFile(AGENT)

/** As milliseconds still a whole number. */
const MOST_SECONDS = Math.floor(Number.MAX_SAFE_INTEGER / 1000)

/** Without `permissions`: a file is not trusted with them. */
const AGENT_DEFAULTS = section({
  max_turns,
  timeout: setting(
    Positive.check(Schema.isLessThanOrEqualTo(MOST_SECONDS)),
    'how many seconds a task may be worked on, including retries',
    AGENT.timeoutMs.fallback / 1000,
  ),
  retry_attempts: RETRY.attempts,
  model,
  allowed_tools,
  ...inFile(ASKING),
  ...inFile(MESSAGING),
  ...inFile(EQUIPMENT),
  ...inFile(PLACING),
})

/** The sections that consist of settings. */
const SECTIONS = {
  orchestrator: section(inFile(ORCHESTRATOR)),
  agent_defaults: AGENT_DEFAULTS,
  limits: section(inFile(LIMITS)),
  budget: section(
    {
      ...BUDGET,
      minimum_usd: CALL_MINIMUM.usd,
      minimum_tokens: CALL_MINIMUM.tokens,
      cache_read_weight: CACHE_READ_WEIGHT,
    },
    'BUDGET_',
  ),
  logging: section(
    {
      level: setting(Schema.Literals(LOG_LEVELS), 'the lowest level that is logged', 'warn'),
      file: setting(Text, 'a file that also receives the log, as lines of JSON'),
    },
    'LOG_',
  ),
  cluster: {
    ...section({
      database: setting(
        Text,
        'the URL of the PostgreSQL that has the log, without a password; by default the log is in the base directory',
      ),
    }),
    ...section(
      {
        listen: setting(Text, 'where a worker listens for the others, HOST:PORT'),
        advertise: setting(Text, 'where the others reach a worker, if that is not where it listens'),
        labels: setting(Labels, 'what a worker has that agents can require, such as gpu'),
        health: setting(Text, 'where a worker answers /healthz, /readyz and /metrics, HOST:PORT'),
        drain: setting(
          Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: MOST_SECONDS })),
          'how many seconds an agent may take to end its work before it moves to another worker',
          900,
        ),
      },
      'WORKER_',
    ),
  },
  claude: section({ path: setting(Text, 'the claude command; by default the one on the PATH') }, 'CLAUDE_'),
}

export const SETTINGS: Readonly<Record<string, Readonly<Record<string, FileSetting>>>> = SECTIONS

const described = ({ schema, means, fallback }: Setting) =>
  schema.annotate({
    description: `${means[0]?.toUpperCase()}${means.slice(1)}.`,
    ...defined({ default: fallback }),
  })

type Fields<T extends Settings> = { readonly [K in keyof T]: Schema.optionalKey<T[K]['schema']> }

const fieldsOf = <const T extends Settings>(settings: T): Fields<T> =>
  partial(
    Object.fromEntries(Object.entries(settings).map(([key, one]) => [key, described(one)])),
  ) as unknown as Fields<T>

type Sections<T extends Readonly<Record<string, Settings>>> = {
  readonly [K in keyof T]: Schema.optionalKey<Schema.Struct<Fields<T[K]>>>
}

const sectionsOf = <const T extends Readonly<Record<string, Settings>>>(sections: T): Sections<T> =>
  partial(
    Object.fromEntries(
      Object.entries(sections).map(([name, settings]) => [name, Schema.Struct(fieldsOf(settings))]),
    ),
  ) as unknown as Sections<T>

/** They are no setting: nothing on a command line or in a variable says them. */
const Defaults = { ...fieldsOf(AGENT_DEFAULTS), mcp_servers: Schema.optionalKey(McpServers) }

const Agent = Schema.Struct({
  id: IDENTITY.id,
  system_prompt: IDENTITY.systemPrompt,
  ...Defaults,
  team: Schema.optionalKey(TeamTools),
  workspace: Schema.optionalKey(
    RepositoryOptions.annotate({
      noun: 'setting',
      description: 'The repository that it works on, in a worktree and on a branch of its own.',
    }),
  ),
  budget: Schema.optionalKey(
    Schema.Struct(partial({ usd: BUDGET.usd.schema, tokens: BUDGET.tokens.schema })).annotate({
      description: 'The total amount it may spend.',
    }),
  ),
})

const Workflow = Schema.Struct({
  name: Text,
  pattern: Text,
  agents: Schema.Array(WorkflowStep),
  ...partial(inFile(WORKFLOW_OPTIONS)),
})
export type WorkflowEntry = typeof Workflow.Type

/** The whole file. */
export const ConfigFile = Schema.Struct({
  ...sectionsOf(SECTIONS),
  agent_defaults: Schema.optionalKey(Schema.Struct(Defaults)),
  agents: Schema.optionalKey(
    Schema.Array(Agent).annotate({
      description: 'Agents that are created or updated on opening.',
    }),
  ),
  supervision: Schema.optionalKey(
    Schema.Array(SupervisorSection).annotate({
      description: 'Supervision trees, started by claude-agents serve.',
    }),
  ),
  workflows: Schema.optionalKey(Schema.Array(Workflow).annotate({ description: 'Named workflows.' })),
  notify: Schema.optionalKey(
    NotificationReceivers.annotate({
      description: 'Who is notified when something is held, fails, is done, or nears a budget.',
    }),
  ),
})
export type ConfigValues = typeof ConfigFile.Type

/** For editors: completion, and a description of each key. */
export function configJsonSchema(): object {
  const { schema, definitions } = Schema.toJsonSchemaDocument(ConfigFile, { onExcessProperty: 'error' })
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'The configuration file of claude-agents',
    ...schema,
    $defs: definitions,
  }
}
