/** Runs calls with the `claude` command: one process for each. */
import { type Clock, systemClock } from '../clock.ts'
import { ClaudeExecutionError, StartupRefusedError } from '../events/call-errors.ts'
import { type Logger, silentLogger } from '../logger.ts'
import { failureOf, resultOf, stoppedError } from './call-ending.ts'
import type { LaunchPlan } from './call-process.ts'
import { type CallRun, type RunContext, runCall } from './call-run.ts'
import type { Environment } from './environment.ts'
import { launchPlan, writeSystemPrompt } from './launch-plan.ts'
import { OUTPUT_LIMITS, type OutputLimits } from './line-splitter.ts'
import { locateProgram, type Program } from './locate.ts'
import { systemProcessTable } from './process-table.ts'
import { recoverCall } from './recovery.ts'
import { type Redact, redactor, secretsOf } from './redact.ts'
import type { AgentRunner, Call, CallMessage } from './runner.ts'
import { type StreamFacts, streamParser } from './stream-parser.ts'
import { sweepBase } from './sweep.ts'
import { formatVersion } from './version.ts'
import { prepareDirectories, removeDirectories } from './workspace.ts'

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
      const plan = launchPlan(call, { program, inherited: process.env, added })
      const redact = redactor({
        secrets: secretsOf(plan.environment),
        prompts: [call.prompt, call.settings.systemPrompt],
      })
      if (signal.aborted) throw stoppedError(signal)
      logger.debug({ callId: call.callId, path: plan.path, arguments: plan.arguments }, 'starting claude')
      const parser = streamParser(redact)
      return { plan, redact, facts: parser.facts, run: await runCall(plan, parser, signal, context) }
    } catch (cause) {
      if (cause instanceof ClaudeExecutionError) throw cause
      throw new StartupRefusedError(
        { said: cause instanceof Error ? cause.message : String(cause) },
        { cause },
      )
    }
  }

  async function* start(
    call: Call,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<CallMessage> {
    if (signal.aborted) throw stoppedError(signal)
    const launched = await launch(call, signal)
    const { run, facts } = launched
    try {
      if (run.process.identity !== null) yield { type: 'process', ...run.process.identity }
      // Only now: whoever listens has written down what was started.
      run.process.send(call.prompt)
      yield* run.messages
      const end = await run.over
      logger.debug({ callId: call.callId, ...end, unknown: [...facts.unknown] }, 'claude ended')
      const error = await failureOf(end, { ...launched, signal })
      if (error) throw error
      if (facts.result === null) return
      const { result, isSessionKept } = await resultOf(call, facts.result, launched)
      // It says nothing when it cannot write there; the next call would not find its session.
      if (!isSessionKept)
        yield { type: 'warning', message: `claude kept no transcript of session ${call.sessionId}` }
      yield { type: 'result', result }
    } finally {
      // What it printed stays until the next call: we may be killed before anybody has written down how it ended.
      run.stop()
      await run.over
    }
  }

  return {
    start,
    recover: (call, { process: identity, signal }) =>
      recoverCall(call, { process: identity, signal }, context),
    sweep: (what) => sweepBase(what, context),
    prepare: prepareDirectories,
    discard: removeDirectories,
  }
}

interface Launched {
  readonly plan: LaunchPlan
  readonly redact: Redact
  readonly facts: StreamFacts
  readonly run: CallRun
}
