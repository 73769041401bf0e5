/** A served store and a client of it, both in this process. */
import { onTestFinished } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import type { OrchestratorOptions } from '../../src/orchestrator-options.ts'
import { connectOwner, type OwnerClient } from '../../src/remote/client.ts'
import { remoteOrchestrator } from '../../src/remote/orchestrator.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { temporaryDirectory } from '../store/temporary.ts'

export async function connected(baseDir: string): Promise<OwnerClient> {
  const client = await connectOwner(baseDir)
  if (!client) throw new Error('no process serves the store')
  onTestFinished(() => client.close())
  return client
}

/** An orchestrator and its remote counterpart, as another process has it. */
export async function served(script: ScriptedRunnerOptions = {}, options: OrchestratorOptions = {}) {
  const { baseDir = await temporaryDirectory() } = options
  const runner = scriptedRunner(script)
  const own = await Orchestrator.open({ runner, ...options, baseDir })
  onTestFinished(() => own.close())
  const client = await connected(baseDir)
  return { baseDir, runner, own, client, remote: await remoteOrchestrator(Orchestrator, client) }
}

const noRun = () => {
  throw new Error('this system runs no workflows')
}

/** The part of an owner's system that runs workflows, where a test needs none. */
export const WITHOUT_RUNS = { run: noRun, runs: { resume: noRun } }
