/** What the page can do, by name: each action takes the fields of a form, and says in a sentence what it has done. */
import { InboxEntryNotFoundError } from '../../events/errors/hold.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { defined, type Json, type JsonObject } from '../../events/json.ts'
import type { Budget } from '../../events/options/budget.ts'
import { pastTask } from '../../history/past-task.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import type { RequestParameters } from '../requests.ts'
import type { Acting } from './acting.ts'
import type { Forms } from './forms.ts'
import type { ActionName, DoneView } from './view.ts'

/** A form that was sent. */
interface Sent {
  readonly fields: RequestParameters
  readonly form: string
  readonly by: string
}

type Act = (orchestrator: Orchestrator, sent: Sent) => Promise<string | DoneView>

const LONGEST_ID = 300
const LONGEST_REASON = 2000
const LONGEST_ANSWER = 100_000
const LONGEST_INPUT = 400_000

const ACTIONS: Readonly<Record<ActionName, Act>> = {
  async approve({ inbox }, { fields, by }) {
    const always = optional(fields.text('always', LONGEST_REASON))
    // Anything but an object is refused.
    const input = jsonField(fields, 'input') as JsonObject | undefined
    const entry = await inbox.approve(idOf(fields, 'entry'), defined({ by, always, input }))
    return `Approved ${entry.id}.`
  },
  async deny({ inbox }, { fields, by }) {
    const entry = await inbox.deny(idOf(fields, 'entry'), defined({ by, reason: reasonIn(fields) }))
    return `Denied ${entry.id}.`
  },
  async answer({ inbox }, { fields, by }) {
    const text = fields.text('text', LONGEST_ANSWER)
    if (text.trim() === '') throw new InvalidInputError({ what: 'The answer', problem: 'it is empty' })
    const entry = await inbox.answer(idOf(fields, 'entry'), text, { by })
    return `Answered ${entry.id}.`
  },
  async retry(orchestrator, { fields, form, by }) {
    const agent = idOf(fields, 'agent')
    const task = idOf(fields, 'task')
    const { input, session, outputSchema, continues, factId } = await pastTask(
      orchestrator.store,
      task,
      agent,
    )
    const origin = { correlationId: form, causationId: factId, ...defined({ continues }) }
    const owner = await orchestrator.agent(agent)
    await owner.accept(input, defined({ taskId: form, session, outputSchema, origin, by }))
    return `Asked ${agent} again: task ${form}.`
  },
  async cancel(orchestrator, { fields, by }) {
    const reason = reasonIn(fields) ?? 'asked to'
    const run = optional(fields.text('run', LONGEST_ID))
    if (run !== undefined) {
      await orchestrator.runs.cancel(run, reason, { by })
      return `Cancelled run ${run}.`
    }
    const task = idOf(fields, 'task')
    const agent = await orchestrator.agent(idOf(fields, 'agent'))
    return (await agent.cancel(task, reason, { by }))
      ? `Cancelled task ${task}.`
      : `Task ${task} had already ended.`
  },
  async resume({ runs }, { fields, by }) {
    const id = idOf(fields, 'run')
    const run = runs.resume(id, undefined, { by })
    // It continues without the page.
    run.catch(() => {})
    await run.begun
    return `Run ${id} continues.`
  },
  async raise({ budgets }, { fields, by }) {
    const scope = defined({ agent: optional(fields.text('of-agent')), run: optional(fields.text('of-run')) })
    const budget: Budget = defined({ usd: amountIn(fields, 'usd'), tokens: amountIn(fields, 'tokens') })
    if (Object.keys(budget).length === 0)
      throw new InvalidInputError({ what: 'The budget', problem: 'neither dollars nor tokens are given' })
    await budgets.set(budget, scope, { by })
    return 'The budget is set. What fits into it begins.'
  },
  async reset(orchestrator, { fields, by }) {
    const id = idOf(fields, 'agent')
    await (await orchestrator.agent(id)).reset({ by })
    return `Agent ${id} begins a new conversation.`
  },
  async undo(orchestrator, { fields, by }) {
    const id = idOf(fields, 'agent')
    const to = amountIn(fields, 'to')
    await (await orchestrator.agent(id)).files.undo(defined({ to, by }))
    return `The files of ${id} are back.`
  },
  async land({ landings, inbox }, { fields, form, by }) {
    const again = optional(fields.text('entry', LONGEST_ID))
    if (again === undefined) {
      const agent = idOf(fields, 'agent')
      const into = optional(fields.text('into', LONGEST_ID))
      const squash = fields.text('squash') !== ''
      await landings.land([agent], { requestId: form, by, squash, ...defined({ into }) })
      return `The work of ${agent} is queued to land.`
    }
    // As it was asked for: a gate is a command, and none comes from a page.
    const entry = (await inbox.list()).find(({ id }) => id === again)
    if (entry?.kind !== 'landing' || entry.agent === null)
      throw new InboxEntryNotFoundError({ id: again, nearest: null })
    const { target, gate, squash } = entry.input as { target: string; gate: string | null; squash?: boolean }
    const how = { into: target, squash: squash === true, ...(gate !== null && { gate }) }
    await landings.land([entry.agent], { requestId: form, by, ...how })
    return `The work of ${entry.agent} is queued again.`
  },
  async fork(orchestrator, { fields, by }) {
    const as = idOf(fields, 'as').trim()
    const at = idOf(fields, 'at')
    const run = optional(fields.text('run', LONGEST_ID))
    if (run !== undefined) {
      const { runId } = await orchestrator.runs.fork(run, { at, as, by })
      return { done: `Forked ${run}: resume ${runId} to ask what is left.`, place: `/run/${runId}` }
    }
    const agent = idOf(fields, 'agent')
    if (!/^\d{1,15}$/.test(at)) throw new InvalidInputError({ what: 'at', problem: 'it is not a version' })
    const { id } = await orchestrator.fork(agent, { at: Number(at), as, by })
    return { done: `Forked ${agent}.`, place: `/agent/${id}` }
  },
}

