/** Limits on all agents together, and on each agent's mailbox. */
import * as Schema from 'effect/Schema'
import type { Decodable } from './decoding.ts'
import { explainedBy, optional, setting } from './setting.ts'
import { Positive } from './values.ts'

export interface Limits {
  /**
   * How many calls may run at once, across all agents. Default: what the runner suggests; for `claude` four per core, at
   * least 8. An account that refuses calls automatically gets fewer.
   */
  readonly callsInFlight?: number
  /** How many processes may be starting at once. Default: what the runner suggests; for `claude` one per core. */
  readonly processStarts?: number
  /** How many tasks one agent may have, waiting or running; further ones are refused with {@link MailboxFullError}. Default: 1,000. */
  readonly mailbox?: number
}

export const LIMITS = {
  callsInFlight: setting(
    Positive,
    'how many calls may run at once, across all agents; by default four per core, at least 8',
  ),
  processStarts: setting(Positive, 'how many processes may be starting at once; by default one per core'),
  mailbox: setting(Positive, 'how many tasks one agent may have, waiting or running', 1000),
}

export const Limits: Decodable<Limits> = explainedBy<Limits>()(
  Schema.Struct(optional(LIMITS)).annotate({ noun: 'limit' }),
)
