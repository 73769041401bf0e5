/** An agent as Claude Code defines one: a Markdown file whose front matter says what it is, and whose text is its prompt. */
import { dirname } from 'node:path'
import * as Schema from 'effect/Schema'
import { ConfigError } from '../events/errors/config.ts'
import { systemProblem } from '../events/errors/phrases.ts'
import { NotAFileError } from '../events/errors/store.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { defined, isJsonObject } from '../events/json.ts'
import {
  AGENT,
  type AgentConfig,
  type AgentOptions,
  agentConfig,
  EQUIPMENT,
} from '../events/options/agent.ts'
import { optionsOf } from '../events/options/agent-changes.ts'
import { locatedServers, McpServers } from '../events/options/servers.ts'
import { ruleParts } from '../events/options/tool-rule.ts'
import { ToolRule, toolRule } from '../events/options/tools.ts'
import { openPlainFile } from '../store/directory.ts'
import { ConfigDocument } from './document.ts'

/** What a file defines. */
export interface AgentDefinition {
  /** As far as the file says. */
  readonly options: AgentOptions
  /** The MCP servers that it configures itself, which are programs that would run as you. */
  readonly servers?: McpServers
  /** What of it an agent here cannot have: keys, or a key and a value. */
  readonly dropped: readonly string[]
}

/** In bytes. The prompt of an agent has at most 64 KiB. */
const LARGEST_DEFINITION = 1024 * 1024

const FRONT_MATTER = /^---[ \t]*\r?\n((?:[^\n]*\n)*?)---[ \t]*(?:\r?\n|$)/

/** A file without front matter defines nothing: it may be a README. */
export class NoDefinitionError extends InvalidInputError {}

/** Reads one file. Throws InvalidInputError, NoDefinitionError. */
export async function readAgentDefinition(file: string): Promise<AgentDefinition> {
  const text = await textOf(file)
  const [whole, front] = FRONT_MATTER.exec(text) ?? []
  if (whole === undefined || front === undefined) {
    const hint = 'It begins with a line ---, then name: ..., and another line ---.'
    throw new NoDefinitionError({ what: file, problem: 'it has no front matter', hint })
  }
  const { name: said, tools, disallowedTools, model, maxTurns, ...more } = valuesIn(file, front)
  const { effort, mcpServers, ...others } = more
  const name = textIn(said)
  const id = idOf(name)
  if (id === '') {
    const problem =
      name === '' ? 'its front matter has no name' : `its name ${JSON.stringify(name)} makes no id`
    throw new InvalidInputError({ what: file, problem, hint: 'As in: name: code-reviewer' })
  }
  const dropped = Object.keys(others)
  if (id !== name) dropped.push(`name: ${name}`)
  const drop = (key: string, value: unknown) => void dropped.push(`${key}: ${textIn(value)}`)
  const takes = (schema: Schema.Top, value: unknown) => Schema.is(schema as typeof Schema.Unknown)(value)
  const options: AgentOptions = defined({
    id,
    systemPrompt: text.slice(whole.length).trim(),
    allowedTools: tools === undefined ? undefined : toolsIn(tools, disallowedTools, drop),
    disallowedTools:
      disallowedTools === undefined ? undefined : rulesIn(disallowedTools, 'disallowedTools', drop),
    effort: takes(EQUIPMENT.effort.schema, effort) ? (effort as AgentOptions['effort']) : undefined,
    model: modelIn(model, drop),
    maxTurns: takes(AGENT.maxTurns.schema, maxTurns) ? Number(maxTurns) : undefined,
  })
  if (maxTurns !== undefined && options.maxTurns === undefined) drop('maxTurns', maxTurns)
  if (effort !== undefined && options.effort === undefined) drop('effort', effort)
  // What is no name may hold a secret.
  const servers = serversIn(mcpServers, (name) =>
    dropped.push(/^[\w-]{1,64}$/.test(String(name)) ? `mcpServers: ${String(name)}` : 'mcpServers'),
  )
  try {
    agentConfig(options)
  } catch (cause) {
    if (!(cause instanceof InvalidInputError)) throw cause
    const { what, problem } = cause.details
    throw new InvalidInputError({ what: file, problem: `${what}: ${problem}`, hint: cause.hint }, { cause })
  }
  const hasServers = Object.keys(servers).length > 0
  return { options, ...(hasServers && { servers: locatedServers(servers, dirname(file)) }), dropped }
}

