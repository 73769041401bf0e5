/** One run of git: ended with all that it has started as soon as it is to stop. */

export interface GitRun {
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly directory: string
  readonly signal: AbortSignal
  /** Called for each line that it prints. */
  readonly onLine?: (line: string) => void
}

export interface GitOutcome {
  /** null when it was killed or never began. */
  readonly exitCode: number | null
  readonly isMissing: boolean
  /** As git said it: to be redacted. */
  readonly stderr: string
}

/** What a server may have git repeat on stderr. */
const LARGEST_STDERR = 256 * 1024

/** Never rejects for what git does, but for an `onLine` that throws. An aborted signal kills git's whole group. */
export async function runGit(run: GitRun): Promise<GitOutcome> {
  const { execa } = await import('execa')
  run.signal.throwIfAborted()
  const child = execa('git', run.arguments, {
    cwd: run.directory,
    env: run.environment,
    extendEnv: false,
    preferLocal: false,
    stdin: 'ignore',
    stdout: run.onLine ? 'pipe' : 'ignore',
    buffer: { stdout: false, stderr: true },
    maxBuffer: LARGEST_STDERR,
    reject: false,
    cleanup: false,
    // A group of its own: its helpers (ssh, the transfer, the unpacking) are ended with it.
    detached: true,
    forceKillAfterDelay: false,
    windowsHide: true,
  })
  const kill = () => killGroup(child.pid)
  run.signal.addEventListener('abort', kill, { once: true })
  try {
    if (run.onLine) for await (const line of child.iterable()) run.onLine(line)
  } catch (error) {
    // Leaving the loop waits for git, which may have a lot more to say.
    kill()
    throw error
  } finally {
    await child
    run.signal.removeEventListener('abort', kill)
  }
  const { exitCode, stderr, cause } = await child
  return {
    exitCode: exitCode ?? null,
    isMissing:
      child.pid === undefined && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT',
    stderr: typeof stderr === 'string' ? stderr : '',
  }
}

/** What it has written is thrown away, so that nothing needs to end in order. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {}
}
