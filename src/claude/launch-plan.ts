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
import { isOn, type Variables } from './inherited-environment.ts'
import type { Program } from './locate.ts'
import { hideLogin } from './login/hidden.ts'
import { outputFiles } from './process/call-output.ts'
import type { LaunchPlan } from './process/launch.ts'
import type { Call } from './runner.ts'

export interface PlanOptions {
  readonly program: Program
  /** Our own environment. */
  readonly inherited: Variables
  /** Variables that the library's user adds. */
  readonly added: Environment
}

export interface CallPlan extends LaunchPlan {
  /** Values that must not be printed. */
  readonly secrets: readonly string[]
}

/** The launch plan of a call. {@link writeSystemPrompt} writes the file that it refers to. */
export function launchPlan(call: Call, { program, inherited, added }: PlanOptions): CallPlan {
  const { home, workspace } = call.directories
  const { agent, callId, taskId, settings } = call
  const { path, version } = program
  const environment = callEnvironment({ agent, callId, taskId, home, version, settings, inherited, added })
  const given = claudeArguments(call, {
    version,
    project: settings.project
      ? { directory: realpathSync(workspace), hasServers: existsSync(join(workspace, '.mcp.json')) }
      : undefined,
    systemPromptFile: settings.systemPrompt === '' ? null : systemPromptFile(home),
  })
  const start = { environment, arguments: given }
  return {
    path,
    ...(isKeyVisible({ ...inherited, ...added }) ? start : hideLogin(start)),
    secrets: secretsOf(environment),
    directory: workspace,
    home,
    output: outputFiles(home, call.callId),
  }
}

/** A wrapper around `claude` (a container, another user) may not pass the descriptor on. */
const isKeyVisible = (variables: Variables) => isOn(variables.CLAUDE_AGENTS_KEY_IN_ENVIRONMENT)

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
