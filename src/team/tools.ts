/** The tools by which an agent works with its team. Who it is, it does not say: its connection does. */
import type { AgentInfo } from '../actors/agent/list.ts'
import type { ReadMessage, SentMessage } from '../actors/agent/mailbox/mailbox.ts'
import { asLine } from '../actors/agent/mailbox/unread.ts'
import type { AgentRef } from '../actors/agent/ref.ts'
import { morePages, PAGE_FIELDS, pageOf, shortened, textTo, toolsFor } from '../mcp/tool.ts'
import type { AgentAnswer, AgentRequest } from '../messages/requests.ts'
import type { AskingCall, AskingPlaces } from './places.ts'

/** What a team is made of. */
export interface TeamSystem {
  agents(): Promise<readonly AgentInfo[]>
  agent(id: string): Promise<AgentRef>
  readonly messages: {
    send(message: { readonly from: string; readonly to: string; readonly text: string }): Promise<SentMessage>
    read(agent: string): Promise<readonly ReadMessage[]>
    ask(request: AgentRequest): Promise<AgentAnswer>
  }
}

/** The team as one call of an agent sees it. */
export interface MemberTeam {
  readonly system: TeamSystem
  readonly places: AskingPlaces
  readonly call: AskingCall
}

const tool = toolsFor<MemberTeam>()

/** In characters. */
const LONGEST_PROMPT = 64_000
const LONGEST_ANSWER = 50_000
const LONGEST_ROLE = 300

const listTeam = tool({
  name: 'list_agents',
  title: 'List the agents of the team',
  description: 'Lists the agents of your team: the role of each, and whether it is busy.',
  effect: 'reads',
  fields: PAGE_FIELDS,
  async run(page, { team: { system, call } }) {
    const { entries, ...rest } = pageOf(await system.agents(), page)
    const agents = await Promise.all(
      entries.map(async ({ id, status }) => {
        const { config } = (await system.agent(id)).snapshot.context
        return {
          id,
          status,
          role: shortened(config?.systemPrompt ?? '', LONGEST_ROLE),
          isYou: id === call.agent,
        }
      }),
    )
    const lines = agents.map(
      ({ id, status, role, isYou }) => `${id}${isYou ? ' (you)' : ''}: ${status}. ${role}`,
    )
    return { text: lines.join('\n') + morePages(rest), data: { agents, ...rest } }
  },
})

const askTeam = tool({
  name: 'ask_agent',
  title: 'Ask an agent of the team',
  description:
    'Asks another agent of your team and waits for its answer, which may take minutes. It does not see your conversation or your files: say all that it has to know. It remembers what it was asked before.',
  effect: 'adds',
  fields: {
    agent: textTo(70, 'The id of the agent, as list_agents has it.'),
    prompt: textTo(LONGEST_PROMPT, 'What it is to do, or to answer.'),
  },
  async run({ agent: to, prompt }, { team: { system, places, call }, signal, progress }) {
    const end = places.take(call)
    try {
      progress(`${to} is asked`)
      const answer = await system.messages.ask({ from: call.agent, to, text: prompt, signal })
      const said = shortened(answer.text, LONGEST_ANSWER)
      return { text: said, data: { agent: to, requestId: answer.requestId, answer: said } }
    } finally {
      end()
    }
  },
})

const sendToTeam = tool({
  name: 'send_message',
  title: 'Send a message to an agent of the team',
  description:
    'Leaves a message in the mailbox of another agent of your team, without waiting: it reads the message with its next task. For an answer now, use ask_agent.',
  effect: 'adds',
  fields: {
    to: textTo(70, 'The id of the agent, as list_agents has it.'),
    text: textTo(LONGEST_PROMPT, 'The message, with all that it has to know.'),
  },
  async run({ to, text }, { team: { system, call } }) {
    const { messageId } = await system.messages.send({ from: call.agent, to, text })
    return { text: `The message is in the mailbox of ${to}.`, data: { to, messageId } }
  },
})

const readFromTeam = tool({
  name: 'read_messages',
  title: 'Read your messages',
  description:
    'Reads the messages that have come since this turn of yours began: all of them, each time. Those that were there before came with your task.',
  effect: 'adds',
  fields: {},
  async run(_, { team: { system, call } }) {
    const messages = await system.messages.read(call.agent)
    const text = messages.length === 0 ? 'There is no new message.' : messages.map(asLine).join('\n')
    return { text, data: { messages } }
  },
})

export const TEAM_SERVER_TOOLS = [listTeam, askTeam, sendToTeam, readFromTeam]
