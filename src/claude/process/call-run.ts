/** Runs one call's process from start to end: spawns it, follows its output, enforces its limits, and reaps what it leaves. */
import type { FileHandle } from 'node:fs/promises'
import { type Clock, steadyTime } from '../../clock.ts'
import {
  CallStalledError,
  CallTimeoutError,
  ClaudeExecutionError,
  CliCrashedError,
  OutputTooLargeError,
} from '../../events/errors/call.ts'
import { codeOf } from '../../events/errors/phrases.ts'
import { duration } from '../../events/figures.ts'
import type { ServerStatus } from '../../events/options/servers.ts'
import { spawnWhenPossible, type Waiting, withDescriptors } from '../../workspaces/descriptors.ts'
import { CALL_MARKER } from '../environment.ts'
import { withSecret } from '../login.ts'
import type { CallMessage, ProcessIdentity } from '../runner.ts'
import {
  type LongRecord,
  lineSplitter,
  OUTPUT_LIMITS,
  type OutputLimits,
  outputTooLarge,
} from '../stream/line-splitter.ts'
import { followFile, limitSize, type OpenOutput, type OutputFiles, openOutput } from './call-output.ts'
import type { ProcessTable } from './table.ts'
import { sweepCall, type TerminationContext, terminate } from './termination.ts'

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

export interface CallRun {
  readonly process: CallProcess
  /** The messages of the call, until its process has ended. */
  readonly messages: AsyncIterable<ProcessMessage>
  /** Resolves when the process and everything it started are gone. Never rejects. */
  readonly over: Promise<RunEnd>
  /** Terminates the process. */
  stop(): void
}

export interface RunEnd extends ProcessExit {
  /** A limit that the call exceeded, or a fault in reading its output. */
  readonly failure: ClaudeExecutionError | null
}

export interface TimeLimits {
  /** The longest time without a line of output. */
  readonly idleMs: number
  /** The longest a call may take; null: no limit here. */
  readonly callTimeoutMs: number | null
}

export interface CallRunOptions extends TerminationContext, TimeLimits {
  readonly limits: OutputLimits
  /** How long the process may keep running after its result. */
  readonly resultGraceMs: number
}

/** What a process says: for those who listen to its call, and to us what has become of its MCP servers. */
export type ProcessMessage =
  | CallMessage
  | { readonly type: 'servers'; readonly servers: readonly ServerStatus[] }

/** Interprets the lines that a process prints. */
export interface OutputReader {
  /** The messages in the lines that arrived together. */
  read(lines: readonly string[]): readonly ProcessMessage[]
  /** What becomes of a record that is too long for a line, by its type. Default: the call fails. */
  longRecords?(type: string): LongRecord
  /** The bytes that count against the limit of the call. Default: all of them. */
  counted?(): number
  /** Whether the result has been read: the process should exit by itself now. */
  hasResult(): boolean
  /** The error of a call that cannot succeed and is killed at once; null to let it run. */
  hopeless?(): ClaudeExecutionError | null
}

/**
 * Starts the process of a call.
 *
 * @param onBegun Called on the first output, and when the process has ended.
 */
