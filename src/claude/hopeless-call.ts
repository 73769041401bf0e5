/** When the CLI's own further tries of a call's first request are not waited for. */
import {
  AuthenticationError,
  type ClaudeExecutionError,
  OverloadedError,
  RateLimitedError,
} from '../events/errors/call.ts'
import type { StreamFacts } from './stream/parser.ts'

/**
 * The CLI sends a refused request again by itself, up to CLAUDE_CODE_MAX_RETRIES times. In the middle of a call that is
 * right: its work so far would be lost. Before the model has said anything:
 *
 * - A key that was refused is refused again (measured: 3 requests). A stored login is left to the CLI, which renews it.
 * - A limited or overloaded account is ours to wait for: durably, without a process that waits, and not against the
 *   time of the task.
 */
export function hopeless(
  { retry, answered }: Pick<StreamFacts, 'retry' | 'answered'>,
  isLoginFixed: boolean,
): ClaudeExecutionError | null {
  if (retry === null || answered) return null
  const { status, retryAfterMs, problem } = retry
  const details = {
    said: problem,
    ...(status === undefined ? {} : { status }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
  if (status === 429) return new RateLimitedError(details)
  if (status === 529) return new OverloadedError(details)
  if (isLoginFixed && (status === 401 || status === 403)) return new AuthenticationError(details)
  return null
}
