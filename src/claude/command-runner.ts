/** Runs calls with any program that reads a prompt on stdin and prints an answer: a linter, another assistant. */

import { resolve } from 'node:path'
import { CommandFailedError } from '../events/errors/call.ts'
import { checkArgument } from '../events/options/decoding.ts'
import { oneLine, redactor, secretsOf } from '../events/secrets/redaction.ts'
import { HOME_MARKER } from '../workspaces/directories.ts'
import { prepareDirectories } from '../workspaces/lifecycle.ts'
import { directoryOperations } from '../workspaces/operations.ts'
import { CALL_MARKER, type Environment, TASK_MARKER } from './environment.ts'
import { variablesOf } from './login.ts'
import { stoppedError } from './process/call-ending.ts'
import { outputFiles, readStderr } from './process/call-output.ts'
import type { RunEnd } from './process/call-run.ts'
import { callProcesses } from './process/list.ts'
import { type PreparedCall, type ProcessOptions, processRunner } from './process/runner.ts'
import { sweepBase } from './process/termination.ts'
import { endLeftover } from './recovery.ts'
import type { AgentRunner, Call, CallMessage, CallResult } from './runner.ts'
import { OUTPUT_LIMITS } from './stream/line-splitter.ts'

/** Options of `commandRunner`. */
export interface CommandRunnerOptions extends ProcessOptions {
  /** A program on the PATH, or a path. No shell is involved. */
  readonly command: string
  /** Its arguments. A function can derive them from the call: its model, session or attempt. */
  readonly args?: readonly string[] | ((call: Call) => readonly string[])
  /**
   * What is written to stdin. Default: the prompt alone, since a program without roles has no use for a system
   * prompt.
   */
  readonly input?: (call: Call) => string
}

/** What most programs need from our environment. Keys and tokens must be passed explicitly. */
const INHERITED = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL']

/**
 * A runner for any other program. If it exits with code 0, its stdout is the answer; otherwise the call fails with a
 * {@link CommandFailedError} that quotes the end of stderr. It runs in the agent's workspace, with the agent's home
 * as HOME. It has no sessions: anything it should remember must be in the prompt.
 *
 * @example
 * const runner = commandRunner({ command: 'sort', args: ['--unique'] })
 * const orchestrator = await Orchestrator.open({ runner })
 */
export function commandRunner(options: CommandRunnerOptions): AgentRunner {
  checkArgument('The options of commandRunner', options, 'an object')
  const { command, args = [], input = ({ prompt }) => prompt, environment: added = {} } = options
  const limits = { ...OUTPUT_LIMITS, ...options.limits }
  // All that it prints is the answer, and held as such: how it is divided into lines says nothing.
  const { start, context } = processRunner(
    { ...options, limits: { ...limits, lineBytes: limits.callBytes } },
    prepare,
  )

  async function prepare(call: Call, signal: AbortSignal): Promise<PreparedCall> {
    await prepareDirectories(call.directories)
    const environment = environmentOf(call, added)
    const redact = redactor({
      secrets: secretsOf(environment),
      prompts: [call.prompt, call.settings.systemPrompt],
    })
    const { workspace, home } = call.directories
    const output = outputFiles(home, call.callId)
    const printed: string[] = []
    const startedAt = context.clock.now()
    return {
      plan: {
        path: command.includes('/') ? resolve(command) : command,
        arguments: typeof args === 'function' ? args(call) : args,
        environment,
        directory: workspace,
        home,
        output,
      },
      redact,
      input: input(call),
      reader: {
        read(lines): CallMessage[] {
          const text = `${lines.join('\n')}\n`
          printed.push(text)
          return [{ type: 'text', text }]
        },
        hasResult: () => false,
      },
      async conclude(end) {
        // Checked even if the exit code is 0: a program that was told to stop may exit cleanly with half an answer.
        const stopped = end.failure ?? (signal.aborted ? stoppedError(signal) : null)
        if (stopped) return { messages: [], error: stopped }
        if (end.exitCode !== 0) {
          const said = failureText(command, end, redact(await readStderr(output)))
          return { messages: [], error: new CommandFailedError({ said }) }
        }
        const text = printed.join('').slice(0, -1)
        const result = { ...NO_COST, text, durationMs: context.clock.now() - startedAt }
        return { messages: [{ type: 'result', result }] }
      },
    }
  }

  return {
    name: 'command',
    start,
    async recover(call, { process: identity }) {
      // Its output may be half an answer, and its exit code was visible only to its parent, so there is nothing to
      // wait for.
      await endLeftover(call, { process: identity, signal: AbortSignal.abort() }, context)
      // The prompt is sent only once the process is durable in the log.
      return { outcome: identity === null ? 'unsent' : 'unanswered' }
    },
    processes: ({ baseDir }) => callProcesses(baseDir, context.table),
    sweep: (what) => sweepBase(what, context),
    ...directoryOperations(options),
  }
}

function environmentOf(call: Call, added: Environment): Environment {
  const { home } = call.directories
  return {
    LANG: 'C.UTF-8',
    ...variablesOf(process.env, INHERITED),
    HOME: home,
    ...added,
    [CALL_MARKER]: call.callId,
    [TASK_MARKER]: call.taskId,
    [HOME_MARKER]: home,
  }
}

function failureText(command: string, { spawnError, signal, exitCode }: RunEnd, stderr: string): string {
  const how =
    spawnError !== null
      ? `it cannot be started (${spawnError})`
      : signal !== null
        ? `it was killed by ${signal}`
        : `exit code ${exitCode}`
  const complaint = oneLine(stderr.slice(-1000))
  return [`${command}: ${how}`, ...(complaint === '' ? [] : [complaint])].join(': ')
}

/** Other programs do not report what they cost. */
const NO_COST: Omit<CallResult, 'text' | 'durationMs'> = {
  costUsd: 0,
  usage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 },
  turns: null,
  model: null,
  permissionDenials: [],
}
