/** The options of an orchestrator that are plain data: limits, budgets, and defaults for agents. */
import * as Schema from 'effect/Schema'
import { AgentDefaults } from './agent.ts'
import { Budget, CACHE_READ_WEIGHT, CallMinimum } from './budget.ts'
import { decodedInput } from './decoding.ts'
import { Limits } from './limits.ts'
import { partial, setting } from './setting.ts'
import { Positive, Text } from './values.ts'

export const ORCHESTRATOR = {
  baseDir: setting(Text, 'where the log and the agents live', '.claude-agents'),
  maxAgents: setting(Positive, 'how many agents may exist at once', 100),
  sessionPersistence: setting(
    Schema.Boolean,
    "whether a task continues its agent's conversation, and a step that of its run; if not, each starts a new one",
    true,
  ),
  replaceInputs: setting(
    Schema.Boolean,
    'whether the files, folders and repositories of a task replace what the agent has changed (kept beside the target); if not, such a task fails',
    false,
  ),
}

const Bounds = Schema.Struct(
  partial({
    maxAgents: ORCHESTRATOR.maxAgents.schema,
    limits: Limits,
    budget: Budget,
    callMinimum: CallMinimum,
    cacheReadWeight: CACHE_READ_WEIGHT.schema,
    agentDefaults: AgentDefaults,
  }),
)
type Bounds = typeof Bounds.Type

/** Throws {@link InvalidInputError} for the first mistake. */
export const checkBounds = (bounds: { readonly [K in keyof Bounds]: Bounds[K] | undefined }): Bounds =>
  decodedInput(Bounds, bounds, { name: 'options' })
