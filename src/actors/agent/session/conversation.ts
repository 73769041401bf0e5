/** The conversation of a lost session, rebuilt from the log as text for the first prompt of a new session. */
import type { AgentFact } from '../../../events/agent-facts.ts'
import { BodyDropped } from '../../../events/errors/archive.ts'
import { defined } from '../../../events/json.ts'
import { composePrompt } from '../../../events/task-input.ts'
import type { EventStore } from '../../../store/event-store.ts'
import type { Bodies } from '../../engine/bodies.ts'
import { lineage } from './chain.ts'

/** In characters: about a quarter of the context of a model with 200,000 tokens. */
const LONGEST_CONVERSATION = 200_000

type DataOf<T extends AgentFact['type']> = Extract<AgentFact, { type: T }>['data']

interface Turn {
  readonly asked: DataOf<'TaskAccepted'>
  readonly answered: DataOf<'CallSucceeded'>
}

/**
 * The prompts and answers of a session and its ancestors, oldest first, as text to put before a prompt. If that is too
 * long, the oldest turns are left out, and the text says so. Empty if the log does not know the session.
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
    // A circular chain is damage: each of its turns is told once.
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
  const prompt = composePrompt(defined({ prompt: await read(asked.prompt), textInput }))
  return `<user>\n${prompt}\n</user>\n<assistant>\n${await read(answered.text)}\n</assistant>`
}
