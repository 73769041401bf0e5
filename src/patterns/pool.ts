/** Copies of an agent, so that several of its tasks are done at the same time. */
import { checkId } from '../events/ids.ts'
import type { Pool } from './pattern.ts'
import { checkCount } from './steps.ts'

/**
 * Copies `<id>.1`, `<id>.2`, ... of an agent, each with a workspace and a session of its own. They are made when the run
 * needs them, and removed at its end.
 *
 * @example
 * mapReduce({ split, map: pool('summarizer', { size: 8 }) })
 */
export function pool(agent: string, { size }: { readonly size: number }): Pool {
  checkId('agent', agent)
  checkCount('size', size)
  return { pool: agent, size }
}
