/** A repository of a user, and an orchestrator whose agents work on it with real git. */
import { mkdtempSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { systemClock } from '../../../src/clock.ts'
import type { Recorded } from '../../../src/events/envelope.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../../src/orchestrator-options.ts'
import { type ScriptedAnswer, scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../../src/workspaces/operations.ts'

/** As a user types it. */
export const git = (cwd: string, ...command: string[]): string =>
  execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], { cwd }).stdout

/** What an agent does when it is asked. */
export type Work = (
  workspace: string,
  prompt: string,
  attempt: number,
) => Promise<ScriptedAnswer> | ScriptedAnswer

/** A repository with one commit and a dirty tree. */
export async function filesWorld(work: Work, options: Partial<OrchestratorOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'agent-files-'))
  const repo = join(folder, 'repo')
  await mkdir(repo)
  git(repo, 'init', '-q', '-b', 'main')
  await writeFile(join(repo, 'a.txt'), 'one\n')
  await writeFile(join(repo, '.gitignore'), 'build\n')
  git(repo, 'add', '-A')
  git(repo, 'commit', '-qm', 'first')
  await writeFile(join(repo, 'a.txt'), 'the work of the user\n')
  const scripted = scriptedRunner({
    reply: ({ directories, prompt, attempt }) => work(directories.workspace, prompt, attempt),
  })
  const runner = { ...scripted, ...directoryOperations({ clock: systemClock }) }
  const open = (more: Partial<OrchestratorOptions> = {}) =>
    Orchestrator.open({
      baseDir: join(folder, 'base'),
      runner,
      serve: false,
      ...options,
      ...more,
    })
  return { folder, repo, base: join(folder, 'base'), runner, open }
}

export const visibleFiles = async (directory: string): Promise<readonly string[]> =>
  (await readdir(directory)).filter((name) => name !== '.git').sort()

/** Makes a file that is named like the task. */
export const touch: Work = async (workspace, prompt) => {
  await writeFile(join(workspace, prompt), '')
  return 'done'
}

export async function factsOf(orchestrator: Orchestrator, stream = 'agent/dev'): Promise<Recorded[]> {
  const facts: Recorded[] = []
  for await (const fact of orchestrator.history.log({ stream })) facts.push(fact)
  return facts
}