export async function runCall(
  plan: LaunchPlan,
  reader: OutputReader,
  signal: AbortSignal,
  context: CallRunOptions,
  onBegun: () => void,
): Promise<CallRun> {
  const { clock, idleMs, callTimeoutMs } = context
  const written = new AbortController()
  const timers = new Set<() => void>()
  let failure: ClaudeExecutionError | null = null
  let isStopping = false
  let isAnswered = false
  let activeAt = steadyTime(clock)
  /** Messages that the consumer has not taken. Their number has no limit: reading never waits for it. */
  const arrived: ProcessMessage[] = []
  let isOver = false
  let wake = () => {}
  let stop = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = () => {
      isStopping = true
      clearTimers()
      resolve()
    }
  })
  const after = (delayMs: number, fire: () => void) => void timers.add(clock.after(delayMs, fire))
  const clearTimers = () => {
    for (const cancel of timers) cancel()
    timers.clear()
  }

  const process = await startProcess(plan, context.table, { clock, signal })
  const fail = (error: ClaudeExecutionError) => {
    failure ??= error
    // A process in its grace period must not use it to fill the disk.
    if (isStopping && error instanceof OutputTooLargeError) process.kill()
    stop()
  }
  const limitSilence = (leftMs: number) =>
    after(leftMs, () => {
      const left = activeAt + idleMs - steadyTime(clock)
      if (left > 0) limitSilence(left)
      else fail(new CallStalledError({ said: `no output for ${idleMs} ms` }))
    })
  limitSilence(idleMs)
  if (callTimeoutMs !== null) {
    const said = `one call may take ${duration(callTimeoutMs)}, by callTimeoutMs of the runner`
    after(callTimeoutMs, () => fail(new CallTimeoutError({ said })))
  }
  // Read as it is written, even if the consumer is slow.
  const listening = followOutput(process.printed, plan.output, {
    clock,
    limits: context.limits,
    complete: written.signal,
    reader,
    fail,
    onOutput(lines) {
      activeAt = steadyTime(clock)
      onBegun()
      if (lines.length === 0) return
      for (const message of reader.read(lines)) arrived.push(message)
      wake()
      if (reader.hasResult()) {
        if (isAnswered || isStopping) return
        isAnswered = true
        clearTimers()
        after(context.resultGraceMs, stop)
        return
      }
      const hopeless = reader.hopeless?.() ?? null
      if (hopeless === null) return
      process.kill()
      fail(hopeless)
    },
  })
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()

  async function* messages() {
    while (true) {
      for (const message of arrived.splice(0)) yield message
      if (arrived.length > 0) continue
      if (isOver) return
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }

  const end = async (): Promise<RunEnd> => {
    try {
      await Promise.race([process.exit, stopped])
      if (process.identity !== null && !process.hasEnded()) {
        const graceMs = failure instanceof OutputTooLargeError ? 0 : context.graceMs
        await terminate(process.identity, { ...context, graceMs }, process.exit)
      }
      await sweepCall(plan.environment[CALL_MARKER] ?? '', context, process.identity)
      written.abort()
      await listening
      // A process that survives SIGKILL (the system hangs) must not hang us.
      const exit = process.hasEnded() ? await process.exit : UNENDED
      return { ...exit, failure }
    } catch (cause) {
      const crash = new CliCrashedError({ said: `its exit cannot be observed: ${cause}` }, { cause })
      return { ...UNENDED, failure: failure ?? crash }
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
      written.abort()
      onBegun()
      isOver = true
      wake()
    }
  }
  return { process, messages: messages(), over: end(), stop }
}

const UNENDED: ProcessExit = { exitCode: null, signal: 'SIGKILL', spawnError: null }

/**
 * Spawns the process in a session of its own, so that it survives us: a Ctrl-C in the terminal is ours to handle, and
 * a call that is being paid for should finish even if we are killed.
 */
async function startProcess(plan: LaunchPlan, table: ProcessTable, waiting: Waiting): Promise<CallProcess> {
  const output = await withDescriptors(() => openOutput(plan.home, plan.output))
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
    return { exitCode, signal, spawnError: child.pid === undefined ? codeOf(cause) || String(cause) : null }
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

interface OutputFollowing {
  readonly clock: Clock
  readonly limits: OutputLimits
  /** Aborts when no more output will be written. */
  readonly complete: AbortSignal
  readonly reader: OutputReader
  /** Called with the lines that were completed when anything was printed: none if it was half a line, or one to be skipped. */
  readonly onOutput: (lines: readonly string[]) => void
  /** Called when the output exceeds its limits or cannot be read. */
  readonly fail: (error: ClaudeExecutionError) => void
}

/** Resolves when all output has been read, or reading has failed. Never rejects. */
async function followOutput(
  printed: FileHandle,
  output: OutputFiles,
  { clock, limits, complete, reader, onOutput, fail }: OutputFollowing,
): Promise<void> {
  const { callBytes, diskBytes = OUTPUT_LIMITS.diskBytes } = limits
  const lines = lineSplitter(limits, reader.longRecords)
  let excess: OutputTooLargeError | null = null
  // It is not read, so the file itself is watched.
  const unwatch = limitSize(output.stderr, callBytes, () => {
    excess = outputTooLarge('the output', callBytes)
    fail(excess)
  })
  const take = (found: readonly string[]) => {
    if (excess !== null) throw excess
    onOutput(found)
    const counted = reader.counted ? lines.counted + reader.counted() : 0
    if (counted > callBytes) throw outputTooLarge('the output', callBytes)
  }
  const onChunk = (chunk: Uint8Array) => take(lines.push(chunk))
  try {
    const largest = reader.counted ? diskBytes : callBytes
    await followFile({ file: printed, path: output.stdout }, { clock, complete, largest, onChunk })
    take(lines.end())
  } catch (cause) {
    const isKnown = cause instanceof ClaudeExecutionError
    fail(isKnown ? cause : new CliCrashedError({ said: `its output cannot be read: ${cause}` }, { cause }))
  } finally {
    unwatch()
    await printed.close()
  }
}
