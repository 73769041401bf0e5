/** How long to wait before trying again. */
import type { RetryPolicy } from '../../events/options/agent.ts'

/**
 * Exponential back-off with jitter: between half and all of `minDelayMs * 2^(retry - 1)`, at most `maxDelayMs`. Half of
 * it is random, so that agents which failed together do not come back together ("equal jitter" in Marc Brooker,
 * Exponential Backoff And Jitter, AWS Architecture Blog 2015).
 *
 * @param retry Which retry it is, from 1.
 * @param random From 0 to 1.
 */
export function retryDelayMs(policy: RetryPolicy, retry: number, random: number): number {
  const ceiling = Math.min(policy.maxDelayMs, policy.minDelayMs * 2 ** (retry - 1))
  return Math.round(ceiling / 2 + (ceiling / 2) * random)
}
