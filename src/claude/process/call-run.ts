/** The life of one call: its process is started, listened to, ended when its time is up, and cleaned up after. */
import { type ClaudeExecutionError, CliCrashedError, OutputTooLargeError } from '../../events/errors/call.ts'
import { CALL_MARKER } from '../environment.ts'
import type { CallMessage } from '../runner.ts'
import type { OutputLimits } from '../stream/line-splitter.ts'
import { listen } from './call-listening.ts'
import { type CallProcess, type LaunchPlan, type ProcessExit, startProcess } from './call-process.ts'
import { type TimeLimits, watchCall } from './call-watch.ts'
import { messageQueue } from './message-queue.ts'
import { sweepCall } from './sweep.ts'
import { type TerminationContext, terminate, within } from './termination.ts'

export interface CallRun {
  readonly process: CallProcess
  /** What it says, until it has ended. */
  readonly messages: AsyncIterable<CallMessage>
  /** Resolves when it has said something, or has ended. */
  readonly begun: Promise<void>
  /** Resolves when the process and all that it has started are gone. Never rejects. */
  readonly over: Promise<RunEnd>
  /** Ends it. */
  stop(): void
}

export interface RunEnd extends ProcessExit {
  /** What we found wrong ourselves. */
  readonly failure: ClaudeExecutionError | null
}

export interface CallRunOptions extends TerminationContext, TimeLimits {
  readonly limits: OutputLimits
  /** How long the process may go on once it has given its result. */
  readonly resultGraceMs: number
}

/** What understands the lines that a process prints. */
export interface OutputReader {
  read(line: string): CallMessage[]
  /** Whether it has said all that a call needs: then it should end. */
  hasResult(): boolean
  /** Why it is not worth going on: then it is killed at once, as it has begun nothing. null: it is. */
  hopeless?(): ClaudeExecutionError | null
}

/** Starts the process of a call and sees it through to its end. */
export async function runCall(
  plan: LaunchPlan,
  reader: OutputReader,
  signal: AbortSignal,
  context: CallRunOptions,
): Promise<CallRun> {
  const { clock } = context
  const queue = messageQueue<CallMessage>()
  const begun = new AbortController()
  const answered = new AbortController()
  const stopping = new AbortController()
  const written = new AbortController()
  let failure: ClaudeExecutionError | null = null

  const stop = () => stopping.abort()
  const process = await startProcess(plan, context.table)
  const fail = (error: ClaudeExecutionError) => {
    failure ??= error
    // One that is being given time to end must not use it to fill the disk.
    if (stopping.signal.aborted && error instanceof OutputTooLargeError) process.kill()
    stop()
  }
  const watch = watchCall(context, clock, AbortSignal.any([stopping.signal, answered.signal]), fail)
  // Read as it comes, without waiting for whoever listens.
  const listening = listen(plan.output, {
    clock,
    limits: context.limits,
    complete: written.signal,
    fail,
    hear(lines) {
      watch.heard()
      begun.abort()
      for (const line of lines) queue.push(...reader.read(line))
      if (reader.hasResult()) answered.abort()
      const hopeless = reader.hopeless?.() ?? null
      if (hopeless === null || reader.hasResult()) return
      process.kill()
      fail(hopeless)
    },
  })
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()

  const end = async (): Promise<RunEnd> => {
    await Promise.race([process.exit, aborted(stopping.signal), lingers()])
    if (process.identity !== null && !process.hasEnded()) {
      const graceMs = failure instanceof OutputTooLargeError ? 0 : context.graceMs
      await terminate(process.identity, { ...context, graceMs }, process.exit)
    }
    await sweepCall(plan.environment[CALL_MARKER] ?? '', context)
    written.abort()
    await listening
    // A process that even SIGKILL does not end (the system hangs) must not hang us.
    const exit = process.hasEnded() ? await process.exit : UNENDED
    return { ...exit, failure }
  }
  /** Resolves when it has given its result and does not end. */
  const lingers = async () => {
    await aborted(answered.signal)
    await within(clock, context.resultGraceMs, process.exit)
  }

  const over = end()
    .catch((cause: unknown) => {
      const crash = new CliCrashedError({ said: `its exit cannot be observed: ${cause}` }, { cause })
      return { ...UNENDED, failure: failure ?? crash }
    })
    .finally(() => {
      signal.removeEventListener('abort', stop)
      for (const controller of [written, begun, stopping]) controller.abort()
      queue.end()
    })
  return { process, messages: queue, begun: aborted(begun.signal), over, stop }
}

const UNENDED: ProcessExit = { exitCode: null, signal: 'SIGKILL', spawnError: null }

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
