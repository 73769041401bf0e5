/** A repository with agents that work on it, for tests of landing. With real git. */
import { mkdtempSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { onTestFinished } from 'vitest'
import type { Call } from '../../src/claude/runner.ts'
import { systemClock } from '../../src/clock.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../src/orchestrator-options.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../src/workspaces/operations.ts'

/** What an agent does with its files for a task. */
export type Work = (workspace: string, prompt: string, call: Call) => Promise<unknown>

export async function repository(work: Work = write) {
  const folder = mkdtempSync(join(tmpdir(), 'landing-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const repo = join(folder, 'shop')
  const base = join(folder, 'base')
  await mkdir(repo)
  const git = (...command: string[]) =>
    execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], { cwd: repo })
      .stdout
  git('init', '-q', '-b', 'main')
  await writeFile(join(repo, 'a.txt'), 'one\n')
  git('add', '-A')
  git('commit', '-qm', 'first')
  const open = async (options: Partial<OrchestratorOptions> = {}) => {
    const scripted = scriptedRunner({
      reply: async (call) => {
        await work(call.directories.workspace, call.prompt, call)
        return { text: 'done', costUsd: 0.5 }
      },
    })
    const runner = { ...scripted, ...directoryOperations({ clock: systemClock }) }
    const orchestrator = await Orchestrator.open({ baseDir: base, runner, serve: false, ...options })
    onTestFinished(() => orchestrator.close())
    return {
      orchestrator,
      scripted,
      /** Makes an agent and asks it to write files: `b.txt=two`. */
      async agent(id: string, ...tasks: string[]) {
        const agent = await orchestrator.createAgent({ id, systemPrompt: 'You work.', workspace: { repo } })
        for (const task of tasks) await agent.ask(task)
        return agent
      },
      /** Lands the work, and waits for its end. */
      async landed(
        of: string | readonly string[],
        how: Parameters<typeof orchestrator.landings.land>[1] = {},
      ) {
        const { landings } = orchestrator
        const entries = await landings.land([of].flat(), how)
        return Promise.all(entries.map(({ entry }) => landings.settled(entry)))
      },
    }
  }
  return { folder, repo, base, git, open, at: (name: string) => git('show', `main:${name}`) }
}

/** Writes the files that the prompt names: `b.txt=two c.txt=three`. */
export async function write(workspace: string, prompt: string): Promise<void> {
  for (const part of prompt.split(' ')) {
    const [name, text] = part.split('=')
    if (name && text !== undefined) await writeFile(join(workspace, name), `${text}\n`)
  }
}
