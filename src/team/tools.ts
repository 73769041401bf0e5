/** The tools by which an agent works with its team. Who it is, it does not say: its connection does. */
import { randomUUID } from 'node:crypto'
import type { AgentInfo } from '../actors/agent/list.ts'
import type { AgentRef } from '../actors/agent/ref.ts'
import { defined } from '../events/json.ts'
import { morePages, PAGE_FIELDS, pageOf, shortened, textTo, toolsOf } from '../mcp/tool.ts'
import type { Asks, CallOfAsker } from './asks.ts'

/** What a team is made of. */
export interface TeamSystem {
  agents(): Promise<readonly AgentInfo[]>
  agent(id: string): Promise<AgentRef>
}

/** The team as one call of an agent sees it. */
export interface MemberTeam {
  readonly system: TeamSystem
  readonly asks: Asks
  readonly call: CallOfAsker & { readonly taskId: string }
}

const tool = toolsOf<MemberTeam>()

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
  async run({ agent: to, prompt }, { team: { system, asks, call }, signal, progress }) {
    const asked = await system.agent(to)
    const { current } = (await system.agent(call.agent)).snapshot.context
    const end = asks.begin(call, asked.id)
    try {
      // What it costs counts for the run that this is part of.
      const origin =
        current?.taskId === call.taskId
          ? defined({
              correlationId: current.runId ?? call.taskId,
              causationId: current.cause,
              runId: current.runId,
            })
          : undefined
      const task = asked.ask({ prompt }, defined({ taskId: randomUUID(), signal, origin }))
      progress(`${to} works on it`)
      const { text, taskId } = await task
      const said = shortened(text, LONGEST_ANSWER)
      return { text: said, data: { agent: to, taskId, answer: said } }
    } finally {
      end()
    }
  },
})

export const TEAM_SERVER_TOOLS = [listTeam, askTeam]
