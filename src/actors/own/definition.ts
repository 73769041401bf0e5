/** Definitions of users' own actors: facts, machine, decisions and effects, typed end to end. */
import type { AnyStateMachine, EventFromLogic, SnapshotFrom } from 'xstate'
import type { Clock, DurableTimer } from '../../clock.ts'
import { InvalidIdError, InvalidInputError } from '../../events/errors/usage.ts'
import { checkId } from '../../events/ids.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import { type FactsOf, type OwnFactOf, type OwnFacts, ownFactCatalog } from '../../events/own-facts.ts'
import { type ActorDefinition, type Circumstances, defineKind, type Effect } from '../engine/definition.ts'
import type { Exit, Supervised } from '../engine/exit.ts'
import type { Decided } from './decided.ts'

export type { AnyStateMachine, SnapshotFrom } from 'xstate'
export type { Decided } from './decided.ts'

/** The address of an actor. It stays the same through restarts. */
export interface ActorRef<C = never, R = unknown, S = unknown> extends Supervised {
  readonly kind: string
  readonly id: string
  readonly stream: string
  /** The state, or the last one if it has ended, as an XState snapshot: `value`, `context`, `matches`, `can`. */
  readonly snapshot: S
  /** The number of facts folded into the state. */
  readonly version: number
  /** Whether it runs. */
  readonly isAlive: boolean
  /** Sends a command. Resolves when its facts are durable; rejects with whatever `decide` throws, or ActorStoppedError. */
  tell(command: C): Promise<void>
  /** Sends a command and returns the reply of `decide`. */
  ask(command: C): Promise<R>
  /** Calls back once, when it ends; at once if it has ended. Returns the function that stops watching. */
  watch(ended: (exit: Exit) => void): () => void
  /** Its exit, as an async iterable of one. */
  watch(): AsyncIterable<Exit>
  /** Calls back with each new state. */
  subscribe(next: (snapshot: S) => void): { unsubscribe(): void }
}

/** A message to an actor of your own. */
export interface ReceivedMessage {
  readonly messageId: string
  /** The id of an agent, or `KIND/ID` of another actor; null for a person, or a program outside. */
  readonly from: string | null
  readonly text: string
  /** The topic that it was published on. Absent if it was sent to this actor alone. */
  readonly topic?: string
}

/** How an actor of your own writes to others and asks them, in its own name. */
export interface ActorMessages {
  /**
   * Sends a message, as `orchestrator.messages.send` does. Give it a `messageId` that follows from the actor's facts: an effect
   * that is run again after a crash then sends it once.
   */
  send(
    to: string,
    text: string,
    options?: { readonly messageId?: string },
  ): Promise<{ readonly messageId: string }>
  /**
   * Asks an agent, and waits for its answer. The task is cancelled once the state no longer asks for the effect, and continues if
   * the actor ends. Give it a `requestId` that follows from the actor's facts: run again after a crash, the effect then gets
   * the answer to the same task.
   */
  ask(
    to: string,
    text: string,
    options?: { readonly requestId?: string },
  ): Promise<{ readonly text: string; readonly costUsd: number }>
}

/** Something that runs while the actor is in a state. */
export interface OwnEffect<C = never, R = unknown, S = unknown> extends Effect {
  /**
   * Carries the effect out. It is started once while the state asks for its key, and its signal is aborted when the state
   * no longer does. An exception crashes the actor.
   */
  run(context: EffectRun<C, R, S>): Promise<void> | void
}

/** The context of a running effect: when to stop, and the actor it works for. */
export interface EffectRun<C, R, S> {
  readonly signal: AbortSignal
  /** An earlier attempt, or an earlier process, may already have carried it out. */
  readonly resumed: boolean
  readonly clock: Clock
  /**
   * Waits for a timer that a fact holds, or until the signal aborts: until `dueAt`, but never longer than `delayMs`, the
   * wait that was decided, whatever the clock of the machine showed then or shows now. `durableTimer` makes one.
   */
  wait(timer: DurableTimer): Promise<void>
  readonly self: Pick<ActorRef<C, R, S>, 'id' | 'snapshot' | 'tell' | 'ask'>
  /** What it sends to agents and to other actors, and asks them. */
  readonly messages: ActorMessages
  /** Ends the actor normally. */
  end(): void
}

