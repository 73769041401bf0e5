/** The inbox: everything that waits for a person in one list, and a person's decisions on it. */
import type { AccountInfo } from '../actors/admission/accounts.ts'
import type { AgentRef } from '../actors/agent/ref.ts'
import type { HeldTask, Rejection, ToolVerdict, Verdict } from '../actors/agent/tasks/held.ts'
import type { OfAgent } from '../actors/agent/tasks/held-tasks.ts'
import { MessageNotHeldError } from '../events/errors/actor.ts'
import {
  InboxDecisionError,
  InboxEntryGoneError,
  InboxEntryNotFoundError,
  TaskNotHeldError,
} from '../events/errors/hold.ts'
import { RunFinishedError } from '../events/errors/run.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { defined, isJsonObject, type JsonObject } from '../events/json.ts'
import { nearestName } from '../events/nearest-name.ts'
import { checkArgument, decodedInput } from '../events/options/decoding.ts'
import { ToolRule, toolRule } from '../events/options/tools.ts'
import { type InboxEntry, placeOfEntry } from './entry.ts'
import { outcomeOf } from './outcome.ts'
import { type InboxSources, waitingIn } from './waiting.ts'

/** What carries decisions out. */
export interface InboxParts extends InboxSources {
  readonly runs: InboxSources['runs'] & {
    cancel(run: string, reason?: string, verdict?: Verdict): Promise<void>
  }
  readonly held: {
    approve(taskId: string, verdict: Verdict & OfAgent): Promise<HeldTask>
    reject(taskId: string, rejection: Rejection & OfAgent): Promise<HeldTask>
    decideTool(agent: string, callId: string, verdict: ToolVerdict): Promise<void>
  }
  readonly accounts: { resume(options: Verdict): Promise<readonly AccountInfo[]> }
  readonly landings: { cancel(entry: string, decision: Rejection): Promise<unknown> }
  readonly schedules: { pause(schedule: string): Promise<unknown> }
  readonly agents: InboxSources['agents'] & { get(id: string): Promise<Pick<AgentRef, 'mailbox'>> }
}

/** How a person approves something. */
export interface Approval extends Verdict {
  /** Of a tool call: what it is called with instead. */
  readonly input?: JsonObject
  /** Of a tool call: a rule, as in `approveTools`, for calls of this agent that no longer need a decision. */
  readonly always?: string
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
  async approve(id: string, approval: Approval = {}): Promise<InboxEntry> {
    checkArgument('The options of approve', approval, 'an object')
    const { by, input, always } = approval
    if (input !== undefined) checkInput(input)
    if (always !== undefined) checkRule(always)
    const entry = await this.#entry(id)
    const { agent, kind } = entry
    const { held, accounts, agents } = this.#parts
    if (kind === 'tool') {
      const edited = input === undefined ? undefined : JSON.stringify(input)
      const rule = always === undefined ? undefined : toolRule(always)
      await this.#decideTool(entry, defined({ verdict: 'allow', by, always: rule, input: edited }))
      return entry
    }
    const given = Object.keys(defined({ input, always }))
    if (given.length > 0) throw refused(entry, `is no tool call: it has no ${given.join(' and no ')}`)
    if (entry.kind === 'task' && agent !== null)
      await this.#decided(id, () => held.approve(taskOf(id), defined({ agent, by })))
    else if (entry.kind === 'account') await accounts.resume(defined({ by }))
    else if (entry.kind === 'message' && agent !== null)
      await this.#decided(id, async () =>
        (await agents.get(agent)).mailbox.release(taskOf(id), defined({ by })),
      )
    else throw refused(entry, 'needs more than an approval')
    return entry
  }

  /** Says no: the task is rejected, the message is never read, the run is cancelled, the work stays where it is, the schedule is paused. */
  async deny(id: string, rejection: Rejection = {}): Promise<InboxEntry> {
    checkArgument('The options of deny', rejection, 'an object')
    const { by, reason } = rejection
    const entry = await this.#entry(id)
    const { agent, run, kind } = entry
    const { held, runs, landings, schedules, agents } = this.#parts
    if (kind === 'tool' || kind === 'question')
      await this.#decideTool(entry, defined({ verdict: 'deny', by, reason }))
    else if (kind === 'run' && run !== null)
      await this.#decided(id, () => runs.cancel(run, denial(by, reason), defined({ by })))
    else if (kind === 'message' && agent !== null)
      await this.#decided(id, async () =>
        (await agents.get(agent)).mailbox.reject(taskOf(id), defined({ by, reason })),
      )
    else if (kind === 'landing') await landings.cancel(placeOfEntry(id).of, defined({ by, reason }))
    else if (kind === 'schedule') await schedules.pause(placeOfEntry(id).of)
    else if (agent !== null && kind !== 'supervision')
      await this.#decided(id, () => held.reject(taskOf(id), defined({ agent, by, reason })))
    else throw refused(entry, 'cannot be denied')
    return entry
  }

  /** Answers a question: the agent gets the answer as the result of its tool call. */
  async answer(id: string, text: string, verdict: Verdict = {}): Promise<InboxEntry> {
    checkArgument('The answer', text, 'a text')
    checkArgument('The options of answer', verdict, 'an object')
    const { by } = verdict
    const entry = await this.#entry(id)
    if (entry.kind !== 'question') throw refused(entry, 'asks for no answer')
    const { choices, input } = entry
    if (choices !== null && !choices.includes(text))
      throw new InvalidInputError({
        ...{
          what: 'The answer',
          problem: `it is none of the choices: ${choices.map((one) => JSON.stringify(one)).join(', ')}`,
        },
        hint: 'Choose one, or deny the question with a reason.',
      })
    const answered = JSON.stringify({ ...(input as JsonObject | null), answer: text })
    await this.#decideTool(entry, defined({ verdict: 'allow', by, input: answered }))
    return entry
  }

  #decideTool({ id, agent }: InboxEntry, verdict: ToolVerdict): Promise<void> {
    return this.#decided(id, () => this.#parts.held.decideTool(agent ?? '', taskOf(id), verdict))
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
    // The id of a task alone, as other commands take it.
    const [whole, ...others] = ids.filter((known) => known.endsWith(`:${id}`))
    const nearest = whole !== undefined && others.length === 0 ? whole : nearestName(id, ids)
    return new InboxEntryNotFoundError({ id, nearest })
  }

  /** Another process may have decided it first. */
  async #decided(id: string, decide: () => Promise<unknown>): Promise<void> {
    try {
      await decide()
    } catch (error) {
      const isLate =
        error instanceof TaskNotHeldError ||
        error instanceof MessageNotHeldError ||
        error instanceof RunFinishedError
      throw isLate ? await this.#missing(id, []) : error
    }
  }
}

function checkInput(input: unknown): void {
  if (isJsonObject(input)) return
  throw new InvalidInputError({
    ...{ what: 'The input of a tool', problem: 'it is not an object' },
    hint: 'Give all of it as JSON: {"command": "npm test"}',
  })
}

const checkRule = (rule: unknown) => void decodedInput(ToolRule, rule, { name: 'The rule' })

const taskOf = (id: string) => placeOfEntry(id).taskId

const refused = ({ id, command }: InboxEntry, problem: string) =>
  new InboxDecisionError({ id, problem, command })

const denial = (by = '', reason = '') =>
  `denied${by === '' ? '' : ` by ${by}`}${reason === '' ? '' : `: ${reason}`}`
