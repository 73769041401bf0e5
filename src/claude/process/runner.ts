/** Runs each call as one process: lets it in, starts it, sees it through, and leaves nothing behind. */
import { availableParallelism } from 'node:os'
import { type Clock, pause, systemClock } from '../../clock.ts'
import { ClaudeExecutionError, OutputTooLargeError, StartupRefusedError } from '../../events/errors/call.ts'
import type { Redact } from '../../events/redaction.ts'
import { type Logger, silentLogger } from '../../logger.ts'
import type { InputOptions } from '../../workspaces/directory-work.ts'
import type { Environment } from '../environment.ts'
import type { Call, CallMessage } from '../runner.ts'
import { OUTPUT_LIMITS, type OutputLimits } from '../stream/line-splitter.ts'
import { stoppedError } from './call-ending.ts'
import { tidyOutput } from './call-output.ts'
import type { LaunchPlan } from './call-process.ts'
import { type CallRun, type CallRunOptions, type OutputReader, type RunEnd, runCall } from './call-run.ts'
import { semaphore } from './semaphore.ts'
import { systemProcessTable } from './table.ts'

/** What bounds the processes of a runner. */
export interface ProcessOptions {
  /** Added to the environment of every call. */
  readonly environment?: Environment
  readonly clock?: Clock
  readonly logger?: Logger
  /** How much a call may print. */
  readonly limits?: OutputLimits
  /** Milliseconds that a process has for ending by itself, before it is killed; 5,000 unless told. */
  readonly graceMs?: number
  /** How tasks' files, folders and repositories are placed. */
  readonly inputs?: InputOptions
  /** How many processes there may be at once; further calls wait. Four for each core and at least 8, unless told. */
  readonly maxProcesses?: number
  /** Milliseconds without a line after which a call is given up; 11 minutes unless told. */
  readonly idleMs?: number
  /** Milliseconds that one call may take; unless told, as many as its task has left. */
  readonly callTimeoutMs?: number
}

/** A call that is ready to be started, and what its end means. */
export interface PreparedCall {
  readonly plan: LaunchPlan
  readonly reader: OutputReader
  readonly redact: Redact
  /** What goes to its stdin. */
  readonly input: string
  /** What is to be said last, the result included. Throws the error of a call that was not answered. */
  conclude(end: RunEnd): Promise<readonly CallMessage[]>
}

export interface ProcessRunner {
  readonly context: CallRunOptions
  readonly logger: Logger
  readonly maxProcesses: number
  start(call: Call, options: { readonly signal: AbortSignal }): AsyncGenerator<CallMessage>
}

const GRACE_MS = 5_000

/** A minute more than the longest that the CLI lets a command of its Bash tool run, during which nothing is printed. */
const IDLE_MS = 11 * 60_000

/** A process that says nothing stops being one that starts: it must not hold up all others for ever. */
const STARTS_WITHIN_MS = 30_000

/** A waiting call costs 240 MB and no processor: more of them than cores, but not one for each of 100 agents. */
const manyProcesses = () => Math.max(8, 4 * availableParallelism())

/**
 * @param prepare Makes a call ready; what it throws is the call's error.
 * @param maxStarts How many processes may be starting at once.
 */
export function processRunner(
  options: ProcessOptions,
  prepare: (call: Call, signal: AbortSignal) => Promise<PreparedCall>,
  maxStarts = Number.POSITIVE_INFINITY,
): ProcessRunner {
  const { clock = systemClock, logger = silentLogger, graceMs = GRACE_MS } = options
  const context: CallRunOptions = {
    table: systemProcessTable,
    clock,
    limits: options.limits ?? OUTPUT_LIMITS,
    graceMs,
    resultGraceMs: graceMs,
    idleMs: options.idleMs ?? IDLE_MS,
    callTimeoutMs: options.callTimeoutMs ?? null,
  }
  const maxProcesses = options.maxProcesses ?? manyProcesses()
  const processes = semaphore(maxProcesses)
  const starts = semaphore(maxStarts)

  /** Starts the process; others may start when it has begun to speak, or was given long enough. */
  async function launch({ plan, reader }: PreparedCall, signal: AbortSignal): Promise<CallRun> {
    const started = await starts.acquire(signal)
    try {
      const run = await runCall(plan, reader, signal, context)
      const waited = new AbortController()
      void Promise.race([run.begun, pause(clock, STARTS_WITHIN_MS, waited.signal)]).then(() => {
        waited.abort()
        started()
      })
      return run
    } catch (error) {
      started()
      throw error
    }
  }

  async function* perform(call: Call, signal: AbortSignal): AsyncGenerator<CallMessage> {
    const prepared = await prepare(call, signal)
    const { path, arguments: given, environment } = prepared.plan
    const begunAt = clock.now()
    // The names alone: values may be secret. The prompt goes to stdin, and is in no argument.
    const names = Object.keys(environment).sort()
    logger.debug({ callId: call.callId, path, arguments: given, environment: names }, 'starting a process')
    const run = await launch(prepared, signal)
    try {
      if (run.process.identity !== null) yield { type: 'process', ...run.process.identity }
      // Only now: whoever listens has written down what was started.
      run.process.send(prepared.input)
      yield* run.messages
      const end = await run.over
      logger.debug({ callId: call.callId, ...end, durationMs: clock.now() - begunAt }, 'the process ended')
      for (const message of await prepared.conclude(end)) {
        if (message.type === 'warning') logger.warn({ callId: call.callId }, message.message)
        yield message
      }
    } finally {
      // What it printed stays until the next call: we may be killed before anybody has written down how it ended.
      run.stop()
      const { failure } = await run.over
      const isTooLarge = failure instanceof OutputTooLargeError
      await tidyOutput(prepared.plan.output, { redact: prepared.redact, isTooLarge })
    }
  }

  return {
    context,
    logger,
    maxProcesses,
    async *start(call, { signal }) {
      let leave = () => {}
      try {
        leave = await processes.acquire(signal)
        yield* perform(call, signal)
      } catch (cause) {
        if (cause instanceof ClaudeExecutionError) throw cause
        if (signal.aborted) throw stoppedError(signal)
        const said = cause instanceof Error ? cause.message : String(cause)
        throw new StartupRefusedError({ said }, { cause })
      } finally {
        leave()
      }
    },
  }
}