async function textOf(file: string): Promise<string> {
  const refuse = (problem: string, cause?: unknown) =>
    new InvalidInputError({ what: file, problem }, { cause })
  let bytes: Buffer
  try {
    const opened = await openPlainFile(file)
    try {
      const { buffer, bytesRead } = await opened.read(Buffer.alloc(LARGEST_DEFINITION + 1), 0)
      if (bytesRead > LARGEST_DEFINITION) throw refuse(`it is larger than ${LARGEST_DEFINITION} bytes`)
      bytes = buffer.subarray(0, bytesRead)
    } finally {
      await opened.close()
    }
  } catch (cause) {
    if (cause instanceof InvalidInputError) throw cause
    const isOther = cause instanceof NotAFileError
    throw refuse(
      isOther ? `it is ${cause.details.kind}, not a file` : `it cannot be read: ${systemProblem(cause)}`,
      cause,
    )
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    if (!text.includes('\0')) return text
  } catch (cause) {
    throw refuse('it is not text in UTF-8', cause)
  }
  throw refuse('it has a zero byte, which no text has')
}

type FrontMatter = Readonly<Record<string, unknown>>

/** Many files in use are no valid YAML, as their descriptions contain colons. Claude Code reads them all the same. */
function valuesIn(file: string, front: string): FrontMatter {
  try {
    // The line of the dashes, for the places of mistakes.
    const { value } = new ConfigDocument(file, `\n${front}`)
    if (isJsonObject(value)) return value
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
  }
  return valuesByLine(front)
}

/** What Claude Code knows. */
const KEYS = new Set([
  ...['name', 'description', 'tools', 'disallowedTools', 'model', 'color', 'permissionMode', 'maxTurns'],
  ...['skills', 'mcpServers', 'hooks', 'memory', 'background', 'effort', 'isolation', 'initialPrompt'],
])

/** Other words before a colon, and lines with a #, are part of these. */
const TEXTS = new Set(['description', 'initialPrompt'])

