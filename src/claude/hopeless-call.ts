/** When to give up on a call instead of waiting for the CLI to retry its first request. */

import { instant } from '../clock.ts'
import {
  AuthenticationError,
  type ClaudeExecutionError,
  OverloadedError,
  RateLimitedError,
} from '../events/errors/call.ts'
import { defined } from '../events/json.ts'
import { limitOf } from './stream/account-limit.ts'
import type { StreamFacts } from './stream/parser.ts'

/**
 * The error of a call to give up on; null to let the CLI retry.
 *
 * The CLI resends a rejected request by itself, up to CLAUDE_CODE_MAX_RETRIES times. In the middle of a call that is
 * right, since the work so far would be lost. Before the model has said anything:
 *
 * - A rejected key will be rejected again (measured: 3 requests). A stored login is left to the CLI, which renews it.
 * - A rate-limited or overloaded account is ours to wait for: durably, without a waiting process, and without using
 *   up the task's time.
 */
export function hopeless(
  { retry, answered, windows }: Pick<StreamFacts, 'retry' | 'answered' | 'windows'>,
  isLoginFixed: boolean,
): ClaudeExecutionError | null {
  if (retry === null || answered) return null
  const { status, retryAfterMs, problem } = retry
  const details = defined({ said: problem, status, retryAfterMs })
  const limit = limitOf(windows, '', 0)
  const end = limit === null ? {} : { window: limit.window, resetsAt: instant(limit.resetsAt) }
  if (status === 429) return new RateLimitedError({ ...details, ...end })
  if (status === 529) return new OverloadedError(details)
  if (isLoginFixed && (status === 401 || status === 403)) return new AuthenticationError(details)
  return null
}
