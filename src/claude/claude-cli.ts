/**
 * Runs each call as one process of the `claude` command.
 *
 * C1. Nothing is sent before the process is durable in the log: the prompt follows the `process` message.
 * C2. When the iteration of a call ends, its process and everything it started are gone.
 * C3. A call forks its parent session and never changes it: a retry starts where the first attempt did.
 * C4. A call inherits only what is on an allowlist. No key or prompt is on a command line, in an error, or in a log line.
 * C5. Output goes to files that outlive us: an answer that was paid for is found after a crash.
 */
import { availableParallelism } from 'node:os'
import { defined } from '../events/json.ts'
import { type Concealment, concealment } from '../events/secrets/concealment.ts'
import { redactor, secretsOf } from '../events/secrets/redaction.ts'
import { prepareDirectories } from '../workspaces/lifecycle.ts'
import { directoryOperations } from '../workspaces/operations.ts'
import { cautionFor } from './cautions.ts'
import { hopeless } from './classification.ts'
import { clearTemporaryFiles, launchPlan, removeServerFiles, writeCallFiles } from './launch-plan.ts'
import { accountOf } from './login.ts'
import { continuesItself, withContinuations } from './paused-turn.ts'
import { callFailure, costSoFar, deferredIn, resultOf, spendingOf } from './process/call-ending.ts'
import { callProcesses } from './process/list.ts'
import { type PreparedCall, type ProcessOptions, processRunner } from './process/runner.ts'
import { sweepBase } from './process/termination.ts'
import { formatVersion, programLocator } from './program.ts'
import { recoverCall } from './recovery.ts'
import type { AgentRunner, Call } from './runner.ts'
import { leftSecrets } from './servers.ts'
import { adoptSession, takeSession } from './session/adoption.ts'
import { branchSession } from './session/branch.ts'
import { concealFiles } from './session/concealed.ts'
import { homeOperations } from './session/home-texts.ts'
import { pruneTranscripts, Sessions } from './session/sessions.ts'
import { longRecord, streamParser } from './stream/parser.ts'

/** Options of `claudeCli`. */
export interface ClaudeCliOptions extends ProcessOptions {
  /** The `claude` command. Default: CLAUDE_AGENTS_CLAUDE_PATH, then the PATH, then an installed package. */
  readonly path?: string
  /**
   * How many processes may be starting at once. Default: one per core. A start takes a second of one core: on two
   * cores, twelve at once took over 30 s to reach their first request.
   */
  readonly maxStarts?: number
  /**
   * Whether `environment` leads to a simulated model. Other processes are told: `claude-agents --simulate` works through this
   * one only then, and commands that mean the real model do not. Default: false.
   */
  readonly simulated?: boolean
}

/**
 * A runner that spawns the `claude` command once per call. A login in `environment` replaces the user's own entirely.
 *
 * @example
 * for await (const message of claudeCli().start(call, { signal })) {
 *   if (message.type === 'text') process.stdout.write(message.text)
 * }
 */