/** A key begins a line; what follows, up to the next one, is its text. */
function valuesByLine(front: string): FrontMatter {
  const values = new Map<string, string>()
  let last: string | undefined
  for (const line of front.split(/\r?\n/)) {
    const [, word = '', rest = ''] = /^([A-Za-z][\w-]*):(?:[ \t]+(.*))?$/.exec(line) ?? []
    const isInText = last !== undefined && TEXTS.has(last)
    if (!isInText && line.startsWith('#')) continue
    const key = KEYS.has(word) || (word !== '' && !isInText) ? word : undefined
    last = key ?? last
    if (last !== undefined) values.set(last, key === undefined ? `${values.get(last) ?? ''}\n${line}` : rest)
  }
  return Object.fromEntries(
    [...values].map(([key, text]) => [key, text.trim().replace(/^(["'])(.*)\1$/s, '$2')]),
  )
}

const textIn = (value: unknown): string =>
  value === undefined || value === null
    ? ''
    : (typeof value === 'object' ? JSON.stringify(value) : String(value)).trim()

const idOf = (name: string): string =>
  name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64)
    .replace(/-+$/, '')

type Drop = (key: string, value: unknown) => void

/** A list, or names between commas, perhaps in brackets. A comma within parentheses belongs to the name. */
function namesIn(tools: unknown): readonly string[] {
  const names = Array.isArray(tools) ? tools.map(textIn) : splitNames(textIn(tools))
  // What is taken away at the end begins where nothing like it precedes: otherwise it would be looked for at each character.
  const bare = (name: string) => name.replace(/^[\s["'-]+/, '').replace(/(?<![\s\]"'])[\s\]"']+$/, '')
  return names.map(bare).filter((name) => name !== '')
}

function splitNames(text: string): readonly string[] {
  const names: string[] = []
  let rest = ''
  let isWithin = false
  for (const piece of text.split(/(,|\n[ \t]*-\s)/).reverse()) {
    if (piece.startsWith('\n') || (piece === ',' && !isWithin)) {
      names.push(rest)
      rest = ''
    } else rest = piece + rest
    const [parenthesis] = /[()]/.exec(piece) ?? []
    isWithin = parenthesis === undefined ? isWithin : parenthesis === ')'
  }
  return [...names, rest].reverse()
}

/** What is both allowed and not is not allowed, also if only one of them has a scope. */
function toolsIn(tools: unknown, disallowed: unknown, drop: Drop): readonly string[] {
  const never = new Set(namesIn(disallowed).map((rule) => ruleParts(rule).name))
  return rulesIn(tools, 'tools', drop).filter((rule) => {
    const isAllowed = !never.has(ruleParts(rule).name)
    if (!isAllowed) drop('tools', rule)
    return isAllowed
  })
}

/** The rules for tools in a list of names. */
function rulesIn(names: unknown, key: string, drop: Drop): readonly string[] {
  const isTool = Schema.is(ToolRule)
  return namesIn(names).flatMap((name) => {
    // All tools of a server go by its name here.
    const rule = toolRule(name.replace(/^(mcp__[\w-]+?)(?:__)?\*$/, '$1'))
    if (isTool(rule)) return [rule]
    drop(key, name)
    return []
  })
}

/** A list of names and of configurations by name, or such configurations alone. A name is that of a server of Claude Code's. */
function serversIn(given: unknown, drop: (server: unknown) => void): McpServers {
  const entries = given === undefined ? [] : Array.isArray(given) ? given : [given]
  const servers: Record<string, McpServers[string]> = {}
  for (const entry of entries)
    for (const [name, server] of isJsonObject(entry) ? Object.entries(entry) : [[entry, null] as const]) {
      const one = { [String(name)]: server }
      if (Schema.is(McpServers)(one)) Object.assign(servers, one)
      else drop(name)
    }
  return servers
}

/** An agent here has nothing to inherit a model from: it has the one that `claude` chooses. */
function modelIn(model: unknown, drop: Drop): string | undefined {
  const name = textIn(model)
  if (name === '' || name === 'inherit') return undefined
  if (Schema.is(AGENT.model.schema)(name)) return name
  drop('model', name)
  return undefined
}

/** Options that make an agent what it is now, with what the definition says. */
export function redefined(config: AgentConfig | undefined, { options }: AgentDefinition): AgentOptions {
  if (!config) return options
  return { ...optionsOf(options.id, config), ...options }
}

/** The file that defines an agent, and what of the agent it cannot say. */
export function definitionOf(
  id: string,
  config: AgentConfig,
): { readonly text: string; readonly dropped: readonly string[] } {
  const { systemPrompt, allowedTools, model, maxTurns, permissions, ...more } = config
  const { disallowedTools, effort, mcpServers = {}, ...others } = more
  const [first = ''] = systemPrompt.trim().split('\n')
  const exported = Object.entries(mcpServers).filter(([, server]) => !refersToFile(server))
  const front = defined({
    name: id,
    description: first.length > LONGEST_DESCRIPTION ? `${first.slice(0, LONGEST_DESCRIPTION)}...` : first,
    tools: allowedTools?.join(', '),
    disallowedTools: disallowedTools?.join(', '),
    model: model ?? undefined,
    maxTurns: maxTurns ?? undefined,
    effort,
    mcpServers: exported.length === 0 ? undefined : exported.map(([name, server]) => ({ [name]: server })),
  })
  // What JSON calls a text, YAML does too.
  const lines = Object.entries(front).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
  const dropped = Object.keys(others).filter((key) => key !== 'loadProjectSettings')
  if (permissions !== 'workspace') dropped.push('permissions')
  for (const [name, server] of Object.entries(mcpServers))
    if (refersToFile(server)) dropped.push(`mcpServers: ${name}`)
  return { text: ['---', ...lines, '---', '', systemPrompt.trim(), ''].join('\n'), dropped }
}

/** What Claude Code has no words for. */
const refersToFile = ({ env = {}, headers = {} }: McpServers[string]) =>
  [...Object.values(env), ...Object.values(headers)].some((value) => typeof value === 'object')

const LONGEST_DESCRIPTION = 200
