/** One process of the CLI: started, given its prompt, and watched until it ends. */

import type { ProcessIdentity } from '../runner.ts'
import { type OutputFiles, openOutput } from './call-output.ts'
import { handingOver } from './secret-descriptor.ts'
import type { ProcessTable } from './table.ts'

/** Everything that decides what is started: data, so that it can be looked at. */
export interface LaunchPlan {
  readonly path: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** What it shall find at the descriptor for secrets: not in its environment, nor in its arguments. */
  readonly secret?: string
  readonly directory: string
  /** Where it writes. */
  readonly home: string
  readonly output: OutputFiles
  /** What is written to its input the moment it runs, before anybody knows of it. */
  readonly preamble?: string
}

/** How a process ended; `spawnError` when it never began. */
export interface ProcessExit {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly spawnError: string | null
}

export interface CallProcess {
  /** null when it could not be started: then `exit` says why. */
  readonly identity: ProcessIdentity | null
  /** Resolves when the process has ended. Never rejects. */
  readonly exit: Promise<ProcessExit>
  hasEnded(): boolean
  /** Sends the prompt, and the end of the input. */
  send(prompt: string): void
  /** Kills it, whatever it is doing. */
  kill(): void
}

/**
 * Starts the process. It gets its own session and survives us: a Ctrl-C in the terminal is ours to deal with, and a
 * call that is paid for shall finish when we are killed.
 */
export async function startProcess(plan: LaunchPlan, table: ProcessTable): Promise<CallProcess> {
  await using output = await openOutput(plan.home, plan.output)
  const { path, arguments: given, written } = await handingOver(plan, plan.secret)
  // Any descriptor will do; execa's types name only some.
  const [stdout, stderr] = [output.stdout.fd as 3, output.stderr.fd as 3]
  // Loaded when a process is started: commands that start none are quicker for it.
  const { execa } = await import('execa')
  const child = execa(path, given, {
    cwd: plan.directory,
    env: plan.environment,
    extendEnv: false,
    preferLocal: false,
    stdio: written === undefined ? ['pipe', stdout, stderr] : ['pipe', stdout, stderr, written],
    buffer: false,
    reject: false,
    cleanup: false,
    detached: true,
    forceKillAfterDelay: false,
    windowsHide: true,
  })
  // A process that ends early closes its input: how it ended says more than that.
  child.stdin.on('error', () => {})
  if (plan.preamble !== undefined) child.stdin.write(plan.preamble)

  let hasEnded = false
  // By the promise alone: execa 10 has no events. As only the input is a pipe, nothing else is waited for.
  const exit = child.then(({ exitCode = null, signal = null, cause }): ProcessExit => {
    hasEnded = true
    child.stdin.destroy()
    return { exitCode, signal, spawnError: child.pid === undefined ? codeOf(cause) : null }
  })
  return {
    identity: child.pid === undefined ? null : await identityOf(child.pid, table),
    exit,
    hasEnded: () => hasEnded,
    send: (prompt) => child.stdin.end(prompt),
    kill: () => void child.kill('SIGKILL'),
  }
}

async function identityOf(pid: number, table: ProcessTable): Promise<ProcessIdentity> {
  return { pid, startTime: (await table.entry(pid))?.startTime ?? null }
}

const codeOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : String(cause)
