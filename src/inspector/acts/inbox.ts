/** The inbox as the page shows it: every entry with what can be done about it, bounded and with hidden characters visible. */

import { describeError } from '../../events/errors/base.ts'
import { InboxEntryNotFoundError } from '../../events/errors/hold.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { visible } from '../../events/hidden-characters.ts'
import type { InboxEntry } from '../../inbox/entry.ts'
import { proposedChange } from '../../inbox/proposed-change.ts'
import { pieceOf } from '../facts.ts'
import { bounded, valueAt } from '../text.ts'
import type { BodyView } from '../view.ts'
import type { Acting } from './acting.ts'
import { offersOfEntry } from './offers.ts'
import type { ActingView, EntryView, InboxView, ProposalView } from './view.ts'

const MOST_ENTRIES = 200

export async function inboxView(acting: Acting): Promise<InboxView> {
  const told = await actingView(acting)
  try {
    const entries = await acting.inbox()
    const shown = entries.slice(0, MOST_ENTRIES).map(entryView)
    return { entries: shown, more: entries.length - shown.length, acting: told, problem: null }
  } catch (error) {
    return { entries: [], more: 0, acting: told, problem: visible(describeError(error).message) }
  }
}

export async function actingView(acting: Acting): Promise<ActingView> {
  const problem = await acting.problem()
  return {
    by: visible(acting.by),
    problem: problem && { message: visible(problem.message), hint: visible(problem.hint) },
  }
}

function entryView(entry: InboxEntry): EntryView {
  const { id, kind, agent, run, since, costUsd, command } = entry
  const { data, bodies } = bounded(textsOf(entry), 'entry')
  return {
    ...{ id, kind, agent, run, since, costUsd, bodies },
    ...(data as unknown as Texts),
    command: visible(command),
    offers: offersOfEntry(entry),
  }
}

type Texts = Pick<EntryView, 'question' | 'prompt' | 'tool' | 'input' | 'choices'>

/** What others wrote. */
const textsOf = ({ question, prompt, tool, input, choices }: InboxEntry): Texts => ({
  ...{ question, prompt, tool, input, choices },
})

/**
 * A piece of a long text of an entry.
 *
 * @throws InboxEntryNotFoundError, InvalidInputError
 */
export async function entryText(acting: Acting, id: string, path: string, offset: number): Promise<BodyView> {
  const entry = await entryOf(acting, id)
  const [root, ...keys] = path.split('.')
  const text = root === 'entry' ? valueAt(textsOf(entry), keys) : undefined
  if (typeof text === 'string') return pieceOf(text, offset)
  throw new InvalidInputError({ what: 'path', problem: `the entry has no text at ${path}` })
}

/** What the tool call of an entry would change, if it is one that changes a file. Throws InboxEntryNotFoundError. */
export async function proposal(
  acting: Acting,
  id: string,
  baseDir: string | undefined,
): Promise<ProposalView> {
  return { change: await proposedChange(await entryOf(acting, id), baseDir) }
}

async function entryOf(acting: Acting, id: string): Promise<InboxEntry> {
  const entry = (await acting.inbox()).find((one) => one.id === id)
  if (entry) return entry
  throw new InboxEntryNotFoundError({ id, nearest: null })
}
