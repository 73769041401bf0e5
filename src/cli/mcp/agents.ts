/** The tools for agents: which there are, a new one, and what one is doing. */
import * as Schema from 'effect/Schema'
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import { dollars, plural } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import { AGENT, IDENTITY } from '../../events/options/agent.ts'
import { ToolRule } from '../../events/options/tools.ts'
import { excerpt, morePages, PAGE_FIELDS, pageOf, shortened, textTo, wholeTo } from '../../mcp/tool.ts'
import { shownStatus } from '../agent/commands.ts'
import { tool } from './team.ts'

export const agentId = textTo(70, 'The id of the agent: lower-case letters, digits, _ and -.')

export const listAgents = tool({
  name: 'list_agents',
  title: 'List agents',
  description:
    'Lists the agents of this team with their status, how many tasks wait or run (open), how many are done, and what they have cost.',
  effect: 'reads',
  fields: PAGE_FIELDS,
  async run(page, { team }) {
    const there = (await team.read(({ orchestrator }) => orchestrator.agents())) ?? []
    const ids = new Set(there.map(({ id }) => id))
    const agents = [
      ...there.map((agent) => ({
        ...{ agent: agent.id, status: shownStatus(agent) as string, open: agent.queue },
        ...{ done: agent.totalInteractions, costUsd: agent.totalCostUsd },
      })),
      ...team.declared
        .filter((id) => !ids.has(id))
        .map((id) => ({ agent: id, status: 'declared', open: 0, done: 0, costUsd: 0 })),
    ]
    const { entries, ...rest } = pageOf(agents, page)
    const lines = entries.map(
      ({ agent, status, open, done, costUsd }) =>
        `${agent}: ${status}, ${plural(open, 'open task')}, ${done} done, ${dollars(costUsd)}`,
    )
    const next = rest.total === 0 ? 'There are no agents. create_agent creates one.' : ''
    return { text: next + lines.join('\n') + morePages(rest), data: { agents: entries, ...rest, next } }
  },
})

const DAY_S = 86_400
const RULES = 64
const rules = Schema.Array(ToolRule.check(Schema.isMaxLength(500))).check(Schema.isMaxLength(RULES))
const LONGEST_ROLE = 64 * 1024

export const createAgent = tool({
  name: 'create_agent',
  title: 'Create an agent',
  description:
    'Creates an agent: a Claude of its own, with a role, a conversation and a workspace that last. It works when it is asked (ask_agent). It reads and changes files in its workspace only, and uses no other tool unless allowed_tools names it.',
  effect: 'adds',
  fields: {
    agent: agentId,
    system_prompt: IDENTITY.systemPrompt.check(Schema.isMaxLength(LONGEST_ROLE)),
    model: Schema.optionalKey(
      AGENT.model.schema.check(Schema.isMaxLength(128)).annotate({
        description: 'The model, such as haiku, sonnet or opus. Default: the one that claude chooses.',
      }),
    ),
    allowed_tools: Schema.optionalKey(
      rules.annotate({
        description:
          'Tools that it may use without asking, as Claude Code names them: WebSearch, Bash(git *). A tool that runs commands can do anything that the user can.',
      }),
    ),
    approve_tools: Schema.optionalKey(
      rules.annotate({
        description: 'Tools of which a person decides each call, in the inbox.',
      }),
    ),
    questions: Schema.optionalKey(
      Schema.Boolean.annotate({ description: 'Whether it can ask a person questions, in the inbox.' }),
    ),
    team: Schema.optionalKey(
      Schema.Boolean.annotate({
        description: 'Whether it can ask the other agents itself, and send them messages. Default: false.',
      }),
    ),
    max_turns: Schema.optionalKey(
      wholeTo(10_000, 'The most turns of the model in one call. Default: no limit.'),
    ),
    timeout_seconds: Schema.optionalKey(
      wholeTo(7 * DAY_S, 'How long it may work on a task, retries included. Default: 1800.'),
    ),
  },
  async run(given, { team }) {
    const { agent: id, system_prompt: systemPrompt, model, questions, team: isMember } = given
    const { allowed_tools: allowedTools, approve_tools: approveTools } = given
    const { max_turns: maxTurns, timeout_seconds: timeout } = given
    const options = defined({
      ...{ id, systemPrompt, model, allowedTools, approveTools, questions, maxTurns },
      team: isMember,
      timeoutMs: timeout === undefined ? undefined : timeout * 1000,
    })
    await team.work(({ orchestrator }) => orchestrator.createAgent(options))
    return { text: `Created ${id}. Ask it with ask_agent.`, data: { agent: id } }
  },
})

/** In characters. */
const LONGEST_PROMPT = 4000
const LISTED = 20

export const showAgent = tool({
  name: 'show_agent',
  title: 'Show an agent',
  description:
    'Shows an agent: its role, what it works on, which tasks wait or are held, why its last task failed, and what it has cost.',
  effect: 'reads',
  fields: {
    agent: agentId,
    offset: Schema.optionalKey(wholeTo(1_000_000, 'Where in the system prompt to begin, if it is long.')),
  },
  async run({ agent: id, offset }, { team }) {
    const shown = await team.read(async ({ orchestrator }) => {
      const agent = await orchestrator.agent(id)
      const { context, value } = agent.snapshot
      const { current, queue, failure, config } = context
      const held = (await agent.held()).slice(0, LISTED)
      const { totalInteractions: done, totalCostUsd: costUsd } = agent.metrics()
      return {
        ...{ agent: id, status: value as string, done, costUsd },
        systemPrompt: excerpt(config?.systemPrompt ?? '', offset, LONGEST_PROMPT),
        model: config?.model ?? null,
        allowedTools: config?.allowedTools?.slice(0, RULES) ?? [],
        approveTools: config?.approveTools?.slice(0, RULES) ?? [],
        current: current === null ? null : { taskId: current.taskId, attempt: current.attempt },
        waiting: { count: queue.length, tasks: queue.slice(0, LISTED).map(({ taskId }) => taskId) },
        held: held.map(({ taskId, message }) => ({ taskId, message: shortened(message, 500) })),
        failure: failure && shortened(failure.message, 1000),
      }
    })
    if (shown === null) throw new AgentNotFoundError({ agent: id, nearest: null })
    const { status, done, costUsd, current, waiting, held, failure, systemPrompt } = shown
    const lines = [
      `${id}: ${status}, ${done} done, ${dollars(costUsd)}`,
      current === null ? 'It works on nothing.' : `It works on task ${current.taskId}.`,
      ...(waiting.count > 0 ? [`${plural(waiting.count, 'task')} waiting: ${waiting.tasks.join(', ')}`] : []),
      ...held.map(({ taskId, message }) => `Task ${taskId} is held: ${message}`),
      ...(failure === null ? [] : [`Its last failure: ${failure}`]),
      `Its role: ${systemPrompt.text}`,
    ]
    return { text: lines.join('\n'), data: shown }
  },
})
