/** What agents need from the world, and the type of their actor. */
import type { AgentRunner, Call, TeamPass } from '../../claude/runner.ts'
import type { Amount } from '../../events/options/budget.ts'
import type { Material } from '../../events/task-input.ts'
import type { AgentDirectories } from '../../workspaces/directories.ts'
import type { PlacingOptions } from '../../workspaces/operations.ts'
import type { Place } from '../../workspaces/place.ts'
import type { Admission } from '../admission/admission.ts'
import type { ActorEnvironment, EventSourcedActor } from '../engine/actor.ts'
import type { Bodies } from '../engine/bodies.ts'
import type { Life } from '../engine/life.ts'
import type { CallEnding, RecoveryOutcome } from './call.ts'
import type { AgentEffect } from './decisions.ts'
import type { agentMachine } from './machine.ts'
import type { DeliveredMessage, Publication } from './mailbox/unread.ts'
import type { StoredCopies } from './moving/copies.ts'
import type { Moving } from './moving/moving.ts'
import type { QueuedTask } from './state.ts'
import type { AskingStep, TaskChannel } from './tasks/channel.ts'

/** What an agent needs from the world. */
export interface AgentEnvironment extends ActorEnvironment {
  readonly runner: AgentRunner
  /** Lets a call reach the team until it has ended. */
  readonly team: (call: Call) => Promise<TeamPass & { end(): void }>
  /** Says whether a call may begin. */
  readonly admission: Admission
  /** Whether an agent lives in this process. */
  readonly owns: (agent: string) => boolean
  readonly baseDir: string
  /** Where this process runs. */
  readonly place: () => Place
  /** Stores and brings what agents of a cluster need; absent in readers and clients, where no agent lives. */
  readonly moving?: Moving | undefined
  /** Elsewhere: the files of agents that live in workers, to be looked at. */
  readonly copies?: StoredCopies | undefined
  /**
   * Resolves when the processes that an earlier owner left running have been killed, except those of calls that the log has
   * as open. No call starts before that. The owner is the process that has the store open.
   */
  readonly swept: () => Promise<void>
  /** Whether that has happened. */
  readonly isSwept: () => boolean
  /** The most tasks an agent may have, queued and running. */
  readonly mailbox: number
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number
  /** A new id for a task, a call or a session. */
  readonly newId: () => string
  readonly directories: (agent: string) => AgentDirectories
  /** The default of a task: `chain` continues the agent's conversation, `fresh` does not. */
  readonly session: 'chain' | 'fresh'
  /** Whether a task's material replaces what the agent has changed, if the task does not say. */
  readonly replaceInputs: boolean
  /** How much material a task may bring; what is missing is the runner's to say. */
  readonly inputLimits: NonNullable<PlacingOptions['limits']>
  /** Puts a message into the mailbox of its receiver, wherever that lives. Throws UndeliverableError, and why it is refused. */
  readonly deliver: (to: string, message: DeliveredMessage) => Promise<Partial<Publication>>
  /** Whether tasks that are not part of a run are accepted. */
  readonly intake: { readonly isOpen: boolean }
  /** Called with what a call cost, once that is recorded, if it was known only after its task had ended. */
  readonly spentLate: (task: QueuedTask, callId: string, cost: Amount) => Promise<void>
  /** Called with the recovery of each task that an earlier process left open. */
  readonly recovered: (recovery: Recovery) => void
}

/** How a task that an earlier process left open was recovered. */
export interface Recovery {
  readonly agent: string
  readonly taskId: string
  /**
   * `harvested`: its answer was found. `deferred`: it had ended at a tool call that a person has to decide. `redispatched`: it had not been sent, and is sent now, unless its deadline has
   * passed. `retried`: it had failed, or it had been sent and no answer was found; it is retried. `failed`: it had failed
   * permanently. `unknown`: it had been sent, no answer was found, and no retry is left.
   */
  readonly outcome: RecoveryOutcome
}

/** What an agent's worker knows of the tasks that were asked in this process, by their ids. */
export interface AskedTasks {
  readonly bodies: Bodies
  readonly channel: TaskChannel
  /** Their materials, with the credentials that the log must not contain. For other tasks, the log's copy is used. */
  readonly materials: ReadonlyMap<string, Material>
  /** The cancellations of tasks that are not durable yet. They never reject. */
  readonly cancelling: ReadonlyMap<string, Promise<unknown>>
  /** The steps of runs that wait for them. */
  readonly steps: ReadonlyMap<string, AskingStep>
  /** How calls ended that the agent left open when it was halted, by their ids. */
  readonly leftOpen: Map<string, CallEnding>
  /** Whether the agent is being removed: its messages begin no task. */
  readonly isLeaving: boolean
}

/** What an agent's users work with: a life with one actor after the other. */
export type AgentLife = Life<typeof agentMachine, AgentEffect>

/** What an agent's effects work with: they end with their actor. */
export type AgentActor = EventSourcedActor<typeof agentMachine, AgentEffect>
