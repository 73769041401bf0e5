/** Commands in processes that have run others before: one each for those that run at the same time. They end with this one. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'

const PROGRAM = resolve(import.meta.dirname, 'warm-process.mjs')

export interface WarmCommand {
  readonly words: readonly string[]
  readonly folder: string
  /** The whole of it: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>
  readonly input: string
}

export interface Ended {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

const idle: ChildProcess[] = []

export async function runWarm(command: WarmCommand): Promise<Ended> {
  const warm = idle.pop() ?? started()
  const ended = new AbortController()
  warm.send(command)
  const [said] = await Promise.race([
    once(warm, 'message', { signal: ended.signal }),
    once(warm, 'exit', { signal: ended.signal }),
  ])
  ended.abort()
  if (typeof said !== 'object' || said === null)
    throw new Error(`claude-agents ${command.words.join(' ')} ended its process`)
  idle.push(warm)
  return said
}

function started(): ChildProcess {
  // A pipe as stdin, as every command has that is started by a program.
  return fork(PROGRAM, { execArgv: [], stdio: ['pipe', 'inherit', 'inherit', 'ipc'] })
}
