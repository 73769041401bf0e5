/** One process of the CLI: started, given its prompt, listened to, and ended. */
import { execa } from 'execa'
import type { ProcessTable } from './process-table.ts'
import type { ProcessIdentity } from './runner.ts'

/** Everything that decides what is started: data, so that it can be looked at. */
export interface LaunchPlan {
  readonly path: string
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly directory: string
}

/** How a process ended; `spawnError` when it never began. */
export interface Exit {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly spawnError: string | null
}

export interface CallProcess {
  /** null when it could not be started: then `exit` says why. */
  readonly identity: ProcessIdentity | null
  /** Resolves when the process has ended, whether or not its output has. Never rejects. */
  readonly exit: Promise<Exit>
  hasEnded(): boolean
  /** Resolves when its output has ended: later than it, if something that it started holds the other end. */
  readonly closed: Promise<void>
  /** The end of what it wrote to stderr. */
  stderr(): string
  /** Sends the prompt, and the end of the input. */
  send(prompt: string): void
  /** Hears no more of the output. */
  cut(): void
}

const STDERR_KEPT = 16 * 1024

/**
 * Starts the process. It gets its own session and survives us: a Ctrl-C in the terminal is ours to deal with, and a
 * call that is paid for shall finish when we are killed. `hear` is called with the output as it comes, without waiting
 * for anybody who reads slowly: the process must never be held up by us.
 *
 * The line feed that goes first keeps a prompt from beginning with a slash, and does a second thing: the CLI gives up
 * when nothing has come after 3 seconds, and the prompt follows only when the start is on record. If we die between the
 * two, the CLI finds nothing but a line feed and ends without a request.
 */
export async function startProcess(
  plan: LaunchPlan,
  table: ProcessTable,
  hear: (chunk: Uint8Array) => void,
): Promise<CallProcess> {
  const child = execa(plan.path, plan.arguments, {
    cwd: plan.directory,
    env: plan.environment,
    extendEnv: false,
    preferLocal: false,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    encoding: 'buffer',
    reject: false,
    cleanup: false,
    detached: true,
    forceKillAfterDelay: false,
    windowsHide: true,
  })
  let stderr = Buffer.alloc(0)
  child.stdout.on('data', hear)
  child.stderr.on('data', (chunk: Uint8Array) => {
    stderr = Buffer.concat([stderr, chunk]).subarray(-STDERR_KEPT)
  })
  // A process that ends early closes its input: how it ended says more than that.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {})
  child.stdin.write('\n')

  let hasEnded = false
  const exit = new Promise<Exit>((resolve) => {
    const done = (how: Exit) => {
      hasEnded = true
      resolve(how)
    }
    child.once('exit', (exitCode, signal) => done({ exitCode, signal, spawnError: null }))
    child.once('error', (error: NodeJS.ErrnoException) =>
      done({ exitCode: null, signal: null, spawnError: error.code ?? error.message }),
    )
    void child.then((result) => {
      const spawnError = child.pid === undefined ? (codeOf(result.cause) ?? result.code ?? 'unknown') : null
      done({ exitCode: result.exitCode ?? null, signal: result.signal ?? null, spawnError })
    })
  })
  return {
    identity: child.pid === undefined ? null : await identityOf(child.pid, table),
    exit,
    hasEnded: () => hasEnded,
    closed: Promise.all([ended(child.stdout), ended(child.stderr)]).then(() => {}),
    stderr: () => stderr.toString('utf8'),
    send: (prompt) => child.stdin.end(prompt),
    cut() {
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
    },
  }
}

async function identityOf(pid: number, table: ProcessTable): Promise<ProcessIdentity> {
  return { pid, startTime: (await table.entry(pid))?.startTime ?? null }
}

const ended = (stream: NodeJS.ReadableStream) =>
  new Promise<void>((done) => {
    stream
      .once('end', done)
      .once('close', done)
      .once('error', () => done())
  })

const codeOf = (cause: unknown): string | null =>
  cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : null
