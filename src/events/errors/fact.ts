/** What can be wrong with a fact: one that cannot be recorded, and one that this version cannot read. */
import { defineError } from './builder.ts'
import { NOTHING_WRITTEN, WRITTEN_BY_NEWER } from './phrases.ts'

/** A fact that does not fit its schema, or that changes nothing in the state it would be folded into. */
export class InvalidFactError extends defineError(
  'InvalidFactError',
  ({ type, problem }: { type: string; problem: string }) => ({
    message: `${type} cannot be recorded: ${problem}. ${NOTHING_WRITTEN}`,
  }),
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
