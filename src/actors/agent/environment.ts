/** What agents share: their actor's type, and what they need of the world. */

import type { AgentRunner } from '../../claude/runner.ts'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import type { Budgets } from '../admission/budgets.ts'
import type { Governor } from '../admission/governor.ts'
import type { ActorEnvironment, EventSourcedActor } from '../engine/actor.ts'
import type { RecoveryOutcome } from './call.ts'
import type { AgentEffect } from './decisions.ts'
import type { agentMachine } from './machine.ts'

/** What an agent needs of the world. */
export interface AgentEnvironment extends ActorEnvironment {
  readonly runner: AgentRunner
  /** Lets calls in. */
  readonly governor: Governor
  readonly baseDir: string
  /** Resolves when no process runs any more that the log does not know. */
  readonly swept: () => Promise<void>
  /** How many tasks one agent may have, waiting or running. */
  readonly mailbox: number
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  /** A new UUID. */
  readonly newId: () => string
  readonly directories: (agent: string) => AgentDirectories
  /** Whether a task continues the agent's conversation, unless it is told. */
  readonly session: 'chain' | 'fresh'
  /** Whether tasks are taken that are not part of a run. */
  readonly intake: { readonly isOpen: boolean }
  /** What may be spent. */
  readonly budgets: Budgets
  /** Told what became of each task that an earlier process had left. */
  readonly recovered: (recovery: Recovery) => void
}

/** What became of a task that an earlier process had left. */
export interface Recovery {
  readonly agent: string
  readonly taskId: string
  /**
   * `harvested`: it had been answered, here is the answer. `redispatched`: it had not been sent, it is sent now.
   * `retried`: it had failed, or had been sent and no answer was kept; it is asked again. `failed`: it had failed for
   * good. `unknown`: it had been sent, no answer was kept, and no try is left.
   */
  readonly outcome: RecoveryOutcome
}

/** The actor that an agent is. */
export type AgentActor = EventSourcedActor<typeof agentMachine, AgentEffect>
