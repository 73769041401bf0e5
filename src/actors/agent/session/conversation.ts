/** The conversation of a lost session, rebuilt from the log as text for the first prompt of a new session. */
import type { AgentFact } from '../../../events/agent-facts.ts'
import { BodyDropped } from '../../../events/errors/archive.ts'
import { defined } from '../../../events/json.ts'
import { composePrompt } from '../../../events/task-input.ts'
import type { EventStore } from '../../../store/event-store.ts'
import type { Bodies } from '../../engine/bodies.ts'
import { messagesAsText } from '../mailbox/unread.ts'
import { lineage } from './chain.ts'

/** In characters: about a quarter of the context of a model with 200,000 tokens. */
const LONGEST_CONVERSATION = 200_000

type DataOf<T extends AgentFact['type']> = Extract<AgentFact, { type: T }>['data']

interface Turn {
  readonly asked: DataOf<'TaskAccepted'>
  /** The messages that it has read. */
  readonly read: readonly DataOf<'MessageReceived'>[]
  readonly answered: DataOf<'CallSucceeded'>
}

/** What a rebuilt conversation does not contain. */
export interface LeftOut {
  /** The oldest turns: there is no room for them, or they were not said here. */
  readonly turns: number
  /** Characters at the beginning of the newest turn, if that alone is too long. */
  readonly characters: number
}

/** A conversation as text to put before a prompt. */
export interface RebuiltConversation {
  /** Empty if the log does not know the session. */
  readonly text: string
  readonly leftOut: LeftOut
}

/**
 * The prompts and answers of a session and its ancestors, oldest first. If that is too long, what is newest is kept: the
 * oldest turns are left out, and of a single turn the beginning. The text says so.
 */
export async function conversationBefore(
  sessionId: string,
  { store, stream, bodies }: { readonly store: EventStore; readonly stream: string; readonly bodies: Bodies },
  longest = LONGEST_CONVERSATION,
): Promise<RebuiltConversation> {
  const { turns, elsewhere } = await chainOf(sessionId, store, stream)
  const told: string[] = []
  let left = longest
  let characters = 0
  for (const turn of turns) {
    const texts = await turnTexts(turn, bodies)
    const length = texts.prompt.length + texts.answer.length
    if (length > left && told.length > 0) break
    characters = Math.max(characters, length - left)
    told.unshift(turnText(endOf(texts, left)))
    left -= length
  }
  const leftOut = { turns: elsewhere + turns.length - told.length, characters }
  return { text: told.length + elsewhere === 0 ? '' : framed(told, leftOut), leftOut }
}

function framed(told: readonly string[], { turns }: LeftOut): string {
  return [
    'This conversation could not be continued where it was. What was said in it so far, oldest first:',
    '<conversation>',
    ...(turns > 0 ? [`(${turns} earlier ${turns === 1 ? 'turn is' : 'turns are'} left out)`] : []),
    ...told,
    '</conversation>',
    'Go on from there:',
    '',
    '',
  ].join('\n')
}

interface TurnTexts {
  readonly prompt: string
  readonly answer: string
}

/** The last characters of a turn: the answer is newer than the prompt. */
const endOf = ({ prompt, answer }: TurnTexts, length: number): TurnTexts => ({
  answer: lastOf(answer, length),
  prompt: lastOf(prompt, Math.max(0, length - answer.length)),
})

function lastOf(text: string, length: number): string {
  if (text.length <= length) return text
  // Half of a surrogate pair is no character.
  const end = text.slice(text.length - length).replace(/^[\udc00-\udfff]/, '')
  return `(${text.length - end.length} characters are left out)\n${end}`
}

interface Chain {
  /** Newest first. */
  readonly turns: readonly Turn[]
  /** How many of the conversation the log does not have: they are in sessions that were adopted. */
  readonly elsewhere: number
}

/** The chain that ends in this session. */
async function chainOf(sessionId: string, store: EventStore, stream: string): Promise<Chain> {
  const asked = new Map<string, DataOf<'TaskAccepted'>>()
  const links = new Map<string, { readonly parent: string | null; readonly said: Turn | number }>()
  /** Those that no answered turn has read yet, each with the task that reads it. */
  const messages = new Map<string, DataOf<'MessageReceived'> & { readonly taskId?: string }>()
  for await (const { type, data } of lineage(store, stream)) {
    if (type === 'TaskAccepted') asked.set(data.taskId, data)
    if (type === 'SessionAdopted')
      links.set(data.sessionId, { parent: data.parentSessionId ?? null, said: data.turns })
    if (type === 'MessageReceived') messages.set(data.messageId, data)
    if (type === 'CallStarted' || type === 'MessagesRead')
      for (const id of data.messages ?? []) {
        const message = messages.get(id)
        if (message) messages.set(id, { ...message, taskId: data.taskId })
      }
    if (type !== 'CallSucceeded') continue
    const task = asked.get(data.taskId)
    const read = [...messages.values()].filter(({ taskId }) => taskId === data.taskId)
    for (const { messageId } of read) messages.delete(messageId)
    if (task)
      links.set(data.sessionId, { parent: data.parentSessionId, said: { asked: task, read, answered: data } })
  }
  const turns: Turn[] = []
  let elsewhere = 0
  let next: string | null = sessionId
  for (let link = links.get(next); link; link = links.get(next ?? '')) {
    if (typeof link.said === 'number') elsewhere += link.said
    else turns.push(link.said)
    // A circular chain is damage: each of its turns is told once.
    links.delete(next ?? '')
    next = link.parent
  }
  return { turns, elsewhere }
}

async function turnTexts({ asked, read: messages, answered }: Turn, bodies: Bodies): Promise<TurnTexts> {
  const read = async (body: Parameters<Bodies['read']>[0]) => {
    try {
      return await bodies.read(body)
    } catch (error) {
      if (error instanceof BodyDropped) return '(no longer kept)'
      throw error
    }
  }
  const textInput = asked.textInput === null ? undefined : await read(asked.textInput)
  const task = composePrompt(defined({ prompt: await read(asked.prompt), textInput }))
  const prompt = `${messagesAsText(messages)}${task}`
  return { prompt, answer: await read(answered.text) }
}

const turnText = ({ prompt, answer }: TurnTexts) =>
  `<user>\n${prompt}\n</user>\n<assistant>\n${answer}\n</assistant>`
