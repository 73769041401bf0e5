/** What can go wrong when a task or a run is watched from outside. */
import { defineError } from './builder.ts'
import { didYouMean, quoted } from './phrases.ts'

const oneOf = (kinds: readonly string[]) =>
  [kinds.slice(0, -1).join(', '), ...kinds.slice(-1)].filter((part) => part !== '').join(' or ')

/** Nothing that can be watched has this id. `nearest` is the id that was probably meant, if there is one. */
export class IdNotFoundError extends defineError(
  'IdNotFoundError',
  ({ id, kinds, nearest }: { id: string; kinds: readonly string[]; nearest: string | null }) => ({
    details: { id, nearest },
    message: `No ${oneOf(kinds)} has the id ${quoted(id)}.${didYouMean(nearest)}`,
    hint: 'List them: claude-agents workflow list, claude-agents agent list. The tasks of an agent: claude-agents log --agent ID --type TaskAccepted',
  }),
) {}

/** Several things have this id. */
export class AmbiguousIdError extends defineError(
  'AmbiguousIdError',
  ({ id, found }: { id: string; found: readonly string[] }) => ({
    details: { id, found },
    message: `More than one thing has the id ${quoted(id)}: ${found.join(', ')}.`,
    hint: `Say which: run/${id}, agent/${id} or task/${id}; and of which agent, if several have the task: --agent ID`,
  }),
) {}

/** The time to wait is over. */
export class NotEndedError extends defineError(
  'NotEndedError',
  ({ what, seconds }: { what: string; seconds: number }) => ({
    message: `${what} has not ended within ${seconds} s.`,
    hint: 'It was not stopped: wait again, or attach to it.',
    retryable: true,
  }),
) {}
