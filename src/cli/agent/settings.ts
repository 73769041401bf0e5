/** The options of an agent on the command line: all that can be said when it is created, and changed later. */
import { dirname, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { systemProblem } from '../../events/errors/phrases.ts'
import { NotAFileError } from '../../events/errors/store.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { defined, isJsonObject } from '../../events/json.ts'
import { nameHint } from '../../events/nearest-name.ts'
import { type AgentOptions, EFFORTS, type RepositoryOptions } from '../../events/options/agent.ts'
import type { AgentChanges } from '../../events/options/agent-changes.ts'
import { ON_MESSAGE } from '../../events/options/message.ts'
import { decodedServers, locatedServers, type McpServers } from '../../events/options/servers.ts'
import { readPlainFile } from '../../store/directory.ts'
import { listedNames, oneOrMore, zeroOrMore } from '../arguments.ts'

/** What was given of them, by their names in camel case. */
export type AgentSettings = Readonly<Record<string, unknown>>

/** Declares them. */
export const withSettings = (command: Command): Command =>
  command
    .option('--tools <names...>', 'tools it may use without asking, as Claude Code names them', listedNames)
    .option('--approve <rules...>', 'tools of which you decide each call, in the inbox', listedNames)
    .option('--questions', 'let it ask you questions, in the inbox')
    .option(
      '--team [tools...]',
      'let it ask other agents and send them messages, by all tools for that or by those named',
      listedNames,
    )
    .addOption(
      new Option(
        '--on-message <what>',
        'a message to it: queue (default) leaves it for the next task, wake begins one, hold asks you first, in the inbox',
      ).choices(ON_MESSAGE),
    )
    .option('--disallow <rules...>', 'tools that it may never use, even if --tools names them', listedNames)
    .option(
      '--mcp-config <files...>',
      'MCP servers that it has, from files like .mcp.json; grant their tools with --tools mcp__NAME',
    )
    .option('--add-dir <directories...>', 'directories whose files it uses as those of its workspace')
    .option('--env <names...>', 'variables of this environment that it gets, by name', listedNames)
    .option(
      '--plugin-dir <directories...>',
      'plugins for Claude Code: their skills, hooks and servers run as you',
    )
    .option('--requires <labels...>', 'labels that a worker must have for it to live there', listedNames)
    .addOption(new Option('--effort <level>', 'how much the model thinks').choices(EFFORTS))
    .option('--fallback-model <names>', 'model for when the first is overloaded; several between commas')
    .option('--append-claude-md <file>', 'file of instructions that follow its system prompt')
    .option('--max-turns <n>', 'most turns of the model per call', oneOrMore)
    .option('--model <name>', 'model to use')
    .option('--timeout <seconds>', 'seconds of work on a task, retries included (default: 1800)', oneOrMore)
    .option('--retries <n>', 'how often to retry a call that failed temporarily', zeroOrMore)
    .option('--repo <directory>', 'let it work on a git repository: in a worktree, on a branch of its own')
    .option('--base <ref>', 'with --repo: the commit that its work begins from (default: HEAD)')
    .option('--branch <name>', 'with --repo: its branch (default: claude-agents/ID)')
    .addOption(
      new Option(
        '--commit <who>',
        'with --repo: turn (default) makes a commit of each answered task, agent leaves it to the agent',
      ).choices(['turn', 'agent']),
    )
    .option(
      '--message <template>',
      'with --repo: the message of these commits, with {subject}, {agent}, {task}, {run}',
    )
    .option(
      '--project',
      "with --repo: load the project's own settings, which can run commands (default: ask)",
    )
    .option('--no-project', 'with --repo: never load them')
    .option(
      '--dangerously-skip-permissions',
      'let it do anything without asking: use this only in a container',
    )

/** What each of them sets. */
const IN_CODE = {
  tools: 'allowedTools',
  approve: 'approveTools',
  questions: 'questions',
  team: 'team',
  'on-message': 'onMessage',
  disallow: 'disallowedTools',
  'mcp-config': 'mcpServers',
  'add-dir': 'addDirs',
  env: 'env',
  'plugin-dir': 'plugins',
  requires: 'requires',
  effort: 'effort',
  'fallback-model': 'fallbackModel',
  'append-claude-md': 'appendClaudeMd',
  'max-turns': 'maxTurns',
  model: 'model',
  timeout: 'timeoutMs',
  retries: 'retry',
  'dangerously-skip-permissions': 'permissions',
} as const satisfies Readonly<Record<string, keyof AgentChanges>>

/** What is set, where that is not what was given. Paths are absolute: the store may be open in another process. */
const VALUES: { readonly [Key in keyof AgentChanges]?: (given: never) => unknown } = {
  mcpServers: (files: readonly string[]) => serversIn(files),
  addDirs: (paths: readonly string[]) => paths.map((path) => resolve(path)),
  plugins: (paths: readonly string[]) => paths.map((path) => resolve(path)),
  appendClaudeMd: async (file: string) => String(await readFor('--append-claude-md', file)),
  timeoutMs: (seconds: number) => seconds * 1000,
  retry: (attempts: number) => ({ attempts }),
  permissions: () => 'bypass',
}

/** The options in code, without a workspace. */
async function inCode(settings: AgentSettings): Promise<Omit<AgentOptions, 'id' | 'systemPrompt'>> {
  const set: Record<string, unknown> = {}
  for (const [option, key] of Object.entries(IN_CODE)) {
    const given = settings[option.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())]
    if (given !== undefined) set[key] = (await VALUES[key]?.(given as never)) ?? given
  }
  return set
}

