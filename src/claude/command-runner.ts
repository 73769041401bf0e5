/** Runs calls with any program that reads a prompt on stdin and prints an answer: a linter, another assistant. */

import { resolve } from 'node:path'
import { CommandFailedError } from '../events/errors/call.ts'
import { oneLine, redactor, secretsOf } from '../events/redaction.ts'
import { HOME_MARKER } from '../workspaces/directories.ts'
import { directoryWork } from '../workspaces/directory-work.ts'
import { prepareDirectories } from '../workspaces/workspace.ts'
import { CALL_MARKER, type Environment, TASK_MARKER } from './environment.ts'
import { stoppedError } from './process/call-ending.ts'
import { outputFiles, readStderr } from './process/call-output.ts'
import type { RunEnd } from './process/call-run.ts'
import { callProcesses } from './process/marked.ts'
import { type PreparedCall, type ProcessOptions, processRunner } from './process/runner.ts'
import { sweepBase } from './process/sweep.ts'
import { endLeftover } from './recovery.ts'
import type { AgentRunner, Call, CallMessage, CallResult } from './runner.ts'

/** Options of `commandRunner`. */
export interface CommandRunnerOptions extends ProcessOptions {
  /** A program on the PATH, or a path. No shell is involved. */
  readonly command: string
  /** Its arguments. As a function they may say who asks: the model, the session, the attempt. */
  readonly args?: readonly string[] | ((call: Call) => readonly string[])
  /** What goes to its stdin. The prompt alone unless told: a program that knows no roles cannot use the system prompt. */
  readonly input?: (call: Call) => string
}

/** What most programs need of our environment; keys and tokens are named by whoever wants them to be passed on. */
const INHERITED = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL']

/**
 * A runner for another program. The answer is what it prints on stdout when it ends with exit code 0; anything else is
 * a {@link CommandFailedError} with the end of its stderr. It runs in the agent's workspace, with the agent's home as
 * HOME. It has no sessions: what it shall remember has to be in the prompt.
 *
 * @example
 * const runner = commandRunner({ command: 'sort', args: ['--unique'] })
 * const orchestrator = await Orchestrator.open({ runner })
 */
export function commandRunner(options: CommandRunnerOptions): AgentRunner {
  const { command, args = [], input = ({ prompt }) => prompt, environment: added = {} } = options
  const { start, context } = processRunner(options, prepare)

  async function prepare(call: Call, signal: AbortSignal): Promise<PreparedCall> {
    await prepareDirectories(call.directories)
    const environment = environmentOf(call, added)
    const redact = redactor({
      secrets: secretsOf(environment),
      prompts: [call.prompt, call.settings.systemPrompt],
    })
    const { workspace, home } = call.directories
    const output = outputFiles(home, call.callId)
    const lines: string[] = []
    const begun = context.clock.now()
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
        read(line): CallMessage[] {
          lines.push(line)
          return [{ type: 'text', text: `${line}\n` }]
        },
        hasResult: () => false,
      },
      async conclude(end) {
        // Also with exit code 0: it may have ended well because it was asked to end, with half an answer.
        if (end.failure) throw end.failure
        if (signal.aborted) throw stoppedError(signal)
        if (end.exitCode !== 0) {
          throw new CommandFailedError({ said: howItFailed(command, end, redact(await readStderr(output))) })
        }
        return [
          {
            type: 'result',
            result: { ...UNCOUNTED, text: lines.join('\n'), durationMs: context.clock.now() - begun },
          },
        ]
      },
    }
  }

  return {
    start,
    async recover(call, { process: identity }) {
      // What it has printed may be half an answer: with which code it ended only its owner was told. So there is
      // nothing to wait for.
      await endLeftover(call, { process: identity, signal: AbortSignal.abort() }, context)
      // Its prompt follows only when its process is on record.
      return { outcome: identity === null ? 'unsent' : 'unanswered' }
    },
    processes: ({ baseDir }) => callProcesses(baseDir, context.table),
    sweep: (what) => sweepBase(what, context),
    ...directoryWork(options),
  }
}

function environmentOf(call: Call, added: Environment): Environment {
  const { home } = call.directories
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    LANG: 'C.UTF-8',
    ...Object.fromEntries(inherited),
    HOME: home,
    ...added,
    [CALL_MARKER]: call.callId,
    [TASK_MARKER]: call.taskId,
    [HOME_MARKER]: home,
  }
}

function howItFailed(command: string, { spawnError, signal, exitCode }: RunEnd, stderr: string): string {
  const how =
    spawnError !== null
      ? `it cannot be started (${spawnError})`
      : signal !== null
        ? `it was killed by ${signal}`
        : `exit code ${exitCode}`
  const complaint = oneLine(stderr.slice(-1000))
  return [`${command}: ${how}`, ...(complaint === '' ? [] : [complaint])].join(': ')
}

/** Another program tells nothing of what it cost. */
const UNCOUNTED: Omit<CallResult, 'text' | 'durationMs'> = {
  costUsd: 0,
  usage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 },
  turns: null,
  model: null,
  permissionDenials: [],
}
