/** The options of `Orchestrator.open`. */
import type { Residency } from './actors/agent/moving/moving.ts'
import type { Inspection } from './actors/engine/live-machine.ts'
import type { OwnKind } from './actors/own/definition.ts'
import type { FatalError } from './actors/supervision/downfall.ts'
import type { AgentRunner } from './claude/runner.ts'
import type { Clock } from './clock.ts'
import type { ClusterOptions } from './cluster/options.ts'
import type { AgentDefaults, AgentOptions } from './events/options/agent.ts'
import type { Budget } from './events/options/budget.ts'
import type { KnownKeys } from './events/options/decoding.ts'
import type { Limits } from './events/options/limits.ts'
import type { NotificationReceiver } from './events/options/notify.ts'
import type { Logger } from './logger.ts'
import type { Pattern } from './patterns/pattern.ts'
import type { ClusterPlacement } from './patterns/runs/run.ts'
import type { EventStore } from './store/event-store.ts'

/** Options of `Orchestrator.open`. */
export interface OrchestratorOptions {
  /** The directory of the log and the agents. Default: `.claude-agents` in the working directory. */
  readonly baseDir?: string
  /** How many agents may exist at once. Default: 100. */
  readonly maxAgents?: number
  /** Limits on all agents together, on each agent's mailbox, and on the inputs of a task. */
  readonly limits?: Limits
  /** Defaults for the options of new agents. */
  readonly agentDefaults?: AgentDefaults
  /** Agents that are created on opening, or reconfigured if they exist with other options. Other agents stay unchanged. */
  readonly agents?: readonly AgentOptions[]
  /** Whether a task continues its agent's conversation by default. Default: true. */
  readonly sessionPersistence?: boolean
  /**
   * Whether the files, folders and repositories of a task replace what the agent has changed of them since they were placed,
   * if the task does not say (`replace`). What is replaced is kept beside. Default: false, and such a task fails.
   */
  readonly replaceInputs?: boolean
  /**
   * The most that all agents together may ever spend, past spending included: `{ usd: 10 }`. It is kept in the log. A limit
   * that is set by hand later applies until another one is declared here. See docs/budgets.md.
   */
  readonly budget?: Budget
  /** The least that a call is estimated to cost under a budget. Default: 0.01 dollars and 100 tokens. */
  readonly callMinimum?: { readonly usd?: number; readonly tokens?: number }
  /**
   * How much of each token that is read from the cache counts in budgets and totals of tokens, from 0 to 1. Tokens written
   * to the cache count in full. Default: 0.1, as they are priced.
   */
  readonly cacheReadWeight?: number
  /** Runs the calls. Default: the `claude` command. */
  readonly runner?: AgentRunner
  /** Agents live in the workers of a cluster; this process asks them, reads the log and runs workflows. */
  readonly cluster?: ClusterOptions
  /** Which agents live in this process and which runs it executes, and the way to the others. Default: all of them. */
  readonly placement?: ClusterPlacement
  /** Which worker of a cluster this process is: what agents need on another machine is stored with the log. Default: none. */
  readonly residency?: Residency
  /** The log. Default: LevelDB in the base directory. The orchestrator closes it. */
  readonly store?: EventStore
  /** A pino instance or a compatible logger. Default: silent. */
  readonly logger?: Logger
  /**
   * When to resume the work of an earlier process (calls in flight, retries, queues, and runs whose workflows can be built):
   * `'at-once'` (the default), or `'on-demand'`, when `recover` is called, or the agent or the run is used.
   */
  readonly resume?: 'at-once' | 'on-demand'
  /**
   * When the declared `agents` and `budget` are written to the log: `'at-once'` (the default), or `'on-demand'`, when
   * `declared` is called, or before the first command of another process that changes something. A program that only reads
   * then writes nothing.
   */
  readonly declare?: 'at-once' | 'on-demand'
  /**
   * Whether other processes of this user can read the log and send commands while it is open here, through the socket that
   * `owner.json` in the base directory names. Default: true; a custom `store` is never served.
   */
  readonly serve?: boolean
  /**
   * Called when another process asks this one to end (`claude-agents serve stop`); with `now`, at once. Without it, such a
   * request is refused.
   *
   * @example
   * onStop: ({ now }) => shutdown.begin({ finishWithinMs: now ? 0 : Infinity })
   */
  readonly onStop?: (request: { readonly now: boolean }) => void
  /**
   * Who is notified when something is held, fails, is done, or nears a budget: each at least once, from the log, also of what
   * happens in other processes that have the log open before or after this one. See docs/notifications.md.
   *
   * @example
   * notify: [{ webhook: { url: 'https://example.com/hook', secret: { env: 'HOOK_SECRET' } }, on: ['held', 'failed'] }]
   */
  readonly notify?: readonly NotificationReceiver[]
  /**
   * Patterns that runs refer to by name: `orchestrator.run('name', input)`. A run of one is resumed wherever the name is
   * offered.
   */
  readonly workflows?: Readonly<Record<string, Pattern>>
  /** Your own kinds of actors: those with open work resume on opening, and their streams can be replayed. */
  readonly actors?: readonly OwnKind[]
  /** Called when all work has stopped: a supervision tree gave up, or the log's lock is lost; see `Orchestrator.failed`. */
  readonly onFailure?: (error: FatalError) => void
  /** Default: `systemClock`. */
  readonly clock?: Clock
  /**
   * Receives XState's inspection events of every agent, run and supervisor in the memory of this process. Stately's
   * inspector accepts them unchanged: `inspect: createWebSocketInspector(...).inspect`.
   */
  readonly inspect?: Inspection
  /** Returns a number from 0 to 1, for jitter. Default: `Math.random`. */
  readonly random?: () => number
  /** Returns a new id for a task, a call, a session or a run: at most 64 of a-z, 0-9, `_` and `-`, never the same twice. Default: a UUID. */
  readonly newId?: () => string
}

export const OPTIONS: KnownKeys<OrchestratorOptions> = {
  baseDir: true,
  maxAgents: true,
  limits: true,
  agentDefaults: true,
  agents: 'a list',
  sessionPersistence: 'true or false',
  replaceInputs: 'true or false',
  budget: true,
  callMinimum: true,
  cacheReadWeight: true,
  runner: 'a runner',
  cluster: true,
  placement: true,
  residency: true,
  store: 'a store',
  logger: 'a logger',
  resume: true,
  declare: true,
  serve: 'true or false',
  onStop: 'a function',
  notify: 'a list',
  workflows: 'an object',
  actors: 'a list',
  onFailure: 'a function',
  clock: 'a clock',
  inspect: 'a function or an observer',
  random: 'a function',
  newId: 'a function',
}
