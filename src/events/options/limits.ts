/** Limits on all agents together, on each agent's mailbox, and on the inputs of a task. */
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
  /** How many bytes the files, folders and repositories of one task may have. Default: 100,000,000. */
  readonly inputBytes?: number
  /** How many files they may have, and as many folders and links. Default: 10,000. */
  readonly inputFiles?: number
  /** How many seconds the clone of a repository may take. Default: 120. */
  readonly cloneSeconds?: number
}

export const LIMITS = {
  callsInFlight: setting(
    Positive,
    'how many calls may run at once, across all agents; by default four per core, at least 8',
  ),
  processStarts: setting(Positive, 'how many processes may be starting at once; by default one per core'),
  mailbox: setting(Positive, 'how many tasks one agent may have, waiting or running', 1000),
  inputBytes: setting(
    Positive,
    'how many bytes the files, folders and repositories of one task may have',
    100_000_000,
  ),
  inputFiles: setting(Positive, 'how many files they may have, and as many folders and links', 10_000),
  cloneSeconds: setting(Positive, 'how many seconds the clone of a repository may take', 120),
}

export const Limits: Decodable<Limits> = explainedBy<Limits>()(
  Schema.Struct(optional(LIMITS)).annotate({ noun: 'limit' }),
)
