/** What can go wrong with an actor of the user's own, with what agents send and ask one another, and with the notes they share. */
import { defineError } from './builder.ts'
import { didYouMean, NOTHING_WRITTEN, nextSentence, quoted, sentence } from './phrases.ts'

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
    message: `${sentence(`The decide of kind ${quoted(kind)} returned no decision: ${problem}`)} ${NOTHING_WRITTEN}`,
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

/** There is nothing to receive the message, or it accepts none. `reason` says what is wrong with the receiver. */
export class UndeliverableError extends defineError(
  'UndeliverableError',
  ({ to, reason, hint = '' }: { to: string; reason: string; hint?: string }) => ({
    details: { to, reason },
    message: `The message to ${quoted(to)} was not delivered. ${nextSentence(reason)}`,
    hint,
  }),
) {}

/** The receiver has so much to read that it accepts no more. What is in its mailbox is durable and will be read. */
export class TooManyMessagesError extends defineError(
  'TooManyMessagesError',
  ({ agent, messages, bytes }: { agent: string; messages: number; bytes: number }) => ({
    message: `Agent ${quoted(agent)} has ${messages} unread messages of ${bytes} bytes, and accepts no more. ${NOTHING_WRITTEN}`,
    hint: `Send it again once the agent has read some: it reads them with its next task. They are listed by: claude-agents message list ${agent}`,
    retryable: true,
  }),
) {}

/** So many messages wait to be delivered to the subscribers of a topic that it accepts no more. */
export class TopicFullError extends defineError(
  'TopicFullError',
  ({ topic, messages }: { topic: string; messages: number }) => ({
    message: `Topic ${quoted(topic)} has ${messages} messages that are not delivered yet, and accepts no more. ${NOTHING_WRITTEN}`,
    hint: 'Publish it again once some have been delivered.',
    retryable: true,
  }),
) {}

/** One id was used for two different messages. */
export class MessageConflictError extends defineError(
  'MessageConflictError',
  ({ to, messageId }: { to: string; messageId: string }) => ({
    message: `${quoted(to)} already has a message ${quoted(messageId)}, with another text or from another sender.`,
    hint: 'An id always stands for the same message: use a new id for a new message.',
  }),
) {}

/** Agents have sent one another so many messages in a row, each because of the one before, that a person has to look. */
export class MessageChainError extends defineError(
  'MessageChainError',
  ({ to, longest }: { to: string; longest: number }) => ({
    message: `The message to ${quoted(to)} was not sent: ${longest} messages have led to one another, and no person has asked for anything in between. ${NOTHING_WRITTEN}`,
    hint: 'Say in your answer what you have come to. A task that a person gives begins a new chain.',
  }),
) {}

/** There is no such message to release or to reject. */
export class MessageNotHeldError extends defineError(
  'MessageNotHeldError',
  ({ agent, messageId }: { agent: string; messageId: string }) => ({
    message: `Agent ${quoted(agent)} has no message ${quoted(messageId)} that is held.`,
    hint: 'List what waits: claude-agents inbox',
  }),
) {}

/** An agent asks one that waits for its answer: both would wait for ever. `waiting` is who waits for whom. */
export class AskCycleError extends defineError(
  'AskCycleError',
  ({ waiting }: { waiting: readonly string[] }) => {
    const [from = '', to = ''] = waiting
    const what =
      waiting.length === 2
        ? `Agent ${quoted(from)} cannot ask itself.`
        : `Agent ${quoted(from)} cannot ask ${quoted(to)}, which waits for its answer: ${waiting.join(' -> ')}.`
    return {
      message: `${what} ${NOTHING_WRITTEN}`,
      hint: 'Answer with what you have, and say what is missing. Or send a message, which waits for no answer.',
    }
  },
) {}

/** An agent asks one that asks one, and so on, for too long. */
export class AskDepthError extends defineError(
  'AskDepthError',
  ({ waiting, deepest }: { waiting: readonly string[]; deepest: number }) => ({
    message: `${waiting.length} agents already wait for one another (${waiting.join(' -> ')}): no more than ${deepest} may. ${NOTHING_WRITTEN}`,
    hint: 'Answer with what you have, and say what is missing.',
  }),
) {}

/** There is no note of this name, or it has no such version. `nearest` is the name that was probably meant, if there is one. */
export class NoteNotFoundError extends defineError(
  'NoteNotFoundError',
  ({ note, nearest, version = null }: { note: string; nearest: string | null; version?: number | null }) => ({
    details: { note, nearest, version },
    message:
      version === null
        ? `There is no note ${quoted(note)}.${didYouMean(nearest)}`
        : `Note ${quoted(note)} has no version ${version}.`,
    hint:
      version === null
        ? 'Write it, or list the notes: claude-agents note list'
        : `List its versions: claude-agents note history ${note}`,
  }),
) {}

/** Something else has written the note since it was read. */
export class NoteConflictError extends defineError(
  'NoteConflictError',
  ({ note, expected, actual }: { note: string; expected: number; actual: number }) => ({
    message:
      actual === 0
        ? `There is no note ${quoted(note)} yet: its version is 0, not ${expected}. ${NOTHING_WRITTEN}`
        : `Note ${quoted(note)} is at version ${actual}, not ${expected}: something else has written it. ${NOTHING_WRITTEN}`,
    hint: 'Read it again, add what you have to say to its text, and write that with the version that you have read.',
  }),
) {}
