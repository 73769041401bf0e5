/** Runs one call's process from start to end: follows its output, enforces its limits, and reaps what it leaves. */
import type { FileHandle } from 'node:fs/promises'
import { type Clock, steadyTime } from '../../clock.ts'
import {
  CallStalledError,
  CallTimeoutError,
  ClaudeExecutionError,
  CliCrashedError,
  OutputTooLargeError,
} from '../../events/errors/call.ts'
import { duration } from '../../events/figures.ts'
import type { ServerStatus } from '../../events/options/servers.ts'
import { CALL_MARKER } from '../environment.ts'
import type { CallMessage } from '../runner.ts'
import { followFile, limitSize } from '../stream/file-follower.ts'
import {
  type LongRecord,
  lineSplitter,
  OUTPUT_LIMITS,
  type OutputLimits,
  outputTooLarge,
} from '../stream/line-splitter.ts'
import type { OutputFiles } from './call-output.ts'
import { type CallProcess, type LaunchPlan, type ProcessExit, startProcess } from './launch.ts'
import { sweepCall, type TerminationContext, terminate } from './termination.ts'

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
  const queue = messageQueue<ProcessMessage>()
  const written = new AbortController()
  const timers = new Set<() => void>()
  let failure: ClaudeExecutionError | null = null
  let isStopping = false
  let isAnswered = false
  let activeAt = steadyTime(clock)
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
    onOutput() {
      activeAt = steadyTime(clock)
      onBegun()
    },
    onLines(lines) {
      queue.push(reader.read(lines))
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

  const end = async (): Promise<RunEnd> => {
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
  }

  const over = end()
    .catch((cause: unknown) => {
      const crash = new CliCrashedError({ said: `its exit cannot be observed: ${cause}` }, { cause })
      return { ...UNENDED, failure: failure ?? crash }
    })
    .finally(() => {
      signal.removeEventListener('abort', stop)
      stop()
      written.abort()
      onBegun()
      queue.end()
    })
  return { process, messages: queue, over, stop }
}

const UNENDED: ProcessExit = { exitCode: null, signal: 'SIGKILL', spawnError: null }

interface OutputFollowing {
  readonly clock: Clock
  readonly limits: OutputLimits
  /** Aborts when no more output will be written. */
  readonly complete: AbortSignal
  readonly reader: OutputReader
  /** Called when anything was printed, even if it is half a line or one to be skipped. */
  readonly onOutput: () => void
  readonly onLines: (lines: readonly string[]) => void
  /** Called when the output exceeds its limits or cannot be read. */
  readonly fail: (error: ClaudeExecutionError) => void
}

/** Resolves when all output has been read, or reading has failed. Never rejects. */
async function followOutput(
  printed: FileHandle,
  output: OutputFiles,
  { clock, limits, complete, reader, onOutput, onLines, fail }: OutputFollowing,
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
    if (found.length > 0) onLines(found)
    const counted = reader.counted ? lines.counted + reader.counted() : 0
    if (counted > callBytes) throw outputTooLarge('the output', callBytes)
  }
  const onChunk = (chunk: Uint8Array) => {
    onOutput()
    take(lines.push(chunk))
  }
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

/** An unbounded queue between one producer and one consumer: pushing never waits. */
interface MessageQueue<T> extends AsyncIterable<T> {
  push(items: readonly T[]): void
  /** Ends the queue. Items already queued are still delivered. */
  end(): void
}

function messageQueue<T>(): MessageQueue<T> {
  const items: T[] = []
  let isEnded = false
  let wake = () => {}

  return {
    push(added) {
      if (isEnded) return
      for (const item of added) items.push(item)
      wake()
    },
    end() {
      isEnded = true
      wake()
    },
    async *[Symbol.asyncIterator]() {
      while (true) {
        const taken = items.splice(0)
        yield* taken
        if (items.length > 0) continue
        if (isEnded) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
