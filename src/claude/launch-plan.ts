/** What is started for a call, decided as data. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { claudeArguments } from './arguments.ts'
import type { LaunchPlan } from './call-process.ts'
import { callEnvironment, type Environment } from './environment.ts'
import type { Program } from './locate.ts'
import type { Call } from './runner.ts'

export interface PlanOptions {
  readonly program: Program
  /** Ours. */
  readonly inherited: Readonly<Record<string, string | undefined>>
  /** What the user of the library adds to the environment. */
  readonly added: Environment
}

/** The plan of a call. Pure: the file of the system prompt is written by {@link writeSystemPrompt}. */
export function launchPlan(call: Call, { program, inherited, added }: PlanOptions): LaunchPlan {
  const { home, workspace } = call.directories
  return {
    path: program.path,
    arguments: claudeArguments(call, {
      version: program.version,
      systemPromptFile: call.settings.systemPrompt === '' ? null : systemPromptFile(home),
    }),
    environment: callEnvironment({ callId: call.callId, home, inherited, added }),
    directory: workspace,
  }
}

/** In the agent's home: on the command line it would be in every list of processes, and its length is limited. */
const systemPromptFile = (home: string) => join(home, 'system-prompt.md')

/** Writes the system prompt where the plan says, at once as a whole: an earlier call may just be reading it. */
export async function writeSystemPrompt({
  directories: { home },
  settings: { systemPrompt },
}: Call): Promise<void> {
  const path = systemPromptFile(home)
  if (systemPrompt === '' || (await readFile(path, 'utf8').catch(() => null)) === systemPrompt) return
  await writeFile(`${path}.new`, systemPrompt, { mode: 0o600 })
  await rename(`${path}.new`, path)
}
