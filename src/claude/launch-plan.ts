/** What is started for a call, decided as data. */
import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { secretsOf } from '../events/redaction.ts'
import { claudeArguments } from './arguments.ts'
import { callEnvironment, type Environment, temporaryDirectory } from './environment.ts'
import { isOn, type Variables } from './inherited-environment.ts'
import type { Program } from './locate.ts'
import { hideLogin } from './login/hidden-login.ts'
import { outputFiles } from './process/call-output.ts'
import type { LaunchPlan } from './process/call-process.ts'
import type { Call } from './runner.ts'

export interface PlanOptions {
  readonly program: Program
  /** Ours. */
  readonly inherited: Variables
  /** What the user of the library adds to the environment. */
  readonly added: Environment
}

export interface CallPlan extends LaunchPlan {
  /** What must not be printed. */
  readonly secrets: readonly string[]
}

/** The plan of a call. The file of the system prompt is written by {@link writeSystemPrompt}. */
export function launchPlan(call: Call, { program, inherited, added }: PlanOptions): CallPlan {
  const { home, workspace } = call.directories
  const { callId, taskId, settings } = call
  const { path, version } = program
  const environment = callEnvironment({ callId, taskId, home, version, settings, inherited, added })
  const given = claudeArguments(call, {
    version,
    systemPromptFile: settings.systemPrompt === '' ? null : systemPromptFile(home),
  })
  const start = { environment, arguments: given }
  return {
    path,
    ...(isKeyShown({ ...inherited, ...added }) ? start : hideLogin(start)),
    secrets: secretsOf(environment),
    directory: workspace,
    home,
    output: outputFiles(home, call.callId),
  }
}

/** A `claude` that is a wrapper (a container, another user) may not be reached by a descriptor. */
const isKeyShown = (variables: Variables) => isOn(variables.CLAUDE_AGENTS_KEY_IN_ENVIRONMENT)

/** In the agent's home: on the command line it would be in every list of processes, and its length is limited. */
const systemPromptFile = (home: string) => join(home, 'system-prompt.md')

/** Removes what the commands of earlier calls have printed there. */
export async function clearTemporaryFiles({ directories }: Call): Promise<void> {
  await rm(temporaryDirectory(directories.home), { recursive: true, force: true, maxRetries: 3 })
}

/** Writes the system prompt where the plan says, at once as a whole: an earlier call may just be reading it. */
export async function writeSystemPrompt(call: Call): Promise<void> {
  const { systemPrompt } = call.settings
  const path = systemPromptFile(call.directories.home)
  if (systemPrompt === '' || (await readFile(path, 'utf8').catch(() => null)) === systemPrompt) return
  // A new name, and one that must not exist: an agent that can run commands could have put a link there.
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, systemPrompt, { mode: 0o600, flag: 'wx' })
  await rename(draft, path)
}
