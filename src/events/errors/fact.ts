/** What can be wrong with a fact: one that cannot be recorded, and one that this version cannot read. */
import { defineError } from './builder.ts'
import { NOTHING_WRITTEN, sentence, WRITTEN_BY_NEWER } from './phrases.ts'

/** A fact that does not fit its schema, or that changes nothing in the state it would be folded into. */
export class InvalidFactError extends defineError(
  'InvalidFactError',
  ({ type, problem }: { type: string; problem: string }) => ({
    message: `${sentence(`${type} cannot be recorded: ${problem}`)} ${NOTHING_WRITTEN}`,
  }),
) {}

/** A fact is intact, but the code that reads it threw: an upcast, or the fold of its actor. */
export class UnreadableFactError extends defineError(
  'UnreadableFactError',
  (details: {
    stream: string
    version: number
    type: string
    step: 'upcast' | 'folded'
    problem: string
  }) => {
    const { stream, version, type, step, problem } = details
    return {
      message: sentence(`The ${type} at version ${version} of ${stream} cannot be ${step}: ${problem}`),
      hint: 'The log is intact. Correct the code that reads this fact, then try again.',
    }
  },
) {}

/** The log contains a fact that only a newer version can read. */
export class UnknownFactError extends defineError(
  'UnknownFactError',
  ({ type, v, known, position }: { type: string; v: number; known: number | null; position: number }) => ({
    message: `The log has a ${type} of version ${v} at position ${position}; this program knows ${
      known === null ? 'no such fact' : `it only up to version ${known}`
    }.`,
    hint: WRITTEN_BY_NEWER,
  }),
) {}
