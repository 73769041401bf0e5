/** What was said in a session that is lost, read from the log: what a new session is told before its first prompt. */

import type { AgentFact } from '../../../events/agent-facts.ts'
import { BodyDropped } from '../../../events/errors/archive.ts'
import { composePrompt } from '../../../events/task-input.ts'
import type { EventStore } from '../../../store/event-store.ts'
import type { Bodies } from '../../engine/bodies.ts'
import { lineage } from './lineage.ts'

/** In characters: about a quarter of what a model of 200,000 tokens can hold. */
const LONGEST_CONVERSATION = 200_000

type DataOf<T extends AgentFact['type']> = Extract<AgentFact, { type: T }>['data']

interface Turn {
  readonly asked: DataOf<'TaskAccepted'>
  readonly answered: DataOf<'CallSucceeded'>
}

/**
 * The prompts and answers of a session and of all before it in its chain, oldest first, as text in front of a prompt.
 * Where that is too long the oldest turns are left out, and it says so. Empty when the log knows nothing of the session.
 */
export async function conversationBefore(
  sessionId: string,
  { store, stream, bodies }: { readonly store: EventStore; readonly stream: string; readonly bodies: Bodies },
  longest = LONGEST_CONVERSATION,
): Promise<string> {
  const turns = await chainOf(sessionId, store, stream)
  const told: string[] = []
  let left = longest
  for (const turn of turns) {
    const text = await turnText(turn, bodies)
    if (text.length > left && told.length > 0) break
    told.unshift(text.length > left ? `${text.slice(0, left)}\n(cut here)` : text)
    left -= text.length
  }
  if (told.length === 0) return ''
  const omitted = turns.length - told.length
  return [
    'This conversation could not be continued where it was. What was said in it so far, oldest first:',
    '<conversation>',
    ...(omitted > 0 ? [`(${omitted} earlier ${omitted === 1 ? 'turn is' : 'turns are'} left out)`] : []),
    ...told,
    '</conversation>',
    'Go on from there:',
    '',
    '',
  ].join('\n')
}

/** The turns of the chain that ends in this session, newest first. */
async function chainOf(sessionId: string, store: EventStore, stream: string): Promise<readonly Turn[]> {
  const asked = new Map<string, DataOf<'TaskAccepted'>>()
  const answered = new Map<string, Turn>()
  for await (const fact of lineage(store, stream)) {
    if (fact.type === 'TaskAccepted') asked.set(fact.data.taskId, fact.data)
    if (fact.type !== 'CallSucceeded') continue
    const task = asked.get(fact.data.taskId)
    if (task) answered.set(fact.data.sessionId, { asked: task, answered: fact.data })
  }
  const chain: Turn[] = []
  for (let turn = answered.get(sessionId); turn; turn = answered.get(turn.answered.parentSessionId ?? '')) {
    chain.push(turn)
    // A chain that goes round in a circle is damage: what there is of it is told once.
    answered.delete(turn.answered.sessionId)
  }
  return chain
}

async function turnText({ asked, answered }: Turn, bodies: Bodies): Promise<string> {
  const read = async (body: Parameters<Bodies['read']>[0]) => {
    try {
      return await bodies.read(body)
    } catch (error) {
      if (error instanceof BodyDropped) return '(no longer kept)'
      throw error
    }
  }
  const textInput = asked.textInput === null ? undefined : await read(asked.textInput)
  const prompt = composePrompt({
    prompt: await read(asked.prompt),
    ...(textInput === undefined ? {} : { textInput }),
  })
  return `<user>\n${prompt}\n</user>\n<assistant>\n${await read(answered.text)}\n</assistant>`
}
