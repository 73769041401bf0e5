/** What an orchestrator can be told. */

import type { Inspection } from './actors/engine/live-machine.ts'
import type { OwnKind } from './actors/own/definition.ts'
import type { FatalError } from './actors/supervision/downfall.ts'
import type { AgentRunner } from './claude/runner.ts'
import type { Clock } from './clock.ts'
import type { AgentDefaults, AgentOptions } from './events/options/agent.ts'
import type { Budget } from './events/options/budget.ts'
import type { Limits } from './events/options/limits.ts'
import type { Logger } from './logger.ts'
import type { EventStore } from './store/event-store.ts'

export interface OrchestratorOptions {
  /** Where the log and the agents live. Default `.claude-agents` in the working directory. */
  readonly baseDir?: string
  /** How many agents there may be at once. Default 100. */
  readonly maxAgents?: number
  /** What bounds all agents together, and each one's mailbox. */
  readonly limits?: Limits
  /** What new agents are unless they are told. */
  readonly agentDefaults?: AgentDefaults
  /** Agents that are made on opening, or made what is said of them here; others stay as they are. */
  readonly agents?: readonly AgentOptions[]
  /** Whether a task continues its agent's conversation, unless it is told. Default true. */
  readonly sessionPersistence?: boolean
  /**
   * The most that all agents together may spend, ever: `{ usd: 10 }`. It is kept in the log and counts from its first time
   * on, with what was spent before. What is set by hand later holds until another one is given here. See docs/budgets.md.
   */
  readonly budget?: Budget
  /** The least that a call is estimated to cost, where there is a budget. Default: 0.01 dollars and 100 tokens. */
  readonly callMinimum?: { readonly usd?: number; readonly tokens?: number }
  /** What answers. Default: the `claude` command. */
  readonly runner?: AgentRunner
  /** The log. Default: LevelDB in the base directory. The orchestrator closes it. */
  readonly store?: EventStore
  /** A pino instance, or anything like it. Default: silent. */
  readonly logger?: Logger
  /**
   * When to go on with what an earlier process had left (calls in flight, retries, queues): `'at-once'` (the default),
   * or `'on-demand'`, when `recover` is called or the agent is asked something.
   */
  readonly resume?: 'at-once' | 'on-demand'
  /**
   * Whether other processes of this user can read the log, and give commands, while it is open here: through a socket
   * that `owner.json` in the base directory names. Default true; a `store` of your own is never served.
   */
  readonly serve?: boolean
  /** Kinds of actors of your own: those that have something to do go on at opening, and their streams can be replayed. */
  readonly actors?: readonly OwnKind[]
  /** Told when nothing works any more: a supervision tree gave up, or the log's lock is lost; see `Orchestrator.failed`. */
  readonly onFailure?: (error: FatalError) => void
  readonly clock?: Clock
  /**
   * Hears XState's inspection events of every agent, run and supervisor that this process has in memory. Stately's
   * inspector takes them as they are: `inspect: createWebSocketInspector(...).inspect`.
   */
  readonly inspect?: Inspection
  /** A number from 0 to 1, for jitter. Default `Math.random`. */
  readonly random?: () => number
}
