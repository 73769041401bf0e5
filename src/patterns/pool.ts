/** Copies of an agent, so that it does several tasks at the same time. */

import { InvalidInputError } from '../events/errors/usage.ts'
import { checkAgentId, LARGEST_POOL } from '../events/ids.ts'
import { checkArgument } from '../events/options/decoding.ts'
import type { Pool } from './pattern.ts'
import { checkCount } from './steps.ts'

/**
 * Copies `<id>.1`, `<id>.2`, ... of an agent, each with its own workspace and session. They are created when the run
 * needs them and removed when it ends.
 *
 * @example
 * mapReduce({ split, map: pool('summarizer', { size: 8 }) })
 */
export function pool(agent: string, options: { readonly size: number }): Pool {
  checkArgument('The options of pool', options, 'an object')
  const { size } = options
  checkAgentId(agent)
  checkCount('size', size)
  if (size > LARGEST_POOL)
    throw new InvalidInputError({
      what: 'size',
      problem: `${size} is more than the ${LARGEST_POOL} copies that an agent can have`,
    })
  return { pool: agent, size }
}
