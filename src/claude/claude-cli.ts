/** Runs calls with the `claude` command: one process for each. */

import { availableParallelism } from 'node:os'
import { redactor, secretsOf } from '../events/redaction.ts'
import { directoryWork } from '../workspaces/directory-work.ts'
import { prepareDirectories } from '../workspaces/workspace.ts'
import { withCautions } from './cautions.ts'
import { hopeless } from './hopeless-call.ts'
import { clearTemporaryFiles, launchPlan, writeSystemPrompt } from './launch-plan.ts'
import { locateProgram, type Program } from './locate.ts'
import { accountOf, isLoginFixed } from './login/account.ts'
import { callFailure, resultOf } from './process/call-ending.ts'
import { callProcesses } from './process/marked.ts'
import { type PreparedCall, type ProcessOptions, processRunner } from './process/runner.ts'
import { sweepBase } from './process/sweep.ts'
import { recoverCall } from './recovery.ts'
import type { AgentRunner, Call } from './runner.ts'
import { branchSession } from './session/branch.ts'
import { sessionOrigin } from './session/origin.ts'
import { pruneTranscripts } from './session/pruning.ts'
import { streamParser } from './stream/parser.ts'
import { formatVersion } from './version.ts'

/** Options of `claudeCli`. */
export interface ClaudeCliOptions extends ProcessOptions {
  /** The `claude` command to use. Unless told: CLAUDE_AGENTS_CLAUDE_PATH, the PATH, an installed package. */
  readonly path?: string
  /**
   * How many processes may be starting at once; as many as there are cores unless told. A start takes a second of
   * one core: twelve at once took over 30 s to their first request on two.
   */
  readonly maxStarts?: number
}

/** Keeps a prompt from beginning with a slash, and does a second thing: the CLI gives up when nothing has come after
 * 3 seconds, and the prompt follows only when the start is on record. If we die between the two, the CLI finds nothing
 * but a line feed and ends without a request. */
const PREAMBLE = '\n'

/**
 * A runner that starts the `claude` command once for each call. A login in `environment` replaces the user's own as a
 * whole.
 *
 * @example
 * for await (const message of claudeCli().start(call, { signal })) {
 *   if (message.type === 'text') process.stdout.write(message.text)
 * }
 */
export function claudeCli(options: ClaudeCliOptions = {}): AgentRunner {
  const { environment: added = {}, maxStarts = availableParallelism() } = options
  const { start, context, logger, maxProcesses } = processRunner(options, prepare, maxStarts)
  const locate = locator(options.path, ({ path, version }) =>
    logger.debug({ path, version: formatVersion(version) }, 'found claude'),
  )

  const accounts = () => ({ inherited: process.env, added })

  /** Everything up to the process. */
  async function prepare(call: Call, signal: AbortSignal): Promise<PreparedCall> {
    const program = await locate()
    await prepareDirectories(call.directories)
    await clearTemporaryFiles(call)
    await writeSystemPrompt(call)
    const plan = await planOf(call, program)
    const redact = redactor({
      secrets: plan.secrets,
      prompts: [call.prompt, call.settings.systemPrompt],
    })
    const { read, facts } = streamParser(redact)
    return {
      plan,
      redact,
      input: call.prompt,
      reader: {
        read,
        hasResult: () => facts.result !== null,
        hopeless: () => hopeless(facts, isLoginFixed(accounts())),
      },
      async conclude(end) {
        logger.debug({ callId: call.callId, unknown: [...facts.unknown] }, 'messages of unknown types')
        const error = await callFailure(end, {
          plan,
          facts,
          redact,
          signal,
          formRequested: call.settings.outputSchema !== undefined,
        })
        if (error) throw error
        if (facts.result === null) return []
        const { result, isSessionKept } = await resultOf(call, facts.result, { facts, redact })
        await prune(call)
        return [...(isSessionKept ? [] : [sessionLost(call)]), { type: 'result', result }]
      },
    }
  }

  async function planOf(call: Call, program: Program) {
    const origin = await sessionOrigin(call)
    const plan = launchPlan(
      { ...call, parentSessionId: origin?.sessionId ?? call.parentSessionId },
      { program, inherited: process.env, added },
    )
    const at = origin?.at ? ['--resume-session-at', origin.at] : []
    return { ...plan, arguments: [...at, ...plan.arguments], preamble: PREAMBLE }
  }

  /** An answer that was paid for is not lost because of a file that cannot be removed. */
  const prune = (call: Call) =>
    pruneTranscripts(call).catch((error: unknown) =>
      logger.warn({ callId: call.callId, error }, 'superseded transcripts cannot be removed'),
    )

  return {
    capacity: { calls: maxProcesses, starts: maxStarts },
    account: () => accountOf(accounts()),
    start: withCautions(start, logger),
    async recover(call, { process: identity, signal }) {
      const recovered = await recoverCall(
        call,
        { process: identity, signal },
        { ...context, secrets: secretsOf({ ...definedIn(process.env), ...added }) },
      )
      if (recovered.outcome === 'answered') await prune(call)
      return recovered
    },
    processes: ({ baseDir }) => callProcesses(baseDir, context.table),
    branch: branchSession,
    sweep: (what) => sweepBase(what, context),
    ...directoryWork(options),
  }
}

/** The limits of an orchestrator, as those of its own runner. */
export const processLimits = (limits: {
  readonly callsInFlight?: number
  readonly processStarts?: number
}): Pick<ClaudeCliOptions, 'maxProcesses' | 'maxStarts'> => ({
  ...(limits.callsInFlight === undefined ? {} : { maxProcesses: limits.callsInFlight }),
  ...(limits.processStarts === undefined ? {} : { maxStarts: limits.processStarts }),
})

/** Looks for the program once; a failure is not kept, so that an installation is found without a restart. */
function locator(path: string | undefined, found: (program: Program) => void): () => Promise<Program> {
  let located: Promise<Program> | null = null
  return () => {
    located ??= locateProgram({ path, environment: process.env }).then(
      (program) => {
        found(program)
        return program
      },
      (error: unknown) => {
        located = null
        throw error
      },
    )
    return located
  }
}

/** The CLI says nothing when it cannot write there. */
const sessionLost = (call: Call) =>
  ({
    type: 'warning',
    message: `claude kept no transcript of session ${call.sessionId}: the next task of agent "${call.agent}" will not find it. Check the permissions and the free space of ${call.directories.home}.`,
  }) as const

const definedIn = (environment: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).flatMap(([name, value]) => (value ? [[name, value]] : [])))
