/** The life of one call: its process is started, listened to, ended when its time is up, and cleaned up after. */
import { type ClaudeExecutionError, CliCrashedError } from '../events/call-errors.ts'
import { type CallProcess, type Exit, type LaunchPlan, startProcess } from './call-process.ts'
import { CALL_MARKER } from './environment.ts'
import { followFile } from './file-follower.ts'
import { lineSplitter, type OutputLimits } from './line-splitter.ts'
import { messageQueue } from './message-queue.ts'
import type { CallMessage } from './runner.ts'
import type { StreamParser } from './stream-parser.ts'
import { sweepCall } from './sweep.ts'
import { type TerminationContext, terminate, within } from './termination.ts'

export interface CallRun {
  readonly process: CallProcess
  /** What it says, until it has ended. */
  readonly messages: AsyncIterable<CallMessage>
  /** Resolves when the process and all that it has started are gone. Never rejects. */
  readonly over: Promise<RunEnd>
  /** Ends it. */
  stop(): void
}

export interface RunEnd extends Exit {
  /** What we found wrong ourselves. */
  readonly failure: ClaudeExecutionError | null
}

export interface RunContext extends TerminationContext {
  readonly limits: OutputLimits
  /** How long the process may go on once it has given its result. */
  readonly resultGraceMs: number
}

/** Starts the process of a call and sees it through to its end. */
export async function runCall(
  plan: LaunchPlan,
  parser: StreamParser,
  signal: AbortSignal,
  context: RunContext,
): Promise<CallRun> {
  const { clock } = context
  const queue = messageQueue<CallMessage>()
  const lines = lineSplitter(context.limits)
  const stopping = new AbortController()
  const answered = new AbortController()
  const written = new AbortController()
  let failure: ClaudeExecutionError | null = null

  const read = (produce: () => string[]) => {
    if (failure !== null) return
    try {
      for (const line of produce()) queue.push(...parser.read(line))
    } catch (error) {
      failure = error as ClaudeExecutionError
      stopping.abort()
    }
    if (parser.facts.result !== null) answered.abort()
  }
  const stop = () => stopping.abort()

  const process = await startProcess(plan, context.table)
  // Read as it comes, without waiting for whoever listens.
  const reading = followFile(plan.output.stdout, {
    clock,
    complete: written.signal,
    hear: (chunk) => read(() => lines.push(chunk)),
  }).catch((cause: unknown) => {
    failure ??= new CliCrashedError({ said: `its output cannot be read: ${cause}` }, { cause })
    stop()
  })
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()

  const end = async (): Promise<RunEnd> => {
    await Promise.race([process.exit, aborted(stopping.signal), lingers()])
    if (process.identity !== null && !process.hasEnded()) {
      await terminate(process.identity, context, process.exit)
    }
    await sweepCall(plan.environment[CALL_MARKER] ?? '', context)
    written.abort()
    await reading
    read(() => lines.end())
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
      const crash = new CliCrashedError({ said: `its end cannot be seen: ${cause}` }, { cause })
      return { ...UNENDED, failure: failure ?? crash }
    })
    .finally(() => {
      signal.removeEventListener('abort', stop)
      written.abort()
      queue.end()
    })
  return { process, messages: queue, over, stop }
}

const UNENDED: Exit = { exitCode: null, signal: 'SIGKILL', spawnError: null }

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
