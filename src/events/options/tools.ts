/** The names of Claude Code's tools, and the rules for them that an agent may be given. */
import * as Schema from 'effect/Schema'
import * as SchemaIssue from 'effect/SchemaIssue'
import { nearestName } from '../nearest-name.ts'
import { isToolRule, ruleParts } from './tool-rule.ts'

/** Of all versions that are supported, older names included. A test compares it with what `claude` lists itself. */
const TOOLS = [
  'Agent AgentOutputTool Artifact AskUserQuestion Bash BashOutput BashOutputTool Brief Config CronCreate CronDelete',
  'CronList Edit EnterPlanMode EnterWorktree ExitPlanMode ExitWorktree Glob Grep KillBash KillShell LS LSP',
  'ListAgents ListMcpResourcesTool Monitor MultiEdit NotebookEdit NotebookRead PowerShell PushNotification REPL',
  'Read ReadMcpResourceDirTool ReadMcpResourceTool RemoteTrigger ReportFindings ScheduleWakeup SendMessage',
  'SendUserFile SendUserMessage ShareOnboardingGuide Skill SlashCommand StructuredOutput Task TaskCreate TaskGet',
  'TaskList TaskOutput TaskStop TaskUpdate TeamCreate TeamDelete TodoRead TodoWrite ToolSearch WaitForMcpServers',
  'WebBrowser WebFetch WebSearch Workflow Write',
].flatMap((line) => line.split(' '))

/** The tool of this package by which an agent asks a person. */
export const ASK_HUMAN = 'mcp__claude-agents__ask_human'

/** The server of this package by which an agent works with its team, and its tools. */
export const TEAM_SERVER = 'claude-agents-team'
export const TEAM_TOOLS: readonly string[] = [
  ...['list_agents', 'ask_agent', 'send_message', 'read_messages', 'list_notes', 'read_note', 'write_note'],
]

/** A tool of the team as Claude Code names it. */
export const teamTool = (name: string): string => `mcp__${TEAM_SERVER}__${name}`

/** Names that other frameworks use, and Claude Code's own for them. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['read_file', 'Read'],
  ['write_file', 'Write'],
  ['execute_command', 'Bash'],
  ['web_search', 'WebSearch'],
])

const MCP_NAME = /^mcp__[\w-]+$/

/**
 * The rule in Claude Code's own words.
 *
 * @example
 * toolRule('execute_command(git *)') // 'Bash(git *)'
 */
export function toolRule(rule: string): string {
  const { name, scope } = ruleParts(rule)
  return `${OTHER_NAMES.get(name) ?? name}${scope === null ? '' : `(${scope})`}`
}

/** A tool that needs no permission: its name, with or without a scope. */
export const ToolRule = Schema.String.check(
  Schema.makeFilter((rule) => {
    const mistake = mistakeIn(rule)
    return mistake === null ? undefined : new SchemaIssue.InvalidValue(mistake)
  }),
)

function mistakeIn(rule: string): { readonly message: string; readonly hint?: string } | null {
  const { name } = ruleParts(rule)
  if (!isToolRule(rule)) return { message: 'is not the name of a tool', hint: hintFor(rule) }
  if (TOOLS.includes(name) || OTHER_NAMES.has(name) || MCP_NAME.test(name)) return null
  return { message: 'is not a tool of Claude Code', hint: hintFor(name) }
}

function hintFor(rule: string): string {
  const [, server] = /^(mcp__[\w-]+?)(?:__)?\*$/.exec(rule) ?? []
  if (server !== undefined) return `Write ${server} for all tools of a server.`
  if (rule === '*') return 'Name each tool.'
  if (/\s/.test(rule.trim())) return 'Write each name on its own.'
  const nearest = nearestName(rule.trim(), [...TOOLS, ...OTHER_NAMES.keys()])
  return nearest === null
    ? 'Write the name as Claude Code has it, such as Read, Edit, Bash(git *), WebSearch or mcp__server__tool.'
    : `Did you mean "${nearest}"?`
}
