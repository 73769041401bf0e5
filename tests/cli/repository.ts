/** A repository of a user, and the command line in it. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { onTestFinished } from 'vitest'
import { type SimulatedModelOptions, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from './command.ts'

/** Makes a repository with one commit of these files. Returns git, as the user runs it there. */
export async function repositoryIn(folder: string, files: Readonly<Record<string, string>> = {}) {
  await mkdir(folder, { recursive: true })
  const git = (...command: string[]) =>
    execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], {
      cwd: folder,
    }).stdout
  git('init', '-q', '-b', 'main')
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  git('add', '-A')
  git('commit', '-qm', 'first', '--allow-empty')
  return git
}

/** Commands in such a repository, and the model that answers them. */
export async function commandsInRepository(
  files: Readonly<Record<string, string>>,
  { reply }: Pick<SimulatedModelOptions, 'reply'> = {},
) {
  const model = await simulatedModel(reply ? { reply } : {})
  onTestFinished(() => model.close())
  const cli = await quickCommandLine(model.environment)
  const git = await repositoryIn(cli.folder, files)
  return { cli, git, model }
}