/** The parts of a kind of actor, for `defineActor`. */
export interface ActorParts<D extends OwnFacts, M extends AnyStateMachine, C, R> {
  /** The first part of a stream's name: `notebook` in `notebook/team`. */
  readonly kind: string
  /** What it is for: agents that may find it with `list_agents` read this. Default: nothing. */
  readonly description?: string
  /** The facts: a schema for the data of each type, from effect/Schema or any Standard Schema library. */
  readonly facts: D
  /** A pure XState machine whose events are the facts. See `assertReplayable`. */
  readonly machine: M
  /**
   * Maps a command and the state to facts. *Contract:* pure and synchronous: what needs I/O is an effect, or is done before
   * the command. Throwing rejects the command and writes nothing.
   */
  decide(
    command: C,
    snapshot: SnapshotFrom<M>,
    circumstances: Circumstances,
  ): Decided<NoInfer<OwnFactOf<D>>, R>
  /**
   * The command that a message to it is: with this, agents and people can send it messages and ask it, as `KIND/ID`.
   * *Contract:* as of `decide`; throwing refuses the message.
   */
  onMessage?(message: ReceivedMessage): NoInfer<C>
  /** The effects that should run in this state. Default: none. */
  effects?(snapshot: SnapshotFrom<M>): readonly OwnEffect<NoInfer<C>, NoInfer<R>, SnapshotFrom<M>>[]
}

/** A kind of actor, to be spawned. */
export interface OwnKind<C = never, R = unknown, M extends AnyStateMachine = AnyStateMachine> {
  readonly kind: string
  readonly description?: string
  readonly definition: ActorDefinition<M, OwnEffect<C, R, SnapshotFrom<M>>>
  decide(command: C, snapshot: SnapshotFrom<M>, circumstances: Circumstances): Decided<unknown, R>
  /** What it decides on a message. Absent if it takes none. */
  onMessage?(
    message: ReceivedMessage,
    snapshot: SnapshotFrom<M>,
    circumstances: Circumstances,
  ): Decided<unknown, R>
}

/** Makes the compiler refuse a machine whose events are not the facts. */
type Folds<D extends OwnFacts, M extends AnyStateMachine> = [FactsOf<D>] extends [EventFromLogic<M>]
  ? unknown
  : { readonly 'the machine does not take all of the facts as its events': never }

/** Kinds that this package has or may have in the future. */
const RESERVED = new Set([
  ...['agent', 'run', 'supervisor', 'orchestrator', 'system', 'account', 'budget', 'governor', 'limits'],
  ...[
    'agent-budget',
    'run-budget',
    'process',
    'processes',
    'task',
    'approval',
    'workflow',
    'schedule',
    'landing',
    'topic',
    'notes',
  ],
  ...['dead-letter', 'dead-letters', 'late-answer', 'late-answers'],
])

/**
 * What `decide` replies: nothing, unless it says so. While the compiler infers the parts, a reply that it does not know yet is
 * unknown and not undefined: so effects may be made from a list, by `map`.
 */
type ReplyOf<R> = 0 extends 1 & R ? R : unknown extends R ? undefined : R