export function claudeCli(options: ClaudeCliOptions = {}): AgentRunner {
  const { environment: added = {}, maxStarts = availableParallelism() } = options
  const { start, context, logger, maxProcesses } = processRunner(options, prepare, maxStarts)
  const locate = programLocator(options.path, ({ path, version }) =>
    logger.debug({ path, version: formatVersion(version) }, 'found claude'),
  )

  const sources = () => ({ inherited: process.env, added })
  /** The cautions that were given, each with the home of its agent. */
  const cautioned = new Set<string>()

  /** Everything that happens before the process is spawned. */
  async function prepare(call: Call, signal: AbortSignal): Promise<PreparedCall> {
    const { callId, directories, settings } = call
    const program = await locate()
    await prepareDirectories(directories)
    await clearTemporaryFiles(call).catch((error: unknown) =>
      logger.warn({ callId, error }, 'could not remove the temporary files of earlier calls'),
    )
    const sessions = new Sessions(directories.home)
    const plan = launchPlan(call, { program, ...sources(), origin: await sessions.originToFork(call) })
    const costBefore = continuesItself(call) ? await costSoFar(call, sessions) : undefined
    const serverSecrets = await writeCallFiles(call, plan, process.env).catch(async (error: unknown) => {
      if (call.settings.mcpServers) await removeSecrets(call)
      throw error
    })
    const concealed = serverSecrets.length > 0 ? concealment(serverSecrets) : undefined
    if (concealed) call.team?.conceal?.(concealed)
    const redact = redactor({
      get secrets() {
        return [...plan.secrets(), ...serverSecrets]
      },
      prompts: [call.prompt, settings.systemPrompt],
    })
    const { read, facts, streamed } = streamParser(redact, concealed)
    return {
      plan,
      redact,
      input: plan.input,
      check: plan.check,
      reader: {
        read: (lines) => lines.flatMap(read),
        longRecords: longRecord,
        counted: () => facts.countedBytes,
        hasResult: () => facts.result !== null,
        hopeless: () => hopeless(facts, plan.isLoginFixed),
      },
      caution() {
        const caution = cautionFor(call)
        const given = `${directories.home} ${caution}`
        if (caution === null || cautioned.has(given)) return null
        cautioned.add(given)
        return caution
      },
      async conclude(end) {
        logger.debug({ callId, unknown: [...facts.unknown] }, 'unknown message types')
        // As they are now: the call has added its own.
        const sessions = new Sessions(directories.home)
        const deferred = facts.result ? deferredIn(facts.result) : undefined
        const error = deferred
          ? null
          : await callFailure(end, {
              plan,
              facts,
              redact,
              signal,
              clock: context.clock,
              structuredOutputRequested: settings.outputSchema !== undefined,
            })
        if (deferred || error || facts.result === null) {
          const spent = await spendingOf(call, { facts, streamed, costBefore, sessions })
          return {
            messages: [
              ...(spent ? [{ type: 'spent', ...spent } as const] : []),
              ...(deferred ? [{ type: 'deferred', ...deferred } as const] : []),
            ],
            ...(error && { error }),
          }
        }
        const ended = await resultOf(call, facts.result, { facts, redact, costBefore, sessions })
        const { result, isSessionKept } = ended
        await prune(call, sessions)
        return { messages: [...(isSessionKept ? [] : [missingTranscript(call)]), { type: 'result', result }] }
      },
      ...(settings.mcpServers && { forget: () => removeSecrets(call, concealed) }),
    }
  }

  /** The secrets of MCP servers are on the disk only as long as the call. */
  const removeSecrets = async (call: Call, secrets?: Concealment) => {
    const warn = (problem: string) => (error: unknown) => logger.warn({ callId: call.callId, error }, problem)
    if (secrets)
      await concealFiles(call, secrets).catch(
        warn('could not remove the secrets of MCP servers from what a call has left'),
      )
    await removeServerFiles(call).catch(warn('could not remove the configuration of MCP servers'))
  }

  /** A file that cannot be removed must not cost an answer that was paid for. */
  const prune = (call: Call, sessions = new Sessions(call.directories.home)) =>
    pruneTranscripts(call, sessions).catch((error: unknown) =>
      logger.warn({ callId: call.callId, error }, 'could not remove superseded transcripts'),
    )

  return {
    name: options.simulated ? 'simulated' : 'claude',
    capacity: { calls: maxProcesses, starts: maxStarts },
    account: () => accountOf(sources()),
    start: withContinuations(start),
    async recover(call, { process: identity, signal }) {
      // The agent may have lost its servers since, and this process may have other variables.
      const left = await leftSecrets(call.directories.home)
      const secrets = [...secretsOf({ ...definedIn(process.env), ...added }), ...left]
      const concealed = concealment(left)
      const recovered = await recoverCall(
        call,
        { process: identity, signal },
        { ...context, secrets, concealed },
      )
      await removeSecrets(call, concealed)
      if (recovered.outcome === 'answered') await prune(call)
      return recovered
    },
    processes: ({ baseDir }) => callProcesses(baseDir, context.table),
    branch: branchSession,
    adopt: adoptSession,
    take: takeSession,
    homes: homeOperations,
    sweep: (what) => sweepBase(what, context),
    ...directoryOperations(options),
  }
}

/** An orchestrator's limits as options of its runner. */
export const processLimits = (limits: {
  readonly callsInFlight?: number
  readonly processStarts?: number
}): Pick<ClaudeCliOptions, 'maxProcesses' | 'maxStarts'> =>
  defined({ maxProcesses: limits.callsInFlight, maxStarts: limits.processStarts })

/** The CLI does not report a transcript that it could not write. */
const missingTranscript = (call: Call) =>
  ({
    type: 'warning',
    message: `claude saved no transcript of session ${call.sessionId}: the next task of agent "${call.agent}" will not find it. Check the permissions and free space of ${call.directories.home}.`,
  }) as const

const definedIn = (environment: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).flatMap(([name, value]) => (value ? [[name, value]] : [])))
