/** An actor that a user defines: its facts, its machine, its decisions and its effects, typed end to end. */
import type { AnyStateMachine, EventFromLogic, SnapshotFrom } from 'xstate'
import type { Clock } from '../../clock.ts'
import { InvalidIdError, InvalidInputError } from '../../events/errors/usage.ts'
import { checkId } from '../../events/ids.ts'
import { type FactsOf, type OwnFactOf, type OwnFacts, ownFactCatalog } from '../../events/own-facts.ts'
import { type ActorDefinition, type Circumstances, defineKind, type Effect } from '../engine/definition.ts'
import type { Exit, Supervised } from '../engine/exit.ts'

export type { AnyStateMachine, SnapshotFrom } from 'xstate'

/** An actor that lives, or can: its address. It stays the same through restarts. */
export interface ActorRef<C = never, R = unknown, S = unknown> extends Supervised {
  readonly kind: string
  readonly id: string
  readonly stream: string
  /** The state; the last one where it has ended. As XState has it: `value`, `context`, `matches`, `can`. */
  readonly snapshot: S
  /** How many facts it is made of. */
  readonly version: number
  /** Whether it runs. */
  readonly isAlive: boolean
  /** Gives it a command. Resolves when what it has decided is durable; rejects as `decide` does. Throws ActorStoppedError. */
  tell(command: C): Promise<void>
  /** The same, with the reply of `decide`. */
  ask(command: C): Promise<R>
  /** Calls back once, with how it ended; at once where it has ended. Returns how to stop listening. */
  watch(ended: (exit: Exit) => void): () => void
  /** Gives its end, as an async iterable of one. */
  watch(): AsyncIterable<Exit>
  /** Calls back with each new state. */
  subscribe(next: (snapshot: S) => void): { unsubscribe(): void }
}

/** What is decided on a command: facts, or none; and what is replied to who asked. */
export type Decided<F, R> = readonly F[] | { readonly facts?: readonly F[]; readonly reply: R }

/** Something that goes on in a state, and how. */
export interface OwnEffect<C = never, R = unknown, S = unknown> extends Effect {
  /**
   * Carries it out. When the state no longer asks for an effect of this key, the signal is aborted; while it does, the
   * effect is not started a second time. An exception ends the actor: it has crashed.
   */
  run(context: EffectRun<C, R, S>): Promise<void> | void
}

/** What a running effect is given: when to stop, and the actor that it works for. */
export interface EffectRun<C, R, S> {
  readonly signal: AbortSignal
  /** An earlier process, or attempt, may have carried it out already. */
  readonly resumed: boolean
  readonly clock: Clock
  readonly self: Pick<ActorRef<C, R, S>, 'id' | 'snapshot' | 'tell' | 'ask'>
  /** Ends the actor, when this effect has ended. */
  end(): void
}

/** What a kind of actor of your own is made of, for `defineActor`. */
export interface ActorParts<D extends OwnFacts, M extends AnyStateMachine, C, R> {
  /** The first part of its stream's name: `notebook` for `notebook/team`. */
  readonly kind: string
  /** What can happen to it: a schema for the data of each type of fact, of effect/Schema or any Standard Schema. */
  readonly facts: D
  /** A pure XState machine whose events are the facts. See `assertReplayable`. */
  readonly machine: M
  /** Maps a command and the state to facts. Writes nothing when it throws. */
  decide(
    command: C,
    snapshot: SnapshotFrom<M>,
    circumstances: Circumstances,
  ): Decided<NoInfer<OwnFactOf<D>>, R>
  /** What should be going on in this state. Default: nothing. */
  effects?(snapshot: SnapshotFrom<M>): readonly OwnEffect<NoInfer<C>, NoInfer<R>, SnapshotFrom<M>>[]
}

/** A kind of actor, to be spawned. */
export interface OwnKind<C = never, R = unknown, M extends AnyStateMachine = AnyStateMachine> {
  readonly kind: string
  readonly definition: ActorDefinition<M, OwnEffect<C, R, SnapshotFrom<M>>>
  decide(command: C, snapshot: SnapshotFrom<M>, circumstances: Circumstances): Decided<unknown, R>
}

/** A machine whose events are not the facts is refused by the compiler, with this. */
type Folds<D extends OwnFacts, M extends AnyStateMachine> = [FactsOf<D>] extends [EventFromLogic<M>]
  ? unknown
  : { readonly 'the machine does not take all of the facts as its events': never }

/** Kinds that this package has itself, or may come to have. */
const RESERVED = new Set([
  ...['agent', 'run', 'supervisor', 'orchestrator', 'system', 'account', 'budget', 'governor', 'limits'],
  ...[
    'agent-budget',
    'run-budget',
    'process',
    'processes',
    'task',
    'approval',
    'dead-letter',
    'dead-letters',
    'late-answer',
    'late-answers',
    'workflow',
    'schedule',
  ],
])

/**
 * Defines a kind of actor. Throws InvalidIdError, InvalidInputError, and NotReplayableError for a machine that holds
 * effects or a clock.
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
export function defineActor<const D extends OwnFacts, M extends AnyStateMachine, C, R = undefined>(
  parts: ActorParts<D, M, C, R> & { readonly machine: Folds<D, M> },
): OwnKind<C, R, M> {
  const { kind, facts, machine, effects = () => [] } = parts
  checkKind(kind)
  if (typeof parts.decide !== 'function')
    throw new InvalidInputError({ what: `Kind "${kind}"`, problem: 'decide is not a function' })
  const definition = defineKind<M, OwnEffect<C, R, SnapshotFrom<M>>>(kind, machine as M, {
    facts: ownFactCatalog(kind, facts) as never,
    effects,
    summarize: (snapshot) => ({ status: nameOf(snapshot), open: isAtWork(effects, snapshot), info: {} }),
  })
  return { kind, definition, decide: (...given) => parts.decide(...given) }
}

/** The definitions that a module exports. Throws InvalidInputError where there are none. */
export function exportedActors(file: string, module: Readonly<Record<string, unknown>>): readonly OwnKind[] {
  const found = Object.values(module).filter(isOwnKind)
  if (found.length > 0) return found
  throw new InvalidInputError({
    what: file,
    problem: 'it exports no definition of an actor',
    hint: 'Export what defineActor gives: see docs/supervision.md.',
  })
}

/** Told by its parts: a module may have been made with another copy of this package. */
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
    // What is wrong with it is said where the effects are to be carried out.
    return true
  }
}
