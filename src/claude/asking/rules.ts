/** Whether a person has to decide a tool call: pure, and in doubt they have to. */
import type { JsonObject } from '../../events/json.ts'
import { ruleParts, type ToolRuleParts } from '../../events/options/tool-rule.ts'

/** By which an agent's tool calls are told apart. All are rules for tools, as Claude Code has them. */
export interface AskingRules {
  /** These need a decision. */
  readonly approve: readonly string[]
  /** A person has approved these for good. */
  readonly approved: readonly string[]
  /** These are granted: the narrower of two rules counts. */
  readonly allowed: readonly string[]
}

/** A tool call, and where its paths lead to: relative to the workspace, as they are written and through all links. */
export interface AskedCall {
  readonly tool: string
  readonly input: JsonObject
  /** Empty if it names none. A path out of the workspace begins with `../`. */
  readonly paths: readonly string[]
}

/** These run commands, which nothing confines to the workspace. */
export const SHELL_TOOLS: readonly string[] = ['Bash', 'Monitor', 'PowerShell']
const FILE_CHANGES: readonly string[] = ['Write', 'Edit', 'MultiEdit', 'NotebookEdit']
const FILE_READS: readonly string[] = ['Read', 'NotebookRead', 'Grep', 'Glob', 'LS']
/** A rule for one of them is about all of them: what it says of one way must not be done by another. */
const FAMILIES: readonly (readonly string[])[] = [
  FILE_CHANGES,
  SHELL_TOOLS,
  FILE_READS,
  // Two names of one tool each, by the version of the CLI.
  ['Agent', 'Task'],
  ['Skill', 'SlashCommand'],
  ['KillShell', 'KillBash', 'TaskStop'],
]
/** These read or change files. Some are the names of older tools. */
export const FILE_TOOLS: ReadonlySet<string> = new Set([...FILE_CHANGES, ...FILE_READS])
/** They look into all that is below a path. */
const SEARCHES: ReadonlySet<string> = new Set(['Grep', 'Glob', 'LS'])

/** The tools whose calls the rules are about, for a server's all of them: as a pattern for names. */
export const toolsNamedBy = (rules: readonly string[]): readonly string[] => [
  ...new Set(
    rules.flatMap((rule) => {
      const { name } = ruleParts(rule)
      return FAMILIES.find((family) => family.includes(name)) ?? (isServer(name) ? [`${name}__.*`] : [name])
    }),
  ),
]

/** `mcp__server` is about all tools of the server. */
const isServer = (name: string) => name.startsWith('mcp__') && !name.slice('mcp__'.length).includes('__')

/** Whether a person has to decide it. */
export function needsDecision(call: AskedCall, { approve, approved, allowed }: AskingRules): boolean {
  if (approved.some((rule) => surelyFits(ruleParts(rule), call))) return false
  const asking = approve.map(ruleParts).filter((rule) => mayFit(rule, call))
  if (asking.some(({ scope }) => scope !== null)) return true
  const isNarrower = (rule: ToolRuleParts) => rule.scope !== null && surelyFits(rule, call)
  return asking.length > 0 && !allowed.map(ruleParts).some(isNarrower)
}

function isNamed(name: string, tool: string): boolean {
  return name === tool || (isServer(name) && tool.startsWith(`${name}__`))
}

/** Whether the rule is about the call as far as one can say. What one cannot say counts as yes. */
function mayFit({ name, scope }: ToolRuleParts, { tool, input, paths }: AskedCall): boolean {
  const family = FAMILIES.find((each) => each.includes(name)) ?? [name]
  if (!isNamed(name, tool) && !family.includes(tool)) return false
  if (scope === null) return true
  if (SHELL_TOOLS.includes(tool)) return typeof input.command !== 'string' || contains(input.command, scope)
  if (!FILE_TOOLS.has(tool) || SEARCHES.has(tool) || paths.length === 0 || !isPlainPath(scope)) return true
  return paths.some((path) => fitsPath(path, scope))
}

/** Whether the words of a pattern occur in a command, wherever: a shell has many ways to put them together. */
function contains(command: string, pattern: string): boolean {
  const words = oneSpaced(command)
  let at = 0
  for (const part of oneSpaced(pattern.replace(/:\*$/, '*')).split('*')) {
    const found = words.indexOf(part.trim(), at)
    if (found < 0) return false
    at = found + part.trim().length
  }
  return true
}

const oneSpaced = (text: string) => text.replace(/\s+/g, ' ').trim()

/** Nothing that a shell gives a meaning to, so that it is one command with plain words. */
const PLAIN_WORDS = /^[\w\s.,/:=@%+-]*$/

/** Whether the call is what the rule names, and nothing more. */
function surelyFits({ name, scope }: ToolRuleParts, { tool, input, paths }: AskedCall): boolean {
  if (!isNamed(name, tool)) return false
  if (scope === null) return true
  if (SHELL_TOOLS.includes(tool)) return isCommand(String(input.command ?? ''), scope)
  if (scope.startsWith('domain:')) return hostOf(input.url) === scope.slice('domain:'.length)
  const isClear = FILE_TOOLS.has(tool) && isPlainPath(scope) && paths.length > 0
  return isClear && paths.every((path) => !path.startsWith('../') && fitsPath(path, scope))
}

function isCommand(command: string, pattern: string): boolean {
  const beginning = pattern.replace(/(?::| )\*$/, '')
  if (beginning === pattern) return command === pattern
  if (beginning.includes('*')) return false
  const isLonger = command.startsWith(`${beginning} `) && PLAIN_WORDS.test(command) && !command.includes('\n')
  return command === beginning || isLonger
}

function hostOf(url: unknown): string | null {
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).hostname : null
}

/** A pattern for paths in the workspace whose meaning is beyond doubt. */
function isPlainPath(pattern: string): boolean {
  const plain = pattern.replace(/^\.\//, '')
  return /^[\w.][\w./ *-]*$/.test(plain) && !/\.\.|\/\/|(?:^|\/)\.(?:\/|$)|\s$|\*\/$/.test(plain)
}

/** A pattern without a folder fits in each of them, and a folder stands for what is in it. */
function fitsPath(path: string, pattern: string): boolean {
  const plain = pattern.replace(/^\.\//, '')
  const anywhere = plain.includes('/') ? '' : '(?:.*/)?'
  const text = plain
    .replace(/[.]/g, '\\.')
    .replace(/\*\*\/|\*\*|\*/g, (stars) => ({ '**/': '(?:.*/)?', '**': '.*' })[stars] ?? '[^/]*')
    .replace(/\/$/, '')
  return new RegExp(`^${anywhere}${text}(?:/.*)?$`, 'i').test(path)
}
