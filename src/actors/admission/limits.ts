/** What bounds all agents together, and each agent's mailbox: checked before anything is opened. */
import type { AgentRunner } from '../../claude/runner.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { GovernorLimits } from './governor.ts'

export interface Limits {
  /**
   * How many calls there may be at once, over all agents. Default: what the runner can bear; for `claude` four for each
   * core, at least 8. An account that refuses calls gets fewer, by itself.
   */
  readonly callsInFlight?: number
  /** How many processes may be starting at once. Default: what the runner can bear; for `claude` one for each core. */
  readonly processStarts?: number
  /** How many tasks one agent may have, waiting or running; one more is refused with {@link MailboxFullError}. Default: 1,000. */
  readonly mailbox?: number
}

export const DEFAULT_MAILBOX = 1_000

const NAMES = ['callsInFlight', 'processStarts', 'mailbox'] as const

/** Throws {@link InvalidInputError}. */
export function checkLimits(limits: Limits): void {
  for (const [name, value] of Object.entries(limits)) {
    if (!(NAMES as readonly string[]).includes(name)) {
      throw new InvalidInputError({
        what: 'limits',
        problem: `there is no limit "${name}"`,
        hint: `Use one of ${NAMES.join(', ')}.`,
      })
    }
    if (value === undefined || (Number.isSafeInteger(value) && value > 0)) continue
    throw new InvalidInputError({
      what: `limits.${name}`,
      problem: `${value} is not a whole number of at least 1`,
    })
  }
}

/** What is told, else what the runner can bear, else no limit. */
export function governorLimits(limits: Limits, { capacity }: AgentRunner): GovernorLimits {
  return {
    callsInFlight: limits.callsInFlight ?? capacity?.calls ?? Number.POSITIVE_INFINITY,
    processStarts: limits.processStarts ?? capacity?.starts ?? Number.POSITIVE_INFINITY,
  }
}
