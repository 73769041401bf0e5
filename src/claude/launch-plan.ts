/** What to spawn for a call, decided as data. */
import { randomUUID } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { JsonObject } from '../events/json.ts'
import { secretsOf } from '../events/secrets/redaction.ts'
import { readAgentFile } from '../workspaces/agent-file.ts'
import { withDescriptors } from '../workspaces/descriptors.ts'
import { removeFrom } from '../workspaces/lifecycle.ts'
import { claudeArguments } from './arguments.ts'
import {
  type AskingPlan,
  askingFile,
  askingPlan,
  askingSettings,
  hasQuestions,
  personServer,
  teamFile,
  teamServer,
} from './asking/plan.ts'
import { callEnvironment, type Environment, temporaryDirectory } from './environment.ts'
import { hideLogin, isLoginFixed, isOn, type LoginSources, type Variables } from './login.ts'
import { outputFiles } from './process/call-output.ts'
import type { LaunchPlan } from './process/call-run.ts'
import type { ServerCheck } from './process/runner.ts'
import type { Program } from './program.ts'
import type { Call, TeamPass } from './runner.ts'
import { serverConfiguration, serverDirectory, serverFiles } from './servers.ts'
import type { SessionOrigin } from './session/sessions.ts'

export interface PlanOptions extends LoginSources {
  readonly program: Program
  readonly added: Environment
  /** What is forked. Default: the parent session, if the call has one. */
  readonly origin?: Pick<SessionOrigin, 'sessionId' | 'at'> | null
}

export interface CallPlan extends LaunchPlan {
  /** What is sent once the start is durable, and the servers are there. */
  readonly input: string
  /** Asks the CLI what became of its servers; null if the call requires none. */
  readonly check: ServerCheck | null
  /** The texts that the arguments refer to, by the paths of their files. Those of the servers are written apart. */
  readonly files: Readonly<Record<string, string>>
  /** Values that must not be printed. */
  secrets(): readonly string[]
  readonly isLoginFixed: boolean
}

/**
 * The preamble keeps a prompt from starting with a slash, and buys time: the CLI gives up after 3 seconds without
 * input, and the prompt is sent only once the start is durable. If we die in between, the CLI reads nothing but a
 * line feed and exits without sending a request.
 */
const PREAMBLE = '\n'

/**
 * A turn that resumes needs no prompt: the tool that was approved would run as soon as the program does. So a shell holds it
 * back, until the start is durable and it is told to go. If we die in between, nothing runs.
 */
const HOLD_BACK = 'IFS= read -r go && [ "$go" = go ] && exec "$@" </dev/null'
const GO = 'go\n'

/** The launch plan of a call. {@link writeCallFiles} writes the files that it refers to. */
export function launchPlan(call: Call, { program, inherited, added, origin }: PlanOptions): CallPlan {
  const { home, workspace } = call.directories
  const { settings } = call
  const { path, version } = program
  const environment = callEnvironment({ ...call, home, version, inherited, added })
  const output = outputFiles(home, call.callId)
  // The file that says that a tool call waits is beside the output of its call, and is removed with it.
  const asking = askingPlan(call, `${output.stdout}.waiting`)
  const check = serverCheck(call)
  const given = claudeArguments(call, {
    version,
    origin,
    asksFirst: check !== null,
    servers: settings.mcpServers && serverConfiguration(home),
    asking: asking ? askingArguments(call, asking) : undefined,
    team: call.team && teamServer(home),
    project: settings.project ? projectIn(workspace) : undefined,
    systemPromptFile: settings.systemPrompt === '' ? null : systemPromptFile(home),
  })
  const start = { environment, arguments: given }
  const launch = { path, ...(isKeyVisible(added, inherited) ? start : hideLogin(start)) }
  const heldBack = { path: '/bin/sh', arguments: ['-c', HOLD_BACK, 'sh', path, ...launch.arguments] }
  return {
    ...launch,
    ...(call.resumes ? { ...heldBack, input: GO } : { preamble: PREAMBLE, input: inputOf(call, check) }),
    check,
    files: {
      [systemPromptFile(home)]: settings.systemPrompt,
      ...(asking && { [askingFile(home)]: JSON.stringify(asking) }),
      ...(call.team && { [teamFile(home)]: teamPass(call.team) }),
    },
    secrets: () => [...secretsOf(environment), ...(call.team ? [call.team.token] : [])],
    isLoginFixed: isLoginFixed(environment),
    directory: workspace,
    home,
    output,
  }
}