/** Carries out a form once. Throws what its action does, FormNotOpenError and InvalidInputError. */
export function actOnce(
  acting: Acting,
  forms: Forms<DoneView>,
  fields: RequestParameters,
): Promise<DoneView> {
  const name = fields.text('action')
  const form = fields.text('form')
  if (!Object.hasOwn(ACTIONS, name))
    throw new InvalidInputError({ what: 'action', problem: 'the page has no such action' })
  const act = ACTIONS[name as ActionName]
  const { by } = acting
  return forms.send(form, async () => {
    const done = await acting.through((orchestrator) => act(orchestrator, { fields, form, by }))
    return typeof done === 'string' ? { done } : done
  })
}

const optional = (text: string): string | undefined => (text === '' ? undefined : text)

const reasonIn = (fields: RequestParameters) => optional(fields.text('reason', LONGEST_REASON).trim())

function idOf(fields: RequestParameters, name: string): string {
  const id = fields.text(name, LONGEST_ID)
  if (id === '') throw new InvalidInputError({ what: name, problem: 'it is missing' })
  return id
}

/** An amount of at least 0; undefined if there is none. */
function amountIn(fields: RequestParameters, name: string): number | undefined {
  const text = fields.text(name)
  if (text === '') return undefined
  if (/^\d{1,15}(\.\d{1,9})?$/.test(text)) return Number(text)
  throw new InvalidInputError({ what: name, problem: 'it is not an amount such as 3 or 2.50' })
}

function jsonField(fields: RequestParameters, name: string): Json | undefined {
  const text = fields.text(name, LONGEST_INPUT)
  if (text === '') return undefined
  try {
    return JSON.parse(text) as Json
  } catch {
    throw new InvalidInputError({ what: name, problem: 'it is not JSON' })
  }
}
