/** The inbox: everything that waits for a person in one list, and a person's decisions on it. */
import type { AccountInfo } from '../actors/admission/accounts.ts'
import type { HeldTask, Rejection, Verdict } from '../actors/agent/tasks/held.ts'
import type { OfAgent } from '../actors/agent/tasks/held-tasks.ts'
import {
  InboxDecisionError,
  InboxEntryGoneError,
  InboxEntryNotFoundError,
  TaskNotHeldError,
} from '../events/errors/hold.ts'
import { RunFinishedError } from '../events/errors/run.ts'
import { defined } from '../events/json.ts'
import { nearestName } from '../events/nearest-name.ts'
import { checkArgument } from '../events/options/decoding.ts'
import { type InboxEntry, placeOfEntry } from './entry.ts'
import { outcomeOf } from './outcome.ts'
import { type InboxSources, waitingIn } from './waiting.ts'

/** What carries decisions out. */
export interface InboxParts extends InboxSources {
  readonly runs: InboxSources['runs'] & { cancel(run: string, reason?: string): Promise<void> }
  readonly held: {
    approve(taskId: string, verdict: Verdict & OfAgent): Promise<HeldTask>
    reject(taskId: string, rejection: Rejection & OfAgent): Promise<HeldTask>
  }
  readonly accounts: { resume(options: Verdict): Promise<readonly AccountInfo[]> }
  readonly landings: { cancel(entry: string, decision: Rejection): Promise<unknown> }
}

export class Inbox {
  readonly #parts: InboxParts

  constructor(parts: InboxParts) {
    this.#parts = parts
  }

  list(): Promise<readonly InboxEntry[]> {
    return waitingIn(this.#parts)
  }

  /** Says yes. */
  async approve(id: string, { by }: Verdict = {}): Promise<InboxEntry> {
    const entry = await this.#entry(id)
    const { agent } = entry
    const { held, accounts } = this.#parts
    if (entry.kind === 'task' && agent !== null)
      await this.#decided(id, () => held.approve(taskOf(id), defined({ agent, by })))
    else if (entry.kind === 'account') await accounts.resume(defined({ by }))
    else throw refused(entry, 'needs more than an approval')
    return entry
  }

  /** Says no: the task is rejected, the run is cancelled, the work stays where it is. */
  async deny(id: string, { by, reason }: Rejection = {}): Promise<InboxEntry> {
    const entry = await this.#entry(id)
    const { agent, run, kind } = entry
    const { held, runs, landings } = this.#parts
    if (kind === 'run' && run !== null) await this.#decided(id, () => runs.cancel(run, denial(by, reason)))
    else if (kind === 'landing') await landings.cancel(placeOfEntry(id).of, defined({ by, reason }))
    else if (agent !== null && kind !== 'supervision')
      await this.#decided(id, () => held.reject(taskOf(id), defined({ agent, by, reason })))
    else throw refused(entry, 'cannot be denied')
    return entry
  }

  /** Answers a question. */
  async answer(id: string, text: string, _: Verdict = {}): Promise<InboxEntry> {
    checkArgument('The answer', text, 'a text')
    throw refused(await this.#entry(id), 'asks for no answer')
  }

  /** Throws InboxEntryGoneError if it is there no longer, and InboxEntryNotFoundError if it never was. */
  async #entry(id: string): Promise<InboxEntry> {
    checkArgument('The id of the entry', id, 'a text')
    const entries = await this.list()
    const found = entries.find((entry) => entry.id === id)
    if (found) return found
    throw await this.#missing(id, entries)
  }

  async #missing(id: string, entries: readonly InboxEntry[]): Promise<Error> {
    const became = await outcomeOf(id, this.#parts)
    if (became !== null) return new InboxEntryGoneError({ id, became })
    const ids = entries.map((entry) => entry.id)
    return new InboxEntryNotFoundError({ id, nearest: nearestName(id, ids) })
  }

  /** Another process may have decided it first. */
  async #decided(id: string, decide: () => Promise<unknown>): Promise<void> {
    try {
      await decide()
    } catch (error) {
      const isLate = error instanceof TaskNotHeldError || error instanceof RunFinishedError
      throw isLate ? await this.#missing(id, []) : error
    }
  }
}

const taskOf = (id: string) => placeOfEntry(id).taskId

const refused = ({ id, command }: InboxEntry, problem: string) =>
  new InboxDecisionError({ id, problem, command })

const denial = (by = '', reason = '') =>
  `denied${by === '' ? '' : ` by ${by}`}${reason === '' ? '' : `: ${reason}`}`