/**
 * Defines a kind of actor. Throws InvalidIdError, InvalidInputError, and NotReplayableError for a machine with effects
 * or timers.
 *
 * @example
 * const facts = { Added: Schema.Struct({ by: Schema.Int }) }
 * const counter = defineActor({
 *   kind: 'counter',
 *   facts,
 *   machine: setup({ types: {} as { context: { sum: number }; events: FactsOf<typeof facts> } }).createMachine({
 *     context: { sum: 0 },
 *     on: { Added: { actions: assign({ sum: ({ context, event }) => context.sum + event.data.by }) } },
 *   }),
 *   decide: (command: { add: number }, { context }) => ({
 *     facts: [{ type: 'Added', data: { by: command.add } }],
 *     reply: context.sum + command.add,
 *   }),
 * })
 * const ref = await orchestrator.spawn(counter, 'visits')
 * await ref.ask({ add: 2 }) // 2
 */
export function defineActor<const D extends OwnFacts, M extends AnyStateMachine, C, R = unknown>(
  parts: ActorParts<D, M, C, R> & { readonly machine: Folds<D, M> },
): OwnKind<C, ReplyOf<R>, M> {
  checkArgument('The parts of defineActor', parts, 'an object')
  const { kind, facts, machine } = parts
  checkKind(kind)
  if (typeof parts.decide !== 'function')
    throw new InvalidInputError({ what: `Kind "${kind}"`, problem: 'decide is not a function' })
  const effects = (snapshot: SnapshotFrom<M>) => {
    const wanted = parts.effects?.(snapshot) ?? []
    if (Array.isArray(wanted)) return wanted as readonly OwnEffect<C, R, SnapshotFrom<M>>[]
    throw new InvalidInputError({ what: `The effects of kind "${kind}"`, problem: 'they are not a list' })
  }
  const definition = defineKind<M, OwnEffect<C, R, SnapshotFrom<M>>>(kind, machine as M, {
    facts: ownFactCatalog(kind, facts) as never,
    effects,
    summarize: (snapshot) => ({ status: nameOf(snapshot), open: isAtWork(effects, snapshot), info: {} }),
  })
  const { onMessage, description } = parts
  if (description !== undefined && typeof description !== 'string')
    throw new InvalidInputError({ what: `Kind "${kind}"`, problem: 'description is not a text' })
  if (onMessage !== undefined && typeof onMessage !== 'function')
    throw new InvalidInputError({ what: `Kind "${kind}"`, problem: 'onMessage is not a function' })
  const defined: OwnKind<C, R, M> = {
    ...(description !== undefined && { description }),
    ...{ kind, definition, decide: (...given) => parts.decide(...given) },
    ...(onMessage && {
      onMessage: (message, ...given) => parts.decide(onMessage.call(parts, message), ...given),
    }),
  }
  return defined as OwnKind<C, ReplyOf<R>, M>
}

/** The definitions that a module exports. Throws InvalidInputError if there are none. */
export function exportedActors(file: string, module: Readonly<Record<string, unknown>>): readonly OwnKind[] {
  const found = Object.values(module).filter(isOwnKind)
  if (found.length > 0) return found
  throw new InvalidInputError({
    what: file,
    problem: 'it exports no actor definition',
    hint: 'Export the result of defineActor: see docs/supervision.md.',
  })
}

/** Recognized by its parts: the module may use another copy of this package. */
function isOwnKind(value: unknown): value is OwnKind {
  const { kind, definition, decide } = (value ?? {}) as Partial<OwnKind>
  return typeof kind === 'string' && typeof decide === 'function' && definition?.fold !== undefined
}

function checkKind(kind: string): void {
  checkId('kind', kind)
  if (kind.includes('.')) throw new InvalidIdError({ what: 'kind', id: kind, rule: 'a name without a dot' })
  if (RESERVED.has(kind))
    throw new InvalidIdError({ what: 'kind', id: kind, rule: 'another name: this one is the package’s own' })
}

const nameOf = ({ value }: { readonly value?: unknown }): string =>
  typeof value === 'string' ? value : JSON.stringify(value ?? null)

function isAtWork<S>(effects: (snapshot: S) => readonly Effect[], snapshot: S): boolean {
  try {
    return effects(snapshot).length > 0
  } catch {
    // The error is reported when the effects are carried out.
    return true
  }
}
