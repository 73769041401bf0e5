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
import {
  type CallRun,
  type CallRunOptions,
  type LaunchPlan,
  type OutputReader,
  type ProcessMessage,
  type RunEnd,
  runCall,
} from './call-run.ts'
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
  /** Removes what must not outlive the process. Never rejects. */
  forget?(): Promise<void>
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
  async function launch(
    callId: string,
    { plan, reader }: PreparedCall,
    signal: AbortSignal,
  ): Promise<CallRun> {
    // Only names: values may be secret. The prompt goes to stdin and is in no argument.
    const names = Object.keys(plan.environment).sort()
    logger.debug(
      { callId, path: plan.path, arguments: plan.arguments, environment: names },
      'starting a process',
    )
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

  /**
   * Waits for the end of the process, and never rejects. Its output is kept until the next call: we may be killed before the
   * outcome is recorded.
   */
  async function leave(run: CallRun, { plan, redact }: PreparedCall): Promise<void> {
    run.stop()
    const { failure } = await run.over
    const isTooLarge = failure !== null && failure instanceof OutputTooLargeError
    await tidyOutput(plan.output, { redact, isTooLarge })
  }

  /** Sends the input once the servers that the call requires have started. Throws McpServerError. */
  async function* withServers(
    { process, messages }: CallRun,
    input: string,
    { question, required }: ServerCheck,
  ): AsyncGenerator<ProcessMessage> {
    let stopAsking = () => {}
    process.write(question)
    try {
      for await (const message of messages) {
        yield message
        if (message.type !== 'servers') continue
        const { failed, isStarting } = serversAmong(required, message.servers)
        if (failed !== undefined) throw new McpServerError({ said: failed })
        if (isStarting) stopAsking = clock.after(SERVER_POLL_MS, () => process.write(question))
        else process.send(input)
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
      const { callId } = call
      let release = () => {}
      let prepared: PreparedCall | undefined
      let run: CallRun | undefined
      try {
        release = await processes.acquire(signal)
        prepared = await prepare(call, signal)
        const { input, check, caution, conclude } = prepared
        const startedAt = clock.now()
        run = await launch(callId, prepared, signal)
        if (run.process.identity !== null) {
          yield { type: 'process', ...run.process.identity }
          const warning = caution?.() ?? null
          if (warning !== null) yield warned(call, warning)
        }
        // Not before: the consumer has recorded the process by the time it asks for the next message.
        if (!check) run.process.send(input)
        for await (const message of check ? withServers(run, input, check) : run.messages)
          if (message.type !== 'servers') yield message
        const end = await run.over
        logger.debug({ callId, ...end, durationMs: clock.now() - startedAt }, 'the process ended')
        const { messages, error } = await conclude(end)
        for (const message of messages)
          yield message.type === 'warning' ? warned(call, message.message) : message
        if (error) throw error
      } catch (cause) {
        throw callError(cause, call, signal)
      } finally {
        if (prepared && run) await leave(run, prepared)
        await prepared?.forget?.()
        release()
      }
    },
  }
}

/** Whatever was thrown as the error of the call. */
function callError(cause: unknown, { directories }: Call, signal: AbortSignal): ClaudeExecutionError {
  if (cause instanceof ClaudeExecutionError) return cause
  if (signal.aborted) return stoppedError(signal)
  if (isDiskFull(cause)) return new DiskFullError({ said: directories.home }, { cause })
  const said = cause instanceof Error ? cause.message : String(cause)
  return new StartupRefusedError({ said }, { cause })
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

  const turn = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const settle = (then: () => void) => {
        waiting.delete(enter)
        signal.removeEventListener('abort', leave)
        then()
      }
      const enter = () => settle(resolve)
      const leave = () => settle(() => reject(signal.reason))
      waiting.add(enter)
      signal.addEventListener('abort', leave)
    })

  return {
    async acquire(signal) {
      signal.throwIfAborted()
      if (free > 0) free -= 1
      else await turn(signal)
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        // It goes straight to the longest waiter, so that a newcomer cannot overtake it.
        const [next] = waiting
        if (next) next()
        else free += 1
      }
    },
  }
}
