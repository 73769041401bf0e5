/** Runs the built `claude-agents` as a user does, in a folder of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { execa, type Options } from 'execa'
import { onTestFinished } from 'vitest'
import { runWarm } from './warm-commands.ts'

export const MAIN = resolve(import.meta.dirname, '../../dist/cli/main.js')
/** The real claude, a dev dependency, with its version remembered: quick-claude.ts. */
export const CLAUDE =
  process.env.ONCE_ASKED_CLAUDE ?? resolve(import.meta.dirname, '../../node_modules/.bin/claude')

/** A stand-in that starts in a hundredth of the time, for tests in which the answer does not matter: quick-claude.ts. */
export const QUICK_CLAUDE = process.env.QUICK_CLAUDE ?? ''

export interface Ran {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
  /** stdout as JSON, one value a line. */
  readonly values: readonly Record<string, never>[]
}

/** Only what a program needs to be found, and nothing else of the environment of the tests. */
const environment = (more: Readonly<Record<string, string>>) => ({
  PATH: process.env.PATH ?? '',
  CLAUDE_AGENTS_CLAUDE_PATH: CLAUDE,
  ...more,
})

/** @param ofTest Whether its folder is removed when the test has finished; otherwise call `remove`. */
export async function commandLine(more: Readonly<Record<string, string>> = {}, ofTest = true) {
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  // What the command keeps for the user is not in the user's project.
  const state = `${folder}-state`
  const remove = async () => {
    for (const made of [folder, state]) await rm(made, { recursive: true, force: true })
  }
  if (ofTest) onTestFinished(remove)
  const options = {
    cwd: folder,
    env: { HOME: folder, XDG_STATE_HOME: state, ...environment(more) },
    extendEnv: false,
    reject: false,
  } as const satisfies Options
  return {
    folder,
    state,
    environment: options.env as Readonly<Record<string, string>>,
    remove,
    /** Starts a command; kill it, or await it. */
    start: (...words: string[]) => execa(process.execPath, [MAIN, ...words], { ...options, stdin: 'ignore' }),
    /** Runs a command to its end, in the folder or in one below it. */
    async run(words: readonly string[], input = '', below = '.'): Promise<Ran> {
      const ended = await runWarm({ words, folder: join(folder, below), environment: options.env, input })
      const lines = words.includes('--json') ? ended.stdout.split('\n').filter((line) => line !== '') : []
      return { ...ended, values: lines.map((line) => JSON.parse(line)) }
    },
  }
}

/** The same with the stand-in. */
export const quickCommandLine = (more: Readonly<Record<string, string>> = {}, ofTest = true) =>
  commandLine({ CLAUDE_AGENTS_CLAUDE_PATH: QUICK_CLAUDE, ...more }, ofTest)
