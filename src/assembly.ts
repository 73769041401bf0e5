/** Puts the parts of an orchestrator together: one environment, and everything that lives in it. */
import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { MINIMUM } from './actors/admission/budget-decisions.ts'
import { Budgets } from './actors/admission/budgets.ts'
import { Governor } from './actors/admission/governor.ts'
import { DEFAULT_MAILBOX, governorLimits } from './actors/admission/limits.ts'
import type { AgentEnvironment, Recovery } from './actors/agent/environment.ts'
import { AgentSystem } from './actors/agent/system.ts'
import { HeldTasks } from './actors/agent/tasks/held-tasks.ts'
import { OwnActors } from './actors/own/actors.ts'
import { Downfall } from './actors/supervision/downfall.ts'
import { Supervisors } from './actors/supervision/supervisors.ts'
import { claudeCli, processLimits } from './claude/claude-cli.ts'
import { type Clock, systemClock } from './clock.ts'
import { EventFeed } from './history/event-feed.ts'
import { History } from './history/history.ts'
import { silentLogger } from './logger.ts'
import type { OrchestratorOptions } from './orchestrator-options.ts'
import { Runs } from './patterns/runs/runs.ts'
import type { EventStore } from './store/event-store.ts'

const DEFAULT_MAX_AGENTS = 100

export interface Parts {
  readonly agents: AgentSystem
  readonly budgets: Budgets
  readonly held: HeldTasks
  readonly runs: Runs
  readonly supervisors: Supervisors
  readonly own: OwnActors
  readonly downfall: Downfall
  readonly history: History
  readonly feed: EventFeed
  readonly clock: Clock
  /** Whether it takes anything new. */
  readonly intake: { isOpen: boolean }
  /** What became of the tasks that an earlier process had left; grows while they are settled. */
  readonly recoveries: readonly Recovery[]
}

export function assemble(options: OrchestratorOptions, baseDir: string, store: EventStore): Parts {
  const { maxAgents = DEFAULT_MAX_AGENTS, clock = systemClock, logger = silentLogger } = options
  const { limits = {} } = options
  const recoveries: Recovery[] = []
  const intake = { isOpen: true }
  const runner = options.runner ?? claudeCli({ clock, logger, ...processLimits(limits) })
  const budgets = new Budgets({ store, clock, logger }, { ...MINIMUM, ...options.callMinimum })
  const environment: Omit<AgentEnvironment, 'swept'> = {
    budgets,
    store,
    baseDir,
    clock,
    logger,
    ...(options.inspect ? { inspect: options.inspect } : {}),
    runner,
    governor: new Governor(governorLimits(limits, runner), { clock, logger }),
    mailbox: limits.mailbox ?? DEFAULT_MAILBOX,
    random: options.random ?? Math.random,
    newId: randomUUID,
    intake,
    session: (options.sessionPersistence ?? true) ? 'chain' : 'fresh',
    directories: (agent) => {
      const own = resolve(baseDir, 'agents', agent)
      return { workspace: resolve(own, 'workspace'), home: resolve(own, 'home'), base: baseDir }
    },
    recovered: (recovery) => {
      logger.info({ ...recovery }, 'a task of an earlier process was settled')
      recoveries.push(recovery)
    },
  }
  const agents = new AgentSystem(environment, maxAgents, options.agentDefaults ?? {})
  const runs = new Runs(environment, agents)
  const own = new OwnActors(environment, options.actors ?? [])
  const downfall = new Downfall(logger, options.onFailure)
  const supervisors = new Supervisors({
    store,
    clock,
    logger,
    random: environment.random,
    startAgent: async (agent, supervisor) => (await agents.get(agent)).runUnder(supervisor),
    failed: (error, ended) => {
      const stop = () => Promise.allSettled([runs.close(), agents.refuse(error)])
      void downfall.begin(error, stop).then(async () => {
        await ended
        await supervisors.close()
        await own.close()
      })
    },
  })
  return {
    agents,
    budgets,
    held: new HeldTasks(store, agents),
    runs,
    supervisors,
    own,
    downfall,
    history: new History(store, own),
    feed: new EventFeed(store),
    recoveries,
    clock,
    intake,
  }
}
