/** The options of an ask. */
import type { Hold } from '../../../events/agent-facts.ts'
import type { JsonObject } from '../../../events/json.ts'
import { type KnownKeys, refuseUnknownKeys } from '../../../events/options/decoding.ts'
import type { Interest } from '../../engine/wish.ts'
import type { AskingStep, HoldListeners } from './channel.ts'

/** Options of `ask`. */
export interface AskOptions extends HoldListeners {
  /** Aborting it cancels the task. */
  readonly signal?: AbortSignal
  /** Makes the ask idempotent: the same id runs once, ever, and has one reply. Default: a new UUID. */
  readonly taskId?: string
  /**
   * `chain` (the default, unless the orchestrator sets another) continues the agent's conversation; `fresh` starts one of
   * its own, which leaves no trace in the agent's.
   */
  readonly session?: 'chain' | 'fresh'
  /** A JSON Schema for the answer, whose text is then JSON. */
  readonly outputSchema?: JsonObject
  /** What led to the task, recorded in the log: a run and its step. */
  readonly origin?: {
    readonly correlationId: string
    readonly causationId: string | null
    readonly runId?: string
    /** The length of the chain of messages that led to the request; absent if none did. */
    readonly woken?: number
    /** The agents that wait for the answer, the one that asks last. */
    readonly askers?: readonly string[]
    /** That step: what it records together with its task. */
    readonly step?: AskingStep
    /** Aborting it cancels the task, as `signal` does. */
    readonly interest?: Interest
    /**
     * The last answer's session in the conversation that the task continues instead of the agent's own; null if it
     * begins one.
     */
    readonly continues?: string | null
  }
  /**
   * Whether the task needs approval first (`orchestrator.approve`). Until then it is held, across restarts too, and later
   * tasks pass it. A string is a note that tells why.
   */
  readonly approval?: boolean | string
  /** Who asks, if a person does so by hand; it is recorded in the log. */
  readonly by?: string
}

/** Throws for an option that does not exist. */
export const checkAskOptions = (options: AskOptions): void =>
  refuseUnknownKeys(options, ASK_OPTIONS, { what: 'The options of ask', noun: 'option' })

const ASK_OPTIONS: KnownKeys<AskOptions> = {
  signal: true,
  taskId: true,
  session: true,
  outputSchema: true,
  origin: true,
  approval: true,
  by: true,
  onHeld: true,
  onReleased: true,
}

/** Why a task with this option is held from the beginning; undefined if it is not. */
export function holdFor(approval: AskOptions['approval']): Hold | undefined {
  if (approval === undefined || approval === false) return undefined
  return { reason: 'approval', note: typeof approval === 'string' ? approval : null }
}
