/**
 * The mailbox of an agent: what is in it, what a turn reads, and what it accepts. Pure functions of the agent's state.
 *
 * - A message is in one append once, under a commit id that names it: sent twice, it is there once.
 * - A call announces, in its own fact, which messages its turn reads: all that nobody holds, in the order in which they came,
 *   as many as fit. From then on they belong to the task.
 * - A task that ends without an answer gives them back, to the front. So each is read in exactly one answered turn, and those
 *   of one sender in their order.
 */
import type { AgentFact } from '../../../events/agent-facts.ts'
import { MessageChainError, TooManyMessagesError } from '../../../events/errors/actor.ts'
import { jsonLine } from '../../../events/hidden-characters.ts'
import { defined } from '../../../events/json.ts'
import type { AgentConfig } from '../../../events/options/agent.ts'

/** A message that waits to be read, or that a task reads. */
export interface Unread {
  readonly messageId: string
  /** An agent by its id, another actor as KIND/ID; null: a person, or a program outside. */
  readonly from: string | null
  readonly text: string
  /** The topic that it was published on. Absent if it was sent to this agent alone. */
  readonly topic?: string
  readonly chain?: number
  /** A person decides whether it is read. */
  readonly held?: true
  /** A task that read it, or that it began, has ended without an answer. It begins no further one by itself. */
  readonly returned?: true
  /** The id of the fact by which it came. */
  readonly cause: string
}

/** A message that an agent reads. */
export type ReadMessage = Pick<Unread, 'messageId' | 'from' | 'text' | 'topic'>

/** A message on its way to an agent. */
export interface DeliveredMessage {
  readonly messageId: string
  readonly from: string | null
  readonly text: string
  readonly topic?: string
  readonly chain?: number
  /** The fact of the sender that led to it. */
  readonly causationId?: string
  readonly by?: string
}

/** What became of a message to a topic. */
export interface Publication {
  /** How many of its subscribers have it. */
  readonly delivered: number
  /** Those that do not, and why. */
  readonly undelivered: readonly Undelivered[]
}

/** A subscriber that has not received what was published. */
export interface Undelivered {
  readonly to: string
  readonly reason: string
}

/** In bytes of UTF-8. */
export const LARGEST_MESSAGE = 64 * 1024
const LARGEST_MAILBOX = 1024 * 1024
/** About a quarter of the context of a model with 200,000 tokens. */
const LARGEST_READING = 200_000
/** How many messages may lead to one another without a person: agents could write to each other for ever. */
export const LONGEST_CHAIN = 500

export const WAKING_PROMPT =
  'You have new messages: see above. Do what they ask of you as far as it is your job.'

interface Box {
  readonly unread?: readonly Unread[] | undefined
}
type OpenBox = { readonly unread: readonly Unread[] }

/** What a task has to read. */
interface Reading {
  readonly messages?: readonly Unread[]
  readonly news?: readonly Unread[]
  readonly noted?: readonly string[]
  readonly woken?: number
  readonly askers?: readonly string[]
}

/** What of an agent's state decides about its messages. */
interface Receiver extends Box {
  readonly config: AgentConfig | null
  readonly current: Reading | null
  readonly queue: readonly Reading[]
}

type DataOf<T extends AgentFact['type']> = Extract<AgentFact, { type: T }>['data']

const bytesOf = (messages: readonly Unread[]) =>
  messages.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)

export const received = (
  { unread = [] }: Box,
  { by: _, ...message }: DataOf<'MessageReceived'>,
  cause: string,
): OpenBox => ({ unread: [...unread, { ...message, cause }] })

export const released = ({ unread = [] }: Box, messageId: string): OpenBox => ({
  unread: unread.map(({ held, ...message }) =>
    message.messageId === messageId || !held ? message : { ...message, held },
  ),
})

/** What is left in the mailbox, and what was taken from it. */
export function taken(
  { unread = [] }: Box,
  messageIds: readonly string[],
): { readonly messages: readonly Unread[]; readonly left: OpenBox } {
  const isTaken = ({ messageId }: Unread) => messageIds.includes(messageId)
  return { messages: unread.filter(isTaken), left: { unread: unread.filter((one) => !isTaken(one)) } }
}

/** Everything that a task has been given to read, in the order in which it came. */
export const readBy = ({ messages = [], news = [] }: Reading): readonly Unread[] => [...messages, ...news]

/** Whether messages alone began a task: it ends if another one was there first to read them. */
export const isWoken = ({ woken, askers }: Reading): boolean => woken !== undefined && askers === undefined

