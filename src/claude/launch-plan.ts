/** What to spawn for a call, decided as data. */
import { randomUUID } from 'node:crypto'
import { existsSync, realpathSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { secretsOf } from '../events/redaction.ts'
import { readAgentFile } from '../workspaces/agent-file.ts'
import { withDescriptors } from '../workspaces/descriptors.ts'
import { removeFrom } from '../workspaces/lifecycle.ts'
import { claudeArguments } from './arguments.ts'
import { callEnvironment, type Environment, temporaryDirectory } from './environment.ts'
import { isLoginFixed, isOn, type LoginSources, type Variables } from './login/account.ts'
import { hideLogin } from './login/hidden.ts'
import { outputFiles } from './process/call-output.ts'
import type { LaunchPlan } from './process/launch.ts'
import type { Program } from './program.ts'
import type { Call } from './runner.ts'
import type { SessionOrigin } from './session/origin.ts'

export interface PlanOptions extends LoginSources {
  readonly program: Program
  readonly added: Environment
  /** What is forked. Default: the parent session, if the call has one. */
  readonly origin?: Pick<SessionOrigin, 'sessionId' | 'at'> | null
}

export interface CallPlan extends LaunchPlan {
  /** Values that must not be printed. */
  readonly secrets: readonly string[]
  readonly isLoginFixed: boolean
}

/**
 * The preamble keeps a prompt from starting with a slash, and buys time: the CLI gives up after 3 seconds without
 * input, and the prompt is sent only once the start is durable. If we die in between, the CLI reads nothing but a
 * line feed and exits without sending a request.
 */
const PREAMBLE = '\n'

/** The launch plan of a call. {@link writeSystemPrompt} writes the file that it refers to. */
export function launchPlan(call: Call, { program, inherited, added, origin }: PlanOptions): CallPlan {
  const { home, workspace } = call.directories
  const { settings } = call
  const { path, version } = program
  const environment = callEnvironment({ ...call, home, version, inherited, added })
  const given = claudeArguments(call, {
    version,
    origin,
    project: settings.project
      ? { directory: realpathSync(workspace), hasServers: existsSync(join(workspace, '.mcp.json')) }
      : undefined,
    systemPromptFile: settings.systemPrompt === '' ? null : systemPromptFile(home),
  })
  const start = { environment, arguments: given }
  return {
    path,
    ...(isKeyVisible(added, inherited) ? start : hideLogin(start)),
    secrets: secretsOf(environment),
    isLoginFixed: isLoginFixed(environment),
    directory: workspace,
    home,
    output: outputFiles(home, call.callId),
    preamble: PREAMBLE,
  }
}

/** A wrapper around `claude` (a container, another user) may not pass the descriptor on. */
const isKeyVisible = (added: Variables, inherited: Variables) =>
  isOn(added[KEY_IN_ENVIRONMENT] ?? inherited[KEY_IN_ENVIRONMENT])
const KEY_IN_ENVIRONMENT = 'CLAUDE_AGENTS_KEY_IN_ENVIRONMENT'

/** Not on the command line, which is limited in length and visible in every process list. */
const systemPromptFile = (home: string) => join(home, 'system-prompt.md')

/** Removes the output that the commands of earlier calls left behind. */
export async function clearTemporaryFiles({ directories }: Call): Promise<void> {
  const path = temporaryDirectory(directories.home)
  await removeFrom(dirname(path), basename(path))
}

/** Writes the system prompt to the plan's path, atomically: an earlier call may still be reading it. */
export async function writeSystemPrompt(call: Call): Promise<void> {
  const { systemPrompt } = call.settings
  const path = systemPromptFile(call.directories.home)
  if (systemPrompt === '' || (await readAgentFile(path, Buffer.byteLength(systemPrompt))) === systemPrompt)
    return
  // A random name that must not exist yet: an agent that runs commands could have planted a link.
  const draft = `${path}.${randomUUID()}`
  await withDescriptors(() => writeFile(draft, systemPrompt, { mode: 0o600, flag: 'wx' }))
  // An agent may have made a directory of it, which a file cannot replace.
  await rename(draft, path).catch(async () => {
    await removeFrom(dirname(path), basename(path))
    await rename(draft, path)
  })
}
