/** An ask as its caller has it: its options, the handle on its task, and the reply. */
import type { CallMessage, Usage } from '../../../claude/runner.ts'
import type { Hold } from '../../../events/agent-facts.ts'
import { InvalidInputError } from '../../../events/errors/usage.ts'
import type { JsonObject } from '../../../events/json.ts'
import { heard } from '../../../events/listener.ts'
import { checkOptionsOf, type KnownKeys, named } from '../../../events/options/decoding.ts'
import type { Interest } from '../../engine/wish.ts'
import type { AskingStep, HoldListeners, TaskChannel } from './channel.ts'

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

/** An agent's answer. */
export interface Reply {
  readonly taskId: string
  readonly agent: string
  readonly text: string
  /** The session that contains this answer; the agent's next task continues it. */
  readonly sessionId: string
  readonly parentSessionId: string | null
  /** Of all calls of the task. If a call was cut off, or a transcript told no cost after a crash, it is an estimate. */
  readonly costUsd: number
  readonly usage: Usage
  /** As budgets count them. */
  readonly tokens: number
  readonly durationMs: number
  /**
   * Why the model stopped, in the service's words: `end_turn` for a whole answer, `max_tokens` for one that was cut
   * off. null if unknown.
   */
  readonly stopReason: string | null
  /** The number of calls it took. */
  readonly attempts: number
}

/**
 * A task that was asked. Awaiting it gives the reply; iterating it gives the messages as they arrive.
 *
 * @example
 * const task = agent.ask('Compare the two proposals')
 * for await (const message of task) if (message.type === 'text') process.stdout.write(message.text)
 * const { costUsd } = await task
 */
export class TaskHandle implements Promise<Reply>, AsyncIterable<CallMessage> {
  readonly [Symbol.toStringTag] = 'TaskHandle'
  readonly taskId: string
  readonly #reply: Promise<Reply>
  readonly #channel: TaskChannel
  readonly #cancel: (reason: string) => Promise<void>

  constructor(
    taskId: string,
    reply: Promise<Reply>,
    channel: TaskChannel,
    cancel: (reason: string) => Promise<void>,
  ) {
    this.taskId = taskId
    this.#reply = reply
    this.#channel = channel
    this.#cancel = cancel
    // Handles the rejection, so that a caller who never awaits the task does not crash the process.
    reply.catch(() => {})
  }

  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = Reply, B = never>(
    onReply?: ((reply: Reply) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#reply.then(onReply, onError)
  }

  catch<B = never>(onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Reply | B> {
    return this.#reply.catch(onError)
  }

  finally(onSettled?: (() => void) | null): Promise<Reply> {
    return this.#reply.finally(onSettled)
  }

  /** The messages from now on, until the task ends. Throws the task's error if it fails. */
  async *[Symbol.asyncIterator](): AsyncIterator<CallMessage> {
    yield* heard<CallMessage>((next, end) => {
      this.#reply.then(end, end)
      return this.#channel.listen(this.taskId, (news) => news.type === 'message' && next(news.message))
    })
    await this.#reply
  }

  /** The same task, whose reply is there only after some work, which begins once the task has ended. */
  before(work: () => Promise<unknown>): TaskHandle {
    return new TaskHandle(this.taskId, this.#reply.finally(work), this.#channel, this.#cancel)
  }

  /** Cancels the task, queued or running. Resolves when that is durable. Has no effect on a task that has ended. */
  cancel(reason = 'the asker no longer wants it'): Promise<void> {
    return this.#cancel(reason)
  }
}

/** Throws for an option that does not exist. */
export function checkAskOptions(options: AskOptions): void {
  checkOptionsOf('ask', options, ASK_OPTIONS)
  const { session, approval } = options
  if (session !== undefined && !SESSIONS.includes(session))
    throw new InvalidInputError({
      what: 'session',
      problem: `${named(session)} is none of ${SESSIONS.join(', ')}`,
    })
  if (approval !== undefined && typeof approval !== 'boolean' && typeof approval !== 'string')
    throw new InvalidInputError({
      what: 'approval',
      problem: 'it is neither true, nor false, nor a text that says why',
    })
}

const SESSIONS: readonly string[] = ['chain', 'fresh']

const ASK_OPTIONS: KnownKeys<AskOptions> = {
  signal: 'an AbortSignal',
  taskId: true,
  session: true,
  outputSchema: 'an object',
  origin: 'an object',
  approval: true,
  by: 'a text',
  onHeld: 'a function',
  onReleased: 'a function',
}

/** Why a task with this option is held from the beginning; undefined if it is not. */
export function holdFor(approval: AskOptions['approval']): Hold | undefined {
  if (approval === undefined || approval === false) return undefined
  return { reason: 'approval', note: typeof approval === 'string' ? approval : null }
}

/** The fact behind a reply or an error, so that whatever follows from it can be recorded as caused by that fact. */
const facts = new WeakMap<object, string>()

/** Remembers the fact that recorded an outcome. Returns the outcome. */
export function rememberFact<Outcome>(outcome: Outcome, factId: string | undefined): Outcome {
  if (typeof outcome === 'object' && outcome !== null && factId !== undefined) facts.set(outcome, factId)
  return outcome
}

/** The id of the fact; undefined if the outcome is in no log. */
export const factOf = (outcome: unknown): string | undefined =>
  typeof outcome === 'object' && outcome !== null ? facts.get(outcome) : undefined
