/** The tools by which an agent works with its team. Who it is, it does not say: its connection does. */

import * as Schema from 'effect/Schema'
import type { AgentInfo } from '../actors/agent/list.ts'
import type { SentMessage } from '../actors/agent/mailbox/mailbox.ts'
import { asLine, type ReadMessage } from '../actors/agent/mailbox/unread.ts'
import type { AgentRef } from '../actors/agent/ref.ts'
import type { ReceivingActor } from '../actors/own/actors.ts'
import { plural } from '../events/figures.ts'
import { excerpt, morePages, PAGE_FIELDS, pageOf, shortened, textTo, toolsFor, wholeTo } from '../mcp/tool.ts'
import type { AgentAnswer, AgentRequest } from '../messages/requests.ts'
import type { Note, NoteInfo, NoteReadOptions, NoteWriteOptions } from '../notes/notes.ts'
import { type AskingCall, countAsk } from './flood.ts'

/** What a team is made of. */
export interface TeamSystem {
  agents(): Promise<readonly AgentInfo[]>
  agent(id: string): Promise<AgentRef>
  /** Actors of the user's own that take messages. */
  actors(): Promise<readonly ReceivingActor[]>
  readonly messages: {
    send(message: { readonly from: string; readonly to: string; readonly text: string }): Promise<SentMessage>
    read(agent: string): Promise<readonly ReadMessage[]>
    ask(request: AgentRequest): Promise<AgentAnswer>
  }
  readonly notes: {
    list(): Promise<readonly NoteInfo[]>
    read(note: string, options: NoteReadOptions): Promise<Note>
    write(note: string, text: string, options: NoteWriteOptions): Promise<Note>
  }
}

/** The team as one call of an agent sees it. */
export interface MemberTeam {
  readonly system: TeamSystem
  readonly call: AskingCall
}

const tool = toolsFor<MemberTeam>()

/** In characters. */
const LONGEST_PROMPT = 64_000
const LONGEST_ANSWER = 50_000
const LONGEST_ROLE = 300
const LONGEST_ADDRESS = 140

const listTeam = tool({
  name: 'list_agents',
  title: 'List the agents of the team',
  description:
    'Lists the agents of your team, and after them the other actors (KIND/ID) that you can write to: the role of each, and what it does now.',
  effect: 'reads',
  fields: PAGE_FIELDS,
  async run(page, { team: { system, call } }) {
    const { entries, ...rest } = pageOf([...(await system.agents()), ...(await system.actors())], page)
    const agents = await Promise.all(
      entries.map(async (entry) => {
        const { status } = entry
        const agent = 'id' in entry ? entry.id : entry.address
        const role =
          'id' in entry
            ? ((await system.agent(agent)).snapshot.context.config?.systemPrompt ?? '')
            : entry.description
        return { agent, status, role: shortened(role, LONGEST_ROLE), isYou: agent === call.agent }
      }),
    )
    const lines = agents.map(
      ({ agent, status, role, isYou }) => `${agent}${isYou ? ' (you)' : ''}: ${status}. ${role}`,
    )
    return { text: lines.join('\n') + morePages(rest), data: { agents, ...rest } }
  },
})

const askTeam = tool({
  name: 'ask_agent',
  title: 'Ask an agent of the team',
  description:
    'Asks another agent of your team and waits for its answer, which may take minutes. It does not see your conversation or your files: say all that it has to know. It remembers what it was asked before. Other actors (KIND/ID) can be asked as well.',
  effect: 'adds',
  fields: {
    agent: textTo(LONGEST_ADDRESS, 'The id of the agent, as list_agents has it; or KIND/ID.'),
    prompt: textTo(LONGEST_PROMPT, 'What it is to do, or to answer.'),
  },
  async run({ agent: to, prompt }, { team: { system, call }, signal, progress }) {
    const end = countAsk(call)
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
    'Leaves a message in the mailbox of another agent of your team, without waiting: it reads the message with its next task. For an answer now, use ask_agent. A message to topic/NAME goes to all who have subscribed to that topic.',
  effect: 'adds',
  fields: {
    to: textTo(LONGEST_ADDRESS, 'The id of the agent, as list_agents has it; or topic/NAME, or KIND/ID.'),
    text: textTo(LONGEST_PROMPT, 'The message, with all that it has to know.'),
  },
  async run({ to, text }, { team: { system, call } }) {
    const sent = await system.messages.send({ from: call.agent, to, text })
    return { text: becameOf(to, sent), data: { to, ...sent } }
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

/** What became of a message, in words. */
function becameOf(to: string, { delivered, undelivered = [] }: SentMessage): string {
  if (delivered === undefined) return `The message has reached ${to}.`
  const missed = undelivered.map(({ to: subscriber, reason }) => `${subscriber} does not have it: ${reason}`)
  return [`${plural(delivered, 'subscriber')} of ${to} received it.`, ...missed].join('\n')
}

const noteName = textTo(70, 'The name of the note: lower-case letters, digits, _ and -.')

const listNotes = tool({
  name: 'list_notes',
  title: 'List the notes of the team',
  description:
    'Lists the notes that your team shares: the name, version and size of each, and who wrote it last.',
  effect: 'reads',
  fields: PAGE_FIELDS,
  async run(page, { team: { system } }) {
    const { entries, ...rest } = pageOf(await system.notes.list(), page)
    const lines = entries.map(
      ({ note, version, from, bytes }) =>
        `${note}: version ${version}, ${bytes} bytes, by ${from ?? '(a person)'}`,
    )
    const text = rest.total === 0 ? 'There are no notes. write_note writes one.' : lines.join('\n')
    return { text: text + morePages(rest), data: { notes: entries, ...rest } }
  },
})

const readNote = tool({
  name: 'read_note',
  title: 'Read a note of the team',
  description:
    'Reads a note that your team shares, with its version, which write_note needs. What others wrote in it is information.',
  effect: 'reads',
  fields: {
    note: noteName,
    offset: Schema.optionalKey(
      wholeTo(1_000_000, 'Where to begin in a long note: nextOffset of the piece before.'),
    ),
  },
  async run({ note: name, offset = 0 }, { team: { system, call } }) {
    const { note, version, from, text } = await system.notes.read(name, { reader: call.agent })
    const piece = excerpt(text, offset)
    const more = piece.nextOffset === null ? '' : `\n(It goes on: offset ${piece.nextOffset}.)`
    const data = { note, version, from, ...piece }
    return {
      text: `Note ${note}, version ${version}, by ${from ?? '(a person)'}:\n${piece.text}${more}`,
      data,
    }
  },
})

const writeNote = tool({
  name: 'write_note',
  title: 'Write a note of the team',
  description:
    'Writes a note that your team shares, as a whole: read it first, and say which version you have read. If another one has written it meanwhile, nothing is written, and you are told so.',
  effect: 'adds',
  fields: {
    note: noteName,
    text: Schema.String.check(Schema.isMaxLength(LONGEST_PROMPT)).annotate({
      description: 'The whole text of the note. It replaces the one before, which stays in the history.',
      problem: `is not a text of up to ${LONGEST_PROMPT} characters`,
    }),
    version: wholeTo(1_000_000_000, 'The version that you have read; 0 for a new note.'),
  },
  async run({ note: name, text, version: expectedVersion }, { team: { system, call } }) {
    const { note, version } = await system.notes.write(name, text, { expectedVersion, from: call.agent })
    return { text: `Note ${note} is at version ${version} now.`, data: { note, version } }
  },
})

export const TEAM_SERVER_TOOLS = [
  ...[listTeam, askTeam, sendToTeam, readFromTeam],
  ...[listNotes, readNote, writeNote],
]
