/** The tools for the inbox: what waits for a person, and the decisions on it, where the person allows that. */
import * as Schema from 'effect/Schema'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { jsonLine } from '../../events/hidden-characters.ts'
import { defined, isJsonObject } from '../../events/json.ts'
import type { InboxEntry } from '../../inbox/entry.ts'
import { userName } from '../../inbox/user-name.ts'
import {
  morePages,
  PAGE_FIELDS,
  pageOf,
  shortened,
  type Tool,
  type ToolResult,
  textTo,
} from '../../mcp/tool.ts'
import { NOTHING_WAITS } from '../inbox/entry-lines.ts'
import { type ToolTeam, tool } from './team.ts'

/** In characters. */
const LONGEST = 2000

const shownEntry = ({ prompt, input, question, ...entry }: InboxEntry) => ({
  ...{ ...entry, question: shortened(question, LONGEST) },
  prompt: prompt && shortened(prompt, LONGEST),
  input: input && shortened(jsonLine(input), LONGEST),
})

/** @param mayDecide Whether there are tools to decide it as well. */
export const listInbox = (mayDecide: boolean) =>
  tool({
    name: 'list_inbox',
    title: 'List the inbox',
    description: `Lists what waits for a person: tasks and tool calls to approve, questions of agents, work that was set aside, runs that nobody executes. ${mayDecide ? 'approve, deny and answer decide an entry by its id: only as the user has said.' : 'This server was started without --allow-approve, so only the user can decide it, in a terminal, with the command of the entry.'}`,
    effect: 'reads',
    fields: PAGE_FIELDS,
    async run(page, { team }) {
      const all = (await team.read(({ orchestrator }) => orchestrator.inbox.list())) ?? []
      const { entries: found, ...rest } = pageOf(all, page)
      const entries = found.map(shownEntry)
      const lines = entries.map(({ id, question, tool: used, input, prompt, choices, command }) =>
        [
          `${id}: ${question}`,
          ...(prompt ? [`  asked: ${prompt}`] : []),
          ...(used ? [`  tool: ${used} ${input}`] : []),
          ...(choices ? [`  choices: ${choices.join(', ')}`] : []),
          ...(mayDecide ? [] : [`  for the user to decide it, in a terminal: ${command}`]),
        ].join('\n'),
      )
      return {
        text: (rest.total === 0 ? NOTHING_WAITS : lines.join('\n')) + morePages(rest),
        data: { entries, ...rest },
      }
    },
  })

const entryId = textTo(300, 'The id of the entry, as list_inbox has it.')
const by = () => `${userName()} (mcp)`.trim()

const decided = ({ id }: InboxEntry, decision: 'approved' | 'denied' | 'answered'): ToolResult => ({
  text: `${decision} ${id}`,
  data: { id, decision },
})

const approveEntry = tool({
  name: 'approve',
  title: 'Approve an entry of the inbox',
  description:
    'Says yes for the user: a task begins, a tool is used, calls of an account begin again. Only if the user has said so of this entry.',
  effect: 'ends',
  fields: {
    id: entryId,
    input_json: Schema.optionalKey(
      textTo(200_000, 'Of a tool call: the input to use instead, all of it, as a JSON object.'),
    ),
    always: Schema.optionalKey(
      textTo(
        500,
        'Of a tool call: do not ask again about calls of this agent that match this rule, such as Bash(npm test).',
      ),
    ),
  },
  run({ id, input_json: json, always }, { team }) {
    const input = json === undefined ? undefined : objectIn(json)
    return team.work(async ({ orchestrator }) =>
      decided(await orchestrator.inbox.approve(id, defined({ by: by(), input, always })), 'approved'),
    )
  },
})

/** Throws InvalidInputError. */
function objectIn(json: string) {
  try {
    const value: unknown = JSON.parse(json)
    if (isJsonObject(value)) return value
  } catch {}
  throw new InvalidInputError({ what: 'input_json', problem: 'it is not a JSON object' })
}

const denyEntry = tool({
  name: 'deny',
  title: 'Deny an entry of the inbox',
  description:
    'Says no for the user: a tool is not used, a task is rejected, a run is cancelled, work stays where it is. Only if the user has said so of this entry.',
  effect: 'ends',
  fields: {
    id: entryId,
    reason: Schema.optionalKey(textTo(2000, 'Why; of a tool call or a question, the agent is told.')),
  },
  run({ id, reason }, { team }) {
    return team.work(async ({ orchestrator }) =>
      decided(await orchestrator.inbox.deny(id, defined({ by: by(), reason })), 'denied'),
    )
  },
})

const answerEntry = tool({
  name: 'answer',
  title: 'Answer a question of an agent',
  description: "Gives an agent the user's answer to its question: one of the choices, if it has some.",
  effect: 'adds',
  fields: { id: entryId, text: textTo(20_000, 'The answer.') },
  run({ id, text }, { team }) {
    return team.work(async ({ orchestrator }) =>
      decided(await orchestrator.inbox.answer(id, text, { by: by() }), 'answered'),
    )
  },
})

export const DECIDING: readonly Tool<ToolTeam>[] = [approveEntry, denyEntry, answerEntry]
