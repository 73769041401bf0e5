/** Calls whose owner is killed in the middle, as in a crash: real processes, real signals. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { launchPlan, writeCallFiles } from '../../src/claude/launch-plan.ts'
import { withSecret } from '../../src/claude/login.ts'
import type { LaunchPlan } from '../../src/claude/process/call-run.ts'
import { linuxProcessTable } from '../../src/claude/process/table.ts'
import type { Call, ProcessIdentity } from '../../src/claude/runner.ts'
import { prepareDirectories } from '../../src/workspaces/lifecycle.ts'
import { REAL_CLAUDE } from './calls.ts'

export interface OwnedCall {
  /** The process of the call. */
  readonly identity: ProcessIdentity
  readonly plan: LaunchPlan
  /** Kills only the owner: the call keeps running with nobody reading its output. */
  killOwner(): Promise<void>
  /** Kills the call. */
  killCall(): void
}

/** Starts a call as the adapter does, under a separate owner. Without a prompt, the call is never sent. */
export async function ownedCall(
  call: Call,
  environment: Readonly<Record<string, string>>,
  prompt: string | null = call.prompt,
): Promise<OwnedCall> {
  await prepareDirectories(call.directories)
  await mkdir(call.directories.workspace, { recursive: true })
  const program = { path: REAL_CLAUDE, version: [2, 1, 197] as const }
  const plan = launchPlan(call, { program, inherited: process.env, added: environment })
  await writeCallFiles(call, plan, {})
  const owner = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/owner.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const { written, ...command } = await withSecret(plan, plan.secret)
  const secret = written && new TextDecoder().decode(written)
  owner.stdin.write(`${JSON.stringify({ ...plan, ...command, secret, prompt })}\n`)
  const pid = Number(await firstLine(owner))
  const kill = (target: number) => {
    try {
      process.kill(target, 'SIGKILL')
    } catch {}
  }
  onTestFinished(() => {
    owner.kill('SIGKILL')
    kill(pid)
  })
  const entry = await linuxProcessTable.entry(pid)
  return {
    plan,
    identity: { pid, startTime: entry?.startTime ?? null },
    killOwner: () =>
      new Promise((resolve) => {
        owner.once('exit', () => resolve())
        owner.kill('SIGKILL')
      }),
    killCall: () => kill(pid),
  }
}

const firstLine = (child: ChildProcess) =>
  new Promise<string>((resolve) => {
    if (child.stdout) createInterface({ input: child.stdout }).once('line', resolve)
  })
