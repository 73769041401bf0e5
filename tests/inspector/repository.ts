/** An agent on a repository, with an inspector of its log. With real git. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { onTestFinished } from 'vitest'
import { inspector } from '../../src/inspector/inspector.ts'
import type { Answers } from '../../src/inspector/view.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { directoryOperations } from '../../src/workspaces/operations.ts'

/** What the agent does with its files when it is asked for it. */
export type Works = Readonly<
  Record<string, (workspace: string, attempt: number) => Promise<unknown> | unknown>
>

/** @param worker The worker of a cluster in which it lives, which stores its files in the log. */
export async function agentOnRepository(works: Works, worker?: string) {
  const folder = await mkdtemp(join(tmpdir(), 'inspected-'))
  const repo = join(folder, 'repo')
  await mkdir(repo)
  const git = (...command: string[]) =>
    execaSync('git', ['-c', 'user.name=User', '-c', 'user.email=user@example.com', ...command], { cwd: repo })
  git('init', '-q', '-b', 'main')
  await writeFile(join(repo, 'a.txt'), 'one\ntwo\n')
  git('add', '-A')
  git('commit', '-qm', 'first')
  const scripted = scriptedRunner({
    async reply({ directories, prompt, attempt }) {
      await works[prompt]?.(directories.workspace, attempt)
      return 'done'
    },
  })
  const baseDir = join(folder, 'base')
  const orchestrator = await Orchestrator.open({
    baseDir,
    runner: { ...scripted, ...directoryOperations({}) },
    serve: false,
    ...(worker !== undefined && { residency: { worker, sharedDir: false } }),
  })
  onTestFinished(async () => {
    await orchestrator.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  })
  const agent = await orchestrator.createAgent({
    id: 'dev',
    systemPrompt: 'You work.',
    workspace: { repo },
    retry: { minDelayMs: 1, maxDelayMs: 1 },
  })
  /** The positions of an agent's facts of a type. */
  const positionsOf = async (type: string, stream = 'agent/dev'): Promise<readonly number[]> => {
    const found: number[] = []
    for await (const recorded of orchestrator.store.read(stream))
      if (recorded.type === type) found.push(recorded.position)
    return found
  }
  return { agent, baseDir, folder, orchestrator, positionsOf, repo }
}

/** Serves the inspector, and sends the requests of its page. */
export async function inspecting(inspected: Parameters<typeof inspector>[0]) {
  const serving = await inspector(inspected)
  onTestFinished(() => serving.close())
  const { origin, searchParams } = new URL(serving.url)
  const headers = { authorization: `Bearer ${searchParams.get('token')}` }
  const send = (
    what: keyof Answers,
    query: Readonly<Record<string, string | number>>,
    signal?: AbortSignal,
  ) =>
    fetch(`${origin}/api/${what}?${new URLSearchParams(query as Record<string, string>)}`, {
      headers,
      ...(signal && { signal }),
    })
  return {
    url: serving.url,
    close: () => serving.close(),
    send,
    /** Asks once the index has read the log. */
    async ask<What extends keyof Answers>(
      what: What,
      query: Readonly<Record<string, string | number>> = {},
    ): Promise<Answers[What]> {
      const { store } = 'store' in inspected ? inspected : { store: inspected }
      const head = await store.head()
      const indexed = async () => ((await (await send('moment', {})).json()) as Answers['moment']).log.indexed
      while ((await indexed()) < head);
      const response = await send(what, query)
      if (!response.ok) throw new Error(await response.text())
      return (await response.json()) as Answers[What]
    },
  }
}
