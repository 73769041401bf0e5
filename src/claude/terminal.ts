/** A conversation of a person with an agent in a terminal: `claude` itself, on a fork of the agent's session. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, realpath } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { SessionNotFoundError } from '../events/errors/call.ts'
import { WorkspaceError } from '../events/errors/workspace.ts'
import type { AgentDirectories } from '../workspaces/directories.ts'
import { removeFrom } from '../workspaces/lifecycle.ts'
import { terminalArguments } from './arguments.ts'
import { configDirectory, type Environment, terminalEnvironment } from './environment.ts'
import { isKeyVisible, projectIn, systemPromptFile, writeOwnFile } from './launch-plan.ts'
import { hideLogin, withSecret } from './login.ts'
import { programLocator } from './program.ts'
import type { CallSettings } from './runner.ts'
import { branchSession } from './session/branch.ts'
import { Sessions } from './session/sessions.ts'

export interface TerminalOptions {
  readonly agent: string
  /** The head of the agent's session chain; null if it has none yet. */
  readonly parentSessionId: string | null
  readonly settings: CallSettings
  readonly directories: AgentDirectories
  /** The `claude` command, as `claudeCli` takes it, and variables for it. */
  readonly path?: string | undefined
  readonly added?: Environment | undefined
}

/** What is left of a conversation in a terminal. */
export interface TerminalEnd {
  /** As a shell has it: 128 and the number of the signal that ended it. */
  readonly exitCode: number
  readonly sessionId: string
  /** The transcript of what was said; null if nothing was. */
  readonly path: string | null
  /** Removes it, and everything else of this conversation. */
  remove(): Promise<void>
}

/** The folder in an agent's home of its conversations in terminals, each with a home of its own. */
const TERMINALS = 'terminals'

/**
 * Talks in this process's terminal until `claude` ends. The agent's own sessions stay as they are. Throws WorkspaceError and
 * SessionNotFoundError before it starts.
 */
export async function talkInTerminal({
  agent,
  parentSessionId,
  settings,
  directories,
  path,
  added = {},
}: TerminalOptions): Promise<TerminalEnd> {
  const program = await programLocator(path, () => {})()
  const { workspace } = directories
  const sessionId = randomUUID()
  const terminals = join(directories.home, TERMINALS)
  const home = join(terminals, sessionId)
  const remove = () => removeFrom(terminals, sessionId)
  const real = await realpath(workspace).catch((cause: unknown) => {
    const hint = `Ask it something first: claude-agents agent ask ${agent} "..."`
    throw new WorkspaceError({ path: workspace, problem: 'it is not there', hint }, { cause })
  })
  await mkdir(configDirectory(home), { recursive: true, mode: 0o700 })
  try {
    const own = { workspace, home }
    if (parentSessionId !== null) await branchSession(parentSessionId, directories, own)
    const origin = await new Sessions(home).originToFork({ sessionId, parentSessionId })
    if (parentSessionId !== null && origin === null)
      throw new SessionNotFoundError({ said: `no transcript has session ${parentSessionId}` })
    await writeOwnFile(systemPromptFile(home), settings.systemPrompt)
    await writeOwnFile(join(configDirectory(home), '.claude.json'), JSON.stringify(firstStart(real)))
    const environment = terminalEnvironment({
      ...{ agent, home, settings, added },
      version: program.version,
      inherited: process.env,
    })
    const given = terminalArguments(
      { sessionId, parentSessionId, settings },
      {
        version: program.version,
        origin,
        project: settings.project ? projectIn(workspace) : undefined,
        systemPromptFile: settings.systemPrompt === '' ? null : systemPromptFile(home),
      },
    )
    const start = { environment, arguments: given }
    const launch = isKeyVisible(added, process.env) ? start : hideLogin(start)
    const command = { path: program.path, arguments: launch.arguments }
    const exitCode = await runInTerminal(command, {
      environment: launch.environment,
      directory: workspace,
      secret: 'secret' in launch ? launch.secret : undefined,
    })
    const transcript = await new Sessions(home).transcriptOf(sessionId)
    return { exitCode, sessionId, path: transcript?.path ?? null, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** What `claude` asks a person at its first start is settled: it is the agent's workspace, and the person opened it. */
const firstStart = (workspace: string) => ({
  hasCompletedOnboarding: true,
  projects: { [workspace]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true } },
})

interface Surroundings {
  readonly environment: Environment
  readonly directory: string
  readonly secret: string | undefined
}

/** Ctrl-C is for the program, also before it reads the keys itself. */
async function runInTerminal(
  command: { readonly path: string; readonly arguments: readonly string[] },
  { environment, directory, secret }: Surroundings,
): Promise<number> {
  const { path, arguments: given, written } = await withSecret(command, secret)
  const ignore = () => {}
  process.on('SIGINT', ignore)
  try {
    return await new Promise((resolve, reject) => {
      const child = spawn(path, given, {
        cwd: directory,
        env: environment,
        stdio: ['inherit', 'inherit', 'inherit', written ? 'pipe' : 'ignore'],
      })
      const pass = (signal: NodeJS.Signals) => child.kill(signal)
      for (const signal of PASSED) process.on(signal, pass)
      child.on('error', reject)
      child.on('exit', (code, signal) => {
        for (const one of PASSED) process.off(one, pass)
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
      })
      if (written) (child.stdio[3] as Writable).on('error', ignore).end(written)
    })
  } finally {
    process.off('SIGINT', ignore)
  }
}

const PASSED = ['SIGTERM', 'SIGHUP'] as const
