/** One run of git, killed with everything it started once the signal aborts. */
import { spawnWhenPossible } from '../descriptors.ts'

export interface GitRun {
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly directory: string
  readonly signal: AbortSignal
  /** Called for each line of stdout. */
  readonly onLine?: (line: string) => void
}

export interface GitOutcome {
  /** null if it was killed or never started. */
  readonly exitCode: number | null
  readonly isMissing: boolean
  /** Verbatim: redact before use. */
  readonly stderr: string
}

/** Bounds what a server can make git print. */
const LARGEST_STDERR = 256 * 1024

/** Never rejects because of git, only if `onLine` throws. An aborted signal kills git's whole process group. */
export async function runGit(run: GitRun): Promise<GitOutcome> {
  const { execa } = await import('execa')
  run.signal.throwIfAborted()
  const start = () =>
    execa('git', run.arguments, {
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
      // A group of its own, so that its helpers (ssh, transfer, unpacking) are killed with it.
      detached: true,
      forceKillAfterDelay: false,
      windowsHide: true,
    })
  const { child } = await spawnWhenPossible(start, { signal: run.signal })
  const kill = () => killGroup(child.pid)
  run.signal.addEventListener('abort', kill, { once: true })
  if (run.signal.aborted) kill()
  try {
    if (run.onLine) for await (const line of child.iterable()) run.onLine(line)
  } catch (error) {
    // Leaving the loop waits for git, which may have much more to print.
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

/** Its output is discarded, so it need not exit cleanly. */
function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {}
}
