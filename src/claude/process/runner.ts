/** Runs each call as one process: waits for a slot, spawns it, reports its messages, and cleans up. */

import { availableParallelism } from 'node:os'
import { type Clock, systemClock } from '../../clock.ts'
import {
  ClaudeExecutionError,
  DiskFullError,
  McpServerError,
  OutputTooLargeError,
  StartupRefusedError,
} from '../../events/errors/call.ts'
import { isDiskFull } from '../../events/errors/phrases.ts'
import type { ServerStatus } from '../../events/options/servers.ts'
import type { Redact } from '../../events/secrets/redaction.ts'
import { hostLogger, type Logger } from '../../logger.ts'
import type { InputOptions } from '../../workspaces/operations.ts'
import type { Environment } from '../environment.ts'
import type { Call, CallMessage } from '../runner.ts'
import { OUTPUT_LIMITS, type OutputLimits } from '../stream/line-splitter.ts'
import { stoppedError } from './call-ending.ts'
import { tidyOutput } from './call-output.ts'
import { type CallRun, type CallRunOptions, type OutputReader, type RunEnd, runCall } from './call-run.ts'
import type { LaunchPlan } from './launch.ts'
import { systemProcessTable } from './table.ts'

/** What limits a runner's processes. */
export interface ProcessOptions {
  /** Added to the environment of every call. */
  readonly environment?: Environment
  readonly clock?: Clock
  readonly logger?: Logger
  /** How much a call may print. */
  readonly limits?: OutputLimits
  /** Milliseconds between SIGTERM and SIGKILL. Default: 5,000. */
  readonly graceMs?: number
  /** How files, folders and repositories of tasks are placed. */
  readonly inputs?: InputOptions
  /** How many processes may run at once; further calls wait. Default: four per core, but at least 8. */
  readonly maxProcesses?: number
  /** Milliseconds without a line of output before a call is terminated. Default: 11 minutes. */
  readonly idleMs?: number
  /** Milliseconds that one call may take. Default: whatever its task has left. */
  readonly callTimeoutMs?: number
}

/** A call that is ready to be spawned, and how to interpret its end. */
export interface PreparedCall {
  readonly plan: LaunchPlan
  readonly reader: OutputReader
  readonly redact: Redact
  /** What is written to stdin. */
  readonly input: string
  /** What is asked before that; null: nothing. */
  readonly check?: ServerCheck | null
  /** What its agent is warned of as soon as the process runs; null: nothing. */
  caution?(): string | null
  conclude(end: RunEnd): Promise<Conclusion>
}

/** Whether the MCP servers that a call requires have started: without them, nothing is sent. */
export interface ServerCheck {
  /** What asks for it, as often as some are still starting. */
  readonly question: string
  readonly required: readonly string[]
}

/** How a call ended. */
export interface Conclusion {
  /** Its last messages: the result, or what it has cost without one. */
  readonly messages: readonly CallMessage[]
  /** Why it was not answered. */
  readonly error?: ClaudeExecutionError
}

export interface ProcessRunner {
  readonly context: CallRunOptions
  readonly logger: Logger
  readonly maxProcesses: number
  start(call: Call, options: { readonly signal: AbortSignal }): AsyncGenerator<CallMessage>
}

const GRACE_MS = 5_000

/** One minute more than the longest silent command that the CLI's Bash tool allows. */
const IDLE_MS = 11 * 60_000

/** A silent process gives up its start slot after this time, so that it does not block the others. */
const START_SLOT_TIMEOUT_MS = 30_000

/** A waiting call costs 240 MB and no CPU: allow more calls than cores, but not one for each of 100 agents. */
const defaultMaxProcesses = () => Math.max(8, 4 * availableParallelism())

/**
 * @param prepare Readies a call; what it throws is the call's error.
 * @param maxStarts How many processes may be starting at once.
 */