/** The servers in files like `.mcp.json`; their paths are relative to the file. */
async function serversIn(files: readonly string[]): Promise<McpServers> {
  const servers: Record<string, McpServers[string]> = {}
  for (const file of files) {
    const found = serversOf(file, await readFor('--mcp-config', file))
    for (const name of Object.keys(found))
      if (Object.hasOwn(servers, name))
        throw new InvalidInputError({
          what: file,
          problem: `there is already a server ${JSON.stringify(name)}`,
        })
    Object.assign(servers, found)
  }
  return servers
}

function serversOf(file: string, text: Buffer): McpServers {
  let read: unknown
  try {
    read = JSON.parse(String(text))
  } catch {
    // What a parser says quotes the file, which may hold a secret.
    throw new InvalidInputError({ what: file, problem: 'it is not JSON' })
  }
  const hint = 'As in: { "mcpServers": { "docs": { "command": "docs-server" } } }'
  if (!isJsonObject(read) || !isJsonObject(read.mcpServers))
    throw new InvalidInputError({ what: file, problem: 'it has no mcpServers', hint })
  return locatedServers(decodedServers(read.mcpServers, file), dirname(resolve(file)))
}

async function readFor(option: string, file: string): Promise<Buffer> {
  try {
    return await readPlainFile(file)
  } catch (cause) {
    const problem =
      cause instanceof NotAFileError
        ? `it is ${cause.details.kind}, not a file`
        : `it cannot be read: ${systemProblem(cause)}`
    throw new InvalidInputError({ what: `${option} ${file}`, problem }, { cause })
  }
}

/** An agent to create. Throws InvalidInputError. */
export async function agentOptionsOf(
  id: string,
  systemPrompt: string,
  settings: AgentSettings,
): Promise<AgentOptions> {
  const { repo, ...workspace } = workspaceOf(settings)
  const options = { id, systemPrompt, ...(await inCode(settings)) }
  if (repo !== undefined) return { ...options, workspace: { repo, ...workspace } }
  const [option] = Object.keys(workspace)
  if (option === undefined) return options
  const flag = option === 'project' && !workspace.project ? 'no-project' : option
  throw new InvalidInputError({ what: `--${flag}`, problem: 'it needs --repo DIRECTORY' })
}

/** Changes of an agent. Throws InvalidInputError. */
export async function changesOf(
  systemPrompt: string | undefined,
  settings: AgentSettings,
  unset: readonly string[] = [],
): Promise<AgentChanges> {
  const workspace = workspaceOf(settings)
  const given = { ...(await inCode(settings)), ...defined({ systemPrompt }) }
  const defaults = unset.map((option) => {
    const name = option.replace(/^--/, '')
    const key = Object.hasOwn(IN_CODE, name) ? IN_CODE[name as keyof typeof IN_CODE] : undefined
    if (key === undefined) {
      const hint = nameHint(name, Object.keys(IN_CODE))
      throw new InvalidInputError({ what: '--unset', problem: `there is no option "${name}"`, hint })
    }
    if (!(key in given)) return [key, null] as const
    throw new InvalidInputError({ what: `--${name}`, problem: 'it is both given and unset' })
  })
  return {
    ...given,
    ...Object.fromEntries(defaults),
    ...(Object.keys(workspace).length > 0 && { workspace }),
  }
}

const workspaceOf = (settings: AgentSettings): Partial<RepositoryOptions> => {
  const { repo, base, branch, project, commit, message } = settings as Partial<RepositoryOptions>
  return defined({
    repo: repo === undefined ? undefined : resolve(repo),
    ...{ base, branch, project, commit, message },
  })
}
