/** Runs calls with the `claude` command: one process for each. */
import { existsSync } from 'node:fs'
import { type Clock, systemClock } from '../clock.ts'
import {
  CallCancelledError,
  CallTimeoutError,
  ClaudeExecutionError,
  StartupRefusedError,
} from '../events/call-errors.ts'
import { type Logger, silentLogger } from '../logger.ts'
import type { LaunchPlan } from './call-process.ts'
import { type CallRun, type RunContext, type RunEnd, runCall } from './call-run.ts'
import { classify } from './classification.ts'
import type { Environment } from './environment.ts'
import { launchPlan, writeSystemPrompt } from './launch-plan.ts'
import { OUTPUT_LIMITS, type OutputLimits } from './line-splitter.ts'
import { locateProgram, type Program } from './locate.ts'
import { systemProcessTable } from './process-table.ts'
import { recoverCall } from './recovery.ts'
import { type Redact, redactor, secretsOf } from './redact.ts'
import { callResult, endingOf } from './result-record.ts'
import type { AgentRunner, Call, CallMessage } from './runner.ts'
import { type StreamFacts, type StreamParser, streamParser } from './stream-parser.ts'
import { sweepBase } from './sweep.ts'
import { costState } from './transcript-reading.ts'
import { readTranscript } from './transcripts.ts'
import { formatVersion } from './version.ts'
import { prepareDirectories } from './workspace.ts'

export interface ClaudeCliOptions {
  /** The `claude` command to use. Unless told: CLAUDE_AGENTS_CLAUDE_PATH, the PATH, an installed package. */
  readonly path?: string
  /** Added to the environment of every call. A login in it replaces the user's own as a whole. */
  readonly environment?: Environment
  readonly clock?: Clock
  readonly logger?: Logger
  /** How much a call may print. */
  readonly limits?: OutputLimits
  /** Milliseconds that a process has for ending by itself, before it is killed; 5,000 unless told. */
  readonly graceMs?: number
}

const GRACE_MS = 5_000
const OUTPUT_GRACE_MS = 1_000

/**
 * A runner that starts the `claude` command once for each call.
 *
 * @example
 * for await (const message of claudeCli().start(call, { signal })) {
 *   if (message.type === 'text') process.stdout.write(message.text)
 * }
 */
export function claudeCli(options: ClaudeCliOptions = {}): AgentRunner {
  const { environment: added = {}, logger = silentLogger, graceMs = GRACE_MS } = options
  const context: RunContext = {
    table: systemProcessTable,
    clock: options.clock ?? systemClock,
    limits: options.limits ?? OUTPUT_LIMITS,
    graceMs,
    resultGraceMs: graceMs,
    outputGraceMs: OUTPUT_GRACE_MS,
  }

  let located: Promise<Program> | null = null
  /** Looked for once; a failure is not kept, so that an installation is found without a restart. */
  const locate = (): Promise<Program> => {
    located ??= locateProgram({ path: options.path, environment: process.env }).then(
      (program) => {
        logger.debug({ path: program.path, version: formatVersion(program.version) }, 'found claude')
        return program
      },
      (error: unknown) => {
        located = null
        throw error
      },
    )
    return located
  }

  /** Everything up to the running process. A limit on starts at the same time belongs around `runCall`. */
  async function launch(call: Call, signal: AbortSignal): Promise<Launched> {
    const program = await locate()
    try {
      await prepareDirectories(call.directories)
      await writeSystemPrompt(call)
    } catch (cause) {
      throw new StartupRefusedError({ said: (cause as Error).message }, { cause })
    }
    const plan = launchPlan(call, { program, inherited: process.env, added })
    const redact = redactor({
      secrets: secretsOf(plan.environment),
      prompts: [call.prompt, call.settings.systemPrompt],
    })
    if (signal.aborted) throw stoppedError(signal)
    logger.debug({ callId: call.callId, path: plan.path, arguments: plan.arguments }, 'starting claude')
    const parser = streamParser(redact)
    return { plan, redact, parser, run: await runCall(plan, parser, signal, context) }
  }

  async function* start(
    call: Call,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<CallMessage> {
    if (signal.aborted) throw stoppedError(signal)
    const launched = await launch(call, signal)
    const { run, parser } = launched
    try {
      if (run.process.identity !== null) yield { type: 'process', ...run.process.identity }
      // Only now: whoever listens has written down what was started.
      run.process.send(call.prompt)
      yield* run.messages
      const end = await run.over
      logger.debug({ callId: call.callId, ...end, unknown: [...parser.facts.unknown] }, 'claude ended')
      const error = failureOf(end, launched, signal)
      if (error) throw error
      yield* resultMessages(call, parser.facts, launched.redact)
    } finally {
      run.stop()
      await run.over
    }
  }

  return {
    start,
    recover: (call, { process: identity, signal }) =>
      recoverCall(call, { process: identity, signal }, context),
    sweep: (what) => sweepBase(what, context),
  }
}

interface Launched {
  readonly plan: LaunchPlan
  readonly redact: Redact
  readonly parser: StreamParser
  readonly run: CallRun
}

function failureOf(
  end: RunEnd,
  { plan, parser, redact, run }: Launched,
  signal: AbortSignal,
): ClaudeExecutionError | null {
  const { facts } = parser
  const stopped = signal.aborted ? stoppedError(signal) : null
  const error = classify(
    {
      ...end,
      workspaceExists: existsSync(plan.directory),
      stopped: stopped === null ? null : stopped instanceof CallTimeoutError ? 'timeout' : 'cancelled',
      stderr: run.process.stderr(),
      ending: facts.result === null ? null : endingOf(facts.result),
      assistantError: facts.assistantError,
      endsUnreadable: facts.endsUnreadable,
      formRequested: false,
    },
    redact,
  )
  if (error === null) return null
  return (
    end.failure ??
    (error instanceof CallTimeoutError || error instanceof CallCancelledError ? stopped : null) ??
    error
  )
}

/** The owner may say by the reason of the abort which error it is; AbortSignal.timeout() says that it is a timeout. */
function stoppedError(signal: AbortSignal): ClaudeExecutionError {
  const reason: unknown = signal.reason
  if (reason instanceof ClaudeExecutionError) return reason
  const isTimeout = reason instanceof Error && reason.name === 'TimeoutError'
  return isTimeout
    ? new CallTimeoutError({}, { cause: reason })
    : new CallCancelledError({}, { cause: reason })
}

async function* resultMessages(call: Call, facts: StreamFacts, redact: Redact): AsyncGenerator<CallMessage> {
  if (facts.result === null) return
  const { home } = call.directories
  const own = await readTranscript(home, call.sessionId)
  if (own === null) {
    // It says nothing when it cannot write there; the next call would not find its session.
    yield { type: 'warning', message: `claude kept no transcript of session ${call.sessionId} in ${home}` }
  }
  const parent = call.parentSessionId === null ? null : await readTranscript(home, call.parentSessionId)
  // Versions that write a cost state count the whole chain in `total_cost_usd`; the others count this call.
  const countsChain = own !== null && costState(own) !== null
  const costBefore = countsChain && parent !== null ? (costState(parent) ?? 0) : 0
  yield { type: 'result', result: callResult(facts.result, facts, { costBefore, redact }) }
}