export function processRunner(
  options: ProcessOptions,
  prepare: (call: Call, signal: AbortSignal) => Promise<PreparedCall>,
  maxStarts = Number.POSITIVE_INFINITY,
): ProcessRunner {
  const { clock = systemClock, graceMs = GRACE_MS } = options
  const logger = hostLogger(options.logger)
  const context: CallRunOptions = {
    table: systemProcessTable,
    clock,
    limits: options.limits ?? OUTPUT_LIMITS,
    graceMs,
    resultGraceMs: graceMs,
    idleMs: options.idleMs ?? IDLE_MS,
    callTimeoutMs: options.callTimeoutMs ?? null,
  }
  const maxProcesses = options.maxProcesses ?? defaultMaxProcesses()
  const processes = semaphore(maxProcesses)
  const starts = semaphore(maxStarts)

  /** Spawns the process. Its start slot is released on its first output, or after a timeout. */
  async function launch({ plan, reader }: PreparedCall, signal: AbortSignal): Promise<CallRun> {
    const releaseSlot = await starts.acquire(signal)
    const cancel = clock.after(START_SLOT_TIMEOUT_MS, releaseSlot)
    const begun = () => {
      cancel()
      releaseSlot()
    }
    try {
      return await runCall(plan, reader, signal, context, begun)
    } catch (error) {
      begun()
      throw error
    }
  }

  async function* perform(call: Call, signal: AbortSignal): AsyncGenerator<CallMessage> {
    const prepared = await prepare(call, signal)
    const { path, arguments: given, environment } = prepared.plan
    const startedAt = clock.now()
    // Only names: values may be secret. The prompt goes to stdin and is in no argument.
    const names = Object.keys(environment).sort()
    logger.debug({ callId: call.callId, path, arguments: given, environment: names }, 'starting a process')
    const run = await launch(prepared, signal)
    try {
      if (run.process.identity !== null) {
        yield { type: 'process', ...run.process.identity }
        const caution = prepared.caution?.() ?? null
        if (caution !== null) yield warned(call, caution)
      }
      // Not before: the consumer has recorded the process by the time it asks for the next message.
      yield* messagesOf(run, prepared)
      const end = await run.over
      logger.debug({ callId: call.callId, ...end, durationMs: clock.now() - startedAt }, 'the process ended')
      const { messages, error } = await prepared.conclude(end)
      for (const message of messages)
        yield message.type === 'warning' ? warned(call, message.message) : message
      if (error) throw error
    } finally {
      // The output is kept until the next call: we may be killed before the outcome is recorded.
      run.stop()
      const { failure } = await run.over
      const isTooLarge = failure !== null && failure instanceof OutputTooLargeError
      await tidyOutput(prepared.plan.output, { redact: prepared.redact, isTooLarge })
    }
  }

  /** Sends the input, once the servers that the call requires have started. Throws McpServerError. */
  async function* messagesOf(run: CallRun, { check, input }: PreparedCall): AsyncGenerator<CallMessage> {
    let stopAsking = () => {}
    if (check) run.process.write(check.question)
    else run.process.send(input)
    try {
      for await (const message of run.messages) {
        if (message.type !== 'servers') yield message
        else if (check) {
          const { failed, isStarting } = serversAmong(check.required, message.servers)
          if (failed !== undefined) throw new McpServerError({ said: failed })
          if (isStarting) stopAsking = clock.after(SERVER_POLL_MS, () => run.process.write(check.question))
          else run.process.send(input)
        }
      }
    } finally {
      stopAsking()
    }
  }

  /** A warning that is also logged. */
  function warned({ agent, callId }: Call, message: string): CallMessage {
    logger.warn({ agent, callId }, message)
    return { type: 'warning', message }
  }

  return {
    context,
    logger,
    maxProcesses,
    async *start(call, { signal }) {
      let release = () => {}
      try {
        release = await processes.acquire(signal)
        yield* perform(call, signal)
      } catch (cause) {
        if (cause instanceof ClaudeExecutionError) throw cause
        if (signal.aborted) throw stoppedError(signal)
        if (isDiskFull(cause)) throw new DiskFullError({ said: call.directories.home }, { cause })
        const said = cause instanceof Error ? cause.message : String(cause)
        throw new StartupRefusedError({ said }, { cause })
      } finally {
        release()
      }
    },
  }
}

/** How long after one answer the CLI is asked again for servers that are starting. */
const SERVER_POLL_MS = 100

/** In words, what failed of the servers; and whether some are still starting. */
function serversAmong(required: readonly string[], servers: readonly ServerStatus[]) {
  const states = required.map((name) => ({
    name,
    status: servers.find((server) => server.name === name)?.status ?? 'unknown',
  }))
  const failed = states.find(({ status }) => status !== 'connected' && status !== 'pending')
  return {
    failed: failed && `${failed.name} is ${failed.status}`,
    isStarting: states.some(({ status }) => status === 'pending'),
  }
}

/** Limits concurrency: first come, first served. */
export interface Semaphore {
  /**
   * Waits for a slot. Resolves to its release function, which may be called more than once; rejects with the signal's
   * reason if that aborts first.
   */
  acquire(signal: AbortSignal): Promise<() => void>
}

export function semaphore(slots: number): Semaphore {
  let free = slots
  const waiting = new Set<() => void>()

  /** A freed slot goes straight to the longest waiter, so that a newcomer cannot overtake it. */
  const release = () => {
    const [next] = waiting
    if (next) next()
    else free += 1
  }
  const slot = () => {
    let isHeld = true
    return () => {
      if (isHeld) release()
      isHeld = false
    }
  }

  return {
    acquire: (signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        if (free > 0) {
          free -= 1
          return resolve(slot())
        }
        const settle = (then: () => void) => {
          waiting.delete(enter)
          signal.removeEventListener('abort', leave)
          then()
        }
        const enter = () => settle(() => resolve(slot()))
        const leave = () => settle(() => reject(signal.reason))
        waiting.add(enter)
        signal.addEventListener('abort', leave)
      }),
  }
}