/** A task has ended without an answer: what it has read, or would have, is as if it had not been. */
export function givenBack({ unread = [] }: Box, task: Reading): Partial<OpenBox> {
  const back = readBy(task)
  const returned = (message: Unread): Unread => (message.held ? message : { ...message, returned: true })
  if (back.length > 0) return { unread: [...back.map(returned), ...unread] }
  return isWoken(task) && unread.length > 0 ? { unread: unread.map(returned) } : {}
}

/** They decide the state, so they are part of the kind's fingerprint. */
export const MAILBOX_FOLD = { received, released, taken, readBy, isWoken, givenBack }

/** Throws TooManyMessagesError, MessageChainError. */
export function receive(
  { unread = [], config }: Receiver,
  agent: string,
  { causationId: _, ...message }: DeliveredMessage,
  most: number,
): readonly AgentFact[] {
  if ((message.chain ?? 0) > LONGEST_CHAIN) throw new MessageChainError({ to: agent, longest: LONGEST_CHAIN })
  const bytes = bytesOf(unread)
  if (unread.length >= most || bytes + Buffer.byteLength(message.text) > LARGEST_MAILBOX)
    throw new TooManyMessagesError({ agent, messages: unread.length, bytes })
  const held = config?.onMessage === 'hold'
  return [{ type: 'MessageReceived', data: { ...message, ...(held && { held }) } }]
}

/** The messages of which a person decides whether they are read: what each is, and how to decide it. */
export const heldMessages = (agent: string, { unread = [] }: Box) =>
  unread
    .filter(({ held }) => held)
    .map(({ messageId, from }) => ({
      message: `Message ${messageId} from ${from === null ? 'a person' : `"${from}"`} is held: a person decides whether agent "${agent}" reads it.`,
      hint: `claude-agents inbox approve message:${agent}:${messageId}, or: claude-agents inbox deny message:${agent}:${messageId} --reason "..."`,
    }))

/** The messages that the next call of a task reads, or that an agent reads in the middle of one. */
export function readableMessages({ unread = [] }: Box): readonly Unread[] {
  const read: Unread[] = []
  let bytes = 0
  for (const message of unread) {
    if (message.held) continue
    // What is escaped is longer.
    bytes += Buffer.byteLength(asLine(message))
    if (bytes > LARGEST_READING && read.length > 0) break
    read.push(message)
  }
  return read
}

/** How a fact names what is read. */
export const namesOf = (messages: readonly Unread[]) => ({
  messages: messages.map(({ messageId }) => messageId),
  uses: messages.map(({ cause }) => cause),
})

/** What an answer uses that its call did not begin with: the messages and the notes that it has read. */
export function usedInCall({ news = [], noted = [] }: Reading): { readonly uses?: readonly string[] } {
  const uses = [...news.map(({ cause }) => cause), ...noted]
  return uses.length > 0 ? { uses } : {}
}

/**
 * The first message that begins a task of its own, if the agent is idle. One that this task would not read yet begins none:
 * those before it, which were given back, would be read again for it without end.
 */
export function wakingMessage(receiver: Receiver): Unread | undefined {
  const { config, queue, current } = receiver
  if (config?.onMessage !== 'wake' || current || queue.some(isWoken)) return undefined
  return readableMessages(receiver).find(({ returned }) => !returned)
}

/** The task that a message begins; no facts if there is none to begin. */
export function wakingTask(
  context: Receiver,
  { taskId, session }: { readonly taskId: string; readonly session: DataOf<'TaskAccepted'>['session'] },
): readonly AgentFact[] {
  if (!wakingMessage(context)) return []
  const woken = Math.max(...readableMessages(context).map(({ chain = 0 }) => chain))
  const task = { taskId, prompt: WAKING_PROMPT, textInput: null, session, woken, material: {} }
  return [{ type: 'TaskAccepted', data: task }]
}

/** The length of the chain that a message becomes a part of which the agent sends now. */
export const nextInChain = ({ current }: Receiver): number | undefined =>
  current ? (current.woken ?? 0) + 1 : undefined

/** A message as a model reads it. It is one line of JSON, so that no text can look like another sender. */
export const asLine = ({ messageId, from, text, topic }: ReadMessage): string =>
  jsonLine({ from: from ?? '(a person)', messageId, ...defined({ topic }), text })

/** What a turn reads besides its prompt. */
export function messagesAsText(messages: readonly ReadMessage[] = []): string {
  if (messages.length === 0) return ''
  return [
    `You have ${messages.length === 1 ? 'a new message' : `${messages.length} new messages`}, one a line, as JSON. The sender is certain; the text is what the sender wrote.`,
    ...messages.map(asLine),
    '',
    '',
  ].join('\n')
}
