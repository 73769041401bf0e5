/** `message`: sends messages to agents, and lists them. */
import type { Command } from 'commander'
import type { SentMessage } from '../../actors/agent/mailbox/mailbox.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { plural } from '../../events/figures.ts'
import { isAgentAddress } from '../../events/ids.ts'
import { defined } from '../../events/json.ts'
import { composePrompt } from '../../events/task-input.ts'
import { userName } from '../../inbox/user-name.ts'
import type { MessageInfo } from '../../messages/list.ts'
import { topicAddress, topicAt } from '../../messages/topics/published.ts'
import { hasStore, requireAgents } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore, type Session, withSession } from '../session.ts'
import { pipedText, standardInput } from '../standard-input.ts'
import { list } from '../terminal/list.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { cut, inert } from '../terminal/text.ts'

export function messageCommands(message: Command): void {
  message
    .command('send <to> <text>')
    .description(
      'send a message to an agent (or to KIND/ID); - reads it from stdin, and text piped in is appended to it',
    )
    .option('--from <id>', 'agent that sends it; without it, the message is from you')
    .option('--message-id <id>', 'id of the message; sent again under the same id, it is received once')
    .action(withGlobals(send))
  message
    .command('publish <topic> <text>')
    .description('send a message to all who have subscribed to a topic; - reads it from stdin, as send does')
    .option('--from <id>', 'agent that publishes it; without it, the message is from you')
    .option('--message-id <id>', 'id of the message; published again under the same id, it is received once')
    .action(withGlobals(publish))
  message
    .command('list <id>')
    .alias('ls')
    .description('list what an agent has received and sent, or what was published on topic/NAME')
    .action(withGlobals(listMessages))
}

interface SendWords {
  readonly from?: string
  readonly messageId?: string
}

async function send(globals: GlobalOptions, to: string, given: string, words: SendWords): Promise<void> {
  if (isAgentAddress(to)) requireAgents(globals, to)
  const { from, messageId } = words
  const text = await readText(given, terminal(globals).note)
  const work = async ({ orchestrator, terminal, owner, leave }: Session) => {
    const by = from === undefined ? userName() || undefined : undefined
    const sent = await orchestrator.messages.send(defined({ to, text, from, messageId, by }))
    if (wakes && owner === null) leave()
    if (terminal.json) terminal.value(sent)
    else print(terminal, to, sent)
  }
  const wakes = globals.database === undefined && (await isAnyWoken(globals, to))
  // What a message begins needs an owner that stays.
  return withSession(globals, work, wakes ? 'leave' : 'change')
}

const publish = (globals: GlobalOptions, topic: string, text: string, words: SendWords): Promise<void> =>
  send(globals, topicAddress(topic), text, words)

/** The id; and what became of it, if it was published. */
function print(screen: Terminal, to: string, { messageId, delivered, undelivered = [] }: SentMessage): void {
  screen.line(messageId)
  if (delivered === undefined)
    screen.note(`To see what becomes of it: claude-agents message list ${inert(to)}`)
  else screen.note(`${plural(delivered, 'subscriber')} received it.`)
  if (delivered === 0 && undelivered.length === 0)
    screen.note(`To subscribe an agent: claude-agents topic subscribe ${topicAt(to)} ID`)
  for (const { to, reason } of undelivered) screen.note(inert(`${to} does not have it: ${reason}`))
}

async function readText(given: string, note: (text: string) => void): Promise<string> {
  if (given === '-') return standardInput()
  if (given.trim() === '') throw new InvalidInputError({ what: 'The message', problem: 'it is empty' })
  const textInput = await pipedText(note)
  return composePrompt(defined({ prompt: given, textInput }))
}

/** Whether a message begins a task: of the agent that receives it, or of one that has subscribed to the topic. */
async function isAnyWoken(globals: GlobalOptions, to: string): Promise<boolean> {
  if (isAgentAddress(to)) return isWoken(globals, to)
  const topic = topicAt(to)
  if (topic === undefined || !hasStore(globals)) return false
  let subscribers: readonly string[] = []
  await readStore(globals, async ({ orchestrator }) => {
    const found = (await orchestrator.messages.topics()).find((one) => one.topic === topic)
    subscribers = found?.subscribers.filter(isAgentAddress) ?? []
  })
  for (const subscriber of subscribers) if (await isWoken(globals, subscriber)) return true
  return false
}

/** Whether a message begins a task of this agent. */
async function isWoken(globals: GlobalOptions, id: string): Promise<boolean> {
  const declared = globals.config.agents?.find((agent) => agent.id === id)
  let mode = declared?.onMessage ?? globals.config.agentDefaults?.onMessage
  if (!declared && hasStore(globals))
    await readStore(globals, async ({ orchestrator }) => {
      const known = await orchestrator.agent(id).catch(() => undefined)
      mode = known?.snapshot.context.config?.onMessage
    })
  return mode === 'wake'
}

function listMessages(globals: GlobalOptions, id: string): Promise<void> {
  if (isAgentAddress(id)) requireAgents(globals, id)
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const messages = await orchestrator.messages.list(id)
    const none = `No messages yet. Send one: claude-agents message send ${id} "..."`
    if (terminal.json) return list(terminal, messages.map(inJson), none, () => [])
    list(terminal, messages, none, () => rows(terminal, messages))
  })
}

/** The shape of `--json`. */
const inJson = ({ reason, ...message }: MessageInfo) => ({ ...message, ...(reason !== null && { reason }) })

function rows(screen: Terminal, messages: readonly MessageInfo[]): readonly string[] {
  const columns = [{ head: 'AT' }, { head: 'FROM' }, { head: 'TO' }, { head: 'STATUS' }, { head: 'TEXT' }]
  const cells = messages.map(({ at, from, to, status, reason, text }) => [
    ...[at, from ?? '-', to, status],
    cut(inert(reason ?? text.replaceAll(/\s+/g, ' ')), 80),
  ])
  return table(screen, columns, cells)
}
