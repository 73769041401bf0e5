/** What can go wrong with an actor of the user's own. */
import { defineError } from './builder.ts'
import { NOTHING_WRITTEN, quoted } from './phrases.ts'

/** The actor is not running: it has ended, and nothing has started it again. */
export class ActorStoppedError extends defineError(
  'ActorStoppedError',
  ({ stream, reason }: { stream: string; reason: string }) => ({
    message: `Actor ${quoted(stream)} is not running: it has ended (${reason}).`,
    hint: 'Spawn it again: its state is in the log. A supervisor does so by itself.',
  }),
) {}

/** The `decide` of an actor returned something that is no decision. */
export class InvalidDecisionError extends defineError(
  'InvalidDecisionError',
  ({ kind, problem }: { kind: string; problem: string }) => ({
    message: `The decide of kind ${quoted(kind)} returned no decision: ${problem}. ${NOTHING_WRITTEN}`,
    hint: 'Return a list of facts, possibly empty, or { facts, reply }. For work that is asynchronous, use an effect.',
  }),
) {}

/** The log has a stream of a kind that this program does not know. */
export class UnknownKindError extends defineError('UnknownKindError', ({ stream }: { stream: string }) => ({
  message: `This program does not know the kind of ${quoted(stream)}: it can read its facts, but not its state.`,
  hint: 'Pass its definition: claude-agents replay STREAM --module FILE (in code: the option actors).',
})) {}

/** A machine that cannot be replayed: it contains a construct with a side effect or a clock. */
export class NotReplayableError extends defineError(
  'NotReplayableError',
  ({ machine, state, construct }: { machine: string; state: string; construct: string }) => ({
    message: `Machine ${quoted(machine)} cannot be replayed: state ${quoted(state)} uses ${construct}.`,
    hint: 'Keep only guards and assign in the machine, and move side effects to the effects of its definition.',
  }),
) {}
