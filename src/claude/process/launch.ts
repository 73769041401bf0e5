/** One process of a call: spawned, identified, and given its prompt. */
import { access, constants, type FileHandle } from 'node:fs/promises'
import { spawnWhenPossible, type Waiting, withDescriptors } from '../../workspaces/descriptors.ts'
import type { ProcessIdentity } from '../runner.ts'
import { type OpenOutput, type OutputFiles, openOutput } from './call-output.ts'
import type { ProcessTable } from './table.ts'

/** Everything that determines what is spawned, as data that can be inspected. */
export interface LaunchPlan {
  readonly path: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Passed through a descriptor: it appears in neither the environment nor the arguments. */
  readonly secret?: string
  readonly directory: string
  /** The agent's home, where the output goes. */
  readonly home: string
  readonly output: OutputFiles
  /** Written to stdin right after the spawn, before the start is recorded. */
  readonly preamble?: string
}

/** How a process ended; `spawnError` if it never started. */
export interface ProcessExit {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly spawnError: string | null
}

export interface CallProcess {
  /** null if it could not be spawned: `exit` says why. */
  readonly identity: ProcessIdentity | null
  /** For reading what it prints; its reader closes it. */
  readonly printed: FileHandle
  /** Resolves when the process has ended. Never rejects. */
  readonly exit: Promise<ProcessExit>
  hasEnded(): boolean
  /** Writes to stdin. */
  write(text: string): void
  /** Writes the prompt to stdin and closes it. */
  send(prompt: string): void
  /** Sends SIGKILL. */
  kill(): void
}

/**
 * Spawns the process in a session of its own, so that it survives us: a Ctrl-C in the terminal is ours to handle, and
 * a call that is being paid for should finish even if we are killed.
 */
export async function startProcess(
  plan: LaunchPlan,
  table: ProcessTable,
  waiting: Waiting = {},
): Promise<CallProcess> {
  const output = await openOutput(plan.home, plan.output)
  try {
    return await spawnInto(output, plan, table, waiting)
  } catch (error) {
    await output.printed.close()
    throw error
  } finally {
    await Promise.all([output.stdout.close(), output.stderr.close()])
  }
}

async function spawnInto(
  output: OpenOutput,
  plan: LaunchPlan,
  table: ProcessTable,
  waiting: Waiting,
): Promise<CallProcess> {
  const { path, arguments: given, written } = await withSecret(plan, plan.secret)
  // Any descriptor works; execa's types allow only some.
  const [stdout, stderr] = [output.stdout.fd as 3, output.stderr.fd as 3]
  // Imported on demand: commands that spawn nothing start faster.
  const { execa } = await withDescriptors(() => import('execa'), waiting)
  const start = () =>
    execa(path, given, {
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
  const { child } = await spawnWhenPossible(start, waiting)
  // A process that exits early closes its stdin; its exit code says more than the write error.
  child.stdin.on('error', () => {})
  if (plan.preamble !== undefined) child.stdin.write(plan.preamble)

  let hasEnded = false
  // Only the promise: execa 10 has no events. With stdin as the only pipe, it waits for nothing else.
  const exit = child.then(({ exitCode = null, signal = null, cause }): ProcessExit => {
    hasEnded = true
    child.stdin.destroy()
    return { exitCode, signal, spawnError: child.pid === undefined ? codeOf(cause) : null }
  })
  return {
    identity: child.pid === undefined ? null : await identityOf(child.pid, table),
    printed: output.printed,
    exit,
    hasEnded: () => hasEnded,
    write: (text) => void child.stdin.write(text),
    send: (prompt) => child.stdin.end(prompt),
    kill: () => void child.kill('SIGKILL'),
  }
}

async function identityOf(pid: number, table: ProcessTable): Promise<ProcessIdentity> {
  // The process runs: whatever is wrong with the table must not lose it.
  const entry = await table.entry(pid).catch(() => null)
  return { pid, startTime: entry?.startTime ?? null }
}

const codeOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : String(cause)

/** Where a program finds its secret: a pipe that can be read exactly once. */
export const SECRET_DESCRIPTOR = 3

/**
 * Node's pipes are sockets, which /proc refuses to open, and a file could be read again while the program runs. So a
 * shell makes a real pipe from a here-document and then execs the program: same process, same pid, and the secret is
 * on no command line and in no environment.
 */
const HAND_OVER = `IFS= read -r secret <&${SECRET_DESCRIPTOR}
exec ${SECRET_DESCRIPTOR}<<END
$secret
END
unset secret
exec "$@"`

export interface Command {
  readonly path: string
  readonly arguments: readonly string[]
}

/** What to spawn, and what to write to its descriptor, so that the program finds the secret there. */
export async function withSecret(
  { path, arguments: given }: Command,
  secret: string | undefined,
): Promise<Command & { readonly written?: Uint8Array }> {
  // A missing program is not left to the shell, whose error would say less.
  if (secret === undefined || !(await isExecutable(path))) return { path, arguments: given }
  return {
    path: '/bin/sh',
    arguments: ['-c', HAND_OVER, 'sh', path, ...given],
    written: new TextEncoder().encode(`${secret}\n`),
  }
}

const isExecutable = (path: string) =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