/** A turn that resumes asks for none: its servers had let it begin. */
function serverCheck({ resumes, settings: { mcpServers = {} } }: Call): ServerCheck | null {
  const required = Object.keys(mcpServers).filter((name) => mcpServers[name]?.required)
  if (resumes || required.length === 0) return null
  const question = { type: 'control_request', request_id: 'servers', request: { subtype: 'mcp_status' } }
  return { question: asLine(question), required }
}

/** What is asked before the prompt makes that a message. */
function inputOf({ prompt }: Call, check: ServerCheck | null): string {
  const message = { role: 'user', content: `${PREAMBLE}${prompt}` }
  return check === null ? prompt : asLine({ type: 'user', message, client_composed: true })
}

const asLine = (message: JsonObject) => `${JSON.stringify(message)}\n`

const teamPass = ({ socket, token }: TeamPass) => JSON.stringify({ socket, token })

/** The project whose own settings count. */
export const projectIn = (workspace: string) => ({
  directory: realpathSync(workspace),
  hasServers: existsSync(join(workspace, '.mcp.json')),
})

/** A wrapper around `claude` (a container, another user) may not pass the descriptor on. */
export const isKeyVisible = (added: Variables, inherited: Variables) =>
  isOn(added[KEY_IN_ENVIRONMENT] ?? inherited[KEY_IN_ENVIRONMENT])
const KEY_IN_ENVIRONMENT = 'CLAUDE_AGENTS_KEY_IN_ENVIRONMENT'

/** Not on the command line, which is limited in length and visible in every process list. */
export const systemPromptFile = (home: string) => join(home, 'system-prompt.md')

/** Removes the output that the commands of earlier calls left behind. */
export async function clearTemporaryFiles({ directories }: Call): Promise<void> {
  const path = temporaryDirectory(directories.home)
  await removeFrom(dirname(path), basename(path))
}

const askingArguments = (call: Call, plan: AskingPlan) => ({
  settings: askingSettings(call.directories.home, plan),
  server: hasQuestions(call) ? personServer() : null,
})

/**
 * Writes what the plan's arguments refer to: the system prompt, what the hook knows, how the team is reached, and the servers.
 * Returns the secrets of these. Throws McpSecretError.
 */
export async function writeCallFiles(
  call: Call,
  plan: Pick<CallPlan, 'files'>,
  environment: Variables,
): Promise<readonly string[]> {
  for (const [path, text] of Object.entries(plan.files)) await writeOwnFile(path, text)
  if (!call.settings.mcpServers) return []
  const { home } = call.directories
  await removeServerFiles(call)
  const { files, secrets } = await serverFiles(call.settings.mcpServers, home, environment)
  await mkdir(serverDirectory(home), { mode: 0o700 })
  for (const [name, text] of Object.entries(files))
    await writeOwnFile(join(serverDirectory(home), name), text)
  return secrets
}

/** Removes the configuration of its servers, and with it their secrets. */
export async function removeServerFiles({ directories }: Call): Promise<void> {
  const path = serverDirectory(directories.home)
  await removeFrom(dirname(path), basename(path))
}

/** Atomically: an earlier call may still be reading it. */
export async function writeOwnFile(path: string, text: string): Promise<void> {
  if (text === '' || (await readAgentFile(path, Buffer.byteLength(text))) === text) return
  // A random name that must not exist yet: an agent that runs commands could have planted a link.
  const draft = `${path}.${randomUUID()}`
  await withDescriptors(() => writeFile(draft, text, { mode: 0o600, flag: 'wx' }))
  // An agent may have made a directory of it, which a file cannot replace.
  await rename(draft, path).catch(async () => {
    await removeFrom(dirname(path), basename(path))
    await rename(draft, path)
  })
}
