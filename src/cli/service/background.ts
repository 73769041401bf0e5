/** An owner in the background: started, asked how it is, and stopped. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { mkdir, open, realpath } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { OwnerNotStarted } from '../../events/errors/owner.ts'
import { codeOf } from '../../events/errors/phrases.ts'
import { StoreInUse, StoreNotOpened } from '../../events/errors/store.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { duration, plural } from '../../events/figures.ts'
import { Orchestrator } from '../../orchestrator.ts'
import { connectOwner, type OwnerClient } from '../../remote/client.ts'
import { remoteOrchestrator } from '../../remote/orchestrator.ts'
import { FILE_MODE } from '../../store/directory.ts'
import { livenessOf } from '../../store/process-identity.ts'
import { ASK_THE_WORKERS, hasStore, refuseDatabase } from '../existing-store.ts'
import { type GlobalOptions, wordsOf } from '../global-options.ts'
import { listenForInterruption } from '../interruption.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { asTyped } from '../terminal/own-name.ts'
import { inert } from '../terminal/text.ts'
import { idleMs } from './activity.ts'

/** In minutes: how long an owner in the background stays without work. */
export const IDLE_MINUTES = 10

const POLL_MS = 25

/** How much of its log an owner that did not start is quoted with, in bytes. */
const LAST_WORDS = 2000

export interface StartedOwner {
  readonly pid: number
  readonly baseDir: string
  /** The path of its socket. */
  readonly address: string
}

/** `serve --detach`. Throws StoreInUse if the store has an owner. */
export async function startAndTell(globals: GlobalOptions, words: readonly string[]): Promise<void> {
  refuseDatabase(globals, 'serve --detach')
  const screen = terminal(globals)
  const other = await connectOwner(globals.baseDir)
  other?.close()
  if (other) throw new StoreInUse({ path: other.baseDir, pid: other.pid, isServed: true })
  const started = await startOwner(globals, words)
  if (screen.json) return screen.value(started)
  screen.line(`Serving ${inert(started.baseDir)} in the background, as process ${started.pid}`)
  screen.note(`It writes to ${inert(logOf(started.baseDir))}. To stop it: claude-agents serve stop`)
}

/**
 * Starts an owner that outlives this process and its terminal, and resolves once it serves.
 *
 * @param words The options of `serve`.
 * @throws OwnerNotStarted with what it said
 */
export async function startOwner(
  globals: GlobalOptions,
  words: readonly string[] = [],
): Promise<StartedOwner> {
  if (process.platform === 'win32') {
    const problem = 'an owner serves no other process on Windows'
    throw new InvalidInputError({
      what: '--detach',
      problem,
      hint: 'Run claude-agents serve in a window of its own.',
    })
  }
  await mkdir(globals.baseDir, { recursive: true, mode: 0o700 })
  const baseDir = await realpath(globals.baseDir)
  const file = logOf(baseDir)
  const log = openLog(file)
  const { size } = fstatSync(log)
  const started = spawn(
    process.execPath,
    [...process.execArgv, process.argv[1] ?? '', ...wordsOf(globals.given), 'serve', ...idleWords(words)],
    { detached: true, stdio: ['ignore', log, log, 'ipc'] },
  )
  closeSync(log)
  const isServing = await Promise.race([
    once(started, 'message').then(() => true),
    once(started, 'exit').then(() => false),
  ])
  if (isServing) started.disconnect()
  started.unref()
  const client = isServing ? await connectOwner(baseDir) : null
  client?.close()
  if (client) return { pid: client.pid, baseDir, address: client.address }
  // It may serve nobody: its log says why.
  started.kill()
  throw new OwnerNotStarted({ path: baseDir, file, said: await lastWords(file, size) })
}

const idleWords = (words: readonly string[]) =>
  words.includes('--idle-timeout') ? words : [...words, '--idle-timeout', String(IDLE_MINUTES)]

/** A link is not followed, and a pipe not waited for: an agent may have made them. */
function openLog(file: string): number {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
  try {
    return openSync(file, flags | constants.O_NOFOLLOW, FILE_MODE)
  } catch (cause) {
    const code = codeOf(cause)
    if (!IN_ITS_PLACE.has(code)) throw StoreNotOpened.from(dirname(file), cause)
    const problem = `it cannot be written to (${code})`
    throw new InvalidInputError({ what: file, problem, hint: 'Remove it, and try again.' }, { cause })
  }
}

/** A link, a directory, or a pipe that nobody reads. */
const IN_ITS_PLACE: ReadonlySet<string> = new Set(['ELOOP', 'EISDIR', 'ENXIO'])

const logOf = (baseDir: string) => join(baseDir, 'serve.log')

async function lastWords(file: string, from: number): Promise<string> {
  await using log = await open(file, 'r')
  const { size } = await log.stat()
  const start = Math.max(from, size - LAST_WORDS)
  const { buffer, bytesRead } = await log.read(Buffer.alloc(LAST_WORDS), 0, LAST_WORDS, start)
  return inert(buffer.toString('utf8', 0, bytesRead).trim())
}

/** What `serve status` exits with when no process serves, as the `status` of a system service does. */
const NOT_RUNNING = 3

/** `serve status` */
export async function tellStatus(globals: GlobalOptions): Promise<void> {
  refuseDatabase(globals, 'serve status', ASK_THE_WORKERS)
  const screen = terminal(globals)
  const client = hasStore(globals) ? await connectOwner(globals.baseDir) : null
  if (client === null) {
    process.exitCode = NOT_RUNNING
    return tellNone(globals, screen)
  }
  const orchestrator = await remoteOrchestrator(Orchestrator, client)
  try {
    const { pid, baseDir } = client
    const { runner, version = null, servesSince = 0 } = client.greeting
    const agents = await orchestrator.agents()
    const runs = (await orchestrator.runs.list({ open: true })).filter(
      ({ status }) => status === 'running',
    ).length
    const held = agents.reduce((sum, agent) => sum + agent.held, 0)
    const idle = await idleMs(orchestrator, servesSince, Date.now())
    if (screen.json)
      return screen.value({
        running: true,
        pid,
        baseDir,
        version,
        runner,
        agents: agents.length,
        runs,
        held,
        idleMs: idle,
      })
    screen.line(`Process ${pid} serves ${inert(baseDir)} (version ${version ?? 'unknown'}, runner ${runner})`)
    const isWorking = runs > 0 || agents.some(({ queue, held }) => queue > held)
    const states = [
      ...(isWorking ? ['working'] : []),
      ...(held > 0 ? [asTyped(`${plural(held, 'task')} held (claude-agents inbox)`)] : []),
    ]
    const atRest = idle === 0 ? 'nothing to do now' : `idle for ${duration(idle)}`
    const state = states.join(', ') || atRest
    screen.line(`${plural(agents.length, 'agent')}, ${plural(runs, 'run')} in progress, ${state}`)
  } finally {
    await orchestrator.close()
  }
}

function tellNone({ baseDir }: GlobalOptions, screen: Terminal): void {
  const path = resolve(baseDir)
  const none = { running: false, pid: null, baseDir: path, version: null, runner: null }
  if (screen.json) screen.value({ ...none, agents: 0, runs: 0, held: 0, idleMs: null })
  else screen.line(asTyped(`No process serves ${inert(path)}. To start one: claude-agents serve --detach`))
}

/** `serve stop`: resolves when the process has ended. Throws OwnerOnly if it does not end on request. */
export async function stopOwner(globals: GlobalOptions, { now = false }: { now?: boolean }): Promise<void> {
  refuseDatabase(globals, 'serve stop', ASK_THE_WORKERS)
  const screen = terminal(globals)
  const client = hasStore(globals) ? await connectOwner(globals.baseDir) : null
  if (client === null) {
    if (!screen.json) return tellNone(globals, screen)
    return screen.value({ pid: null, baseDir: resolve(globals.baseDir), stopped: false })
  }
  const interruption = listenForInterruption()
  const { pid, baseDir } = client
  try {
    if (!now) await tellWork(client, screen)
    await client.result('/stop', { now }, { changes: false })
    client.close()
    while ((await isAlive(client)) && !interruption.signal.aborted)
      await delay(POLL_MS, undefined, { signal: interruption.signal }).catch(() => {})
  } finally {
    client.close()
    interruption.stop()
  }
  if (interruption.signal.aborted) return screen.note(`Process ${pid} ends when its work is done.`)
  if (screen.json) screen.value({ pid, baseDir, stopped: true })
  else screen.line(`Process ${pid} has stopped.`)
}

/** Where its pid means nothing, because it runs in another container, it lives as long as it serves. */
async function isAlive({ baseDir, pid, process: owner }: OwnerClient): Promise<boolean> {
  const liveness = livenessOf(owner)
  if (liveness !== 'unknown') return liveness === 'alive'
  const client = await connectOwner(baseDir).catch(() => null)
  client?.close()
  return client?.pid === pid
}

async function tellWork(client: OwnerClient, screen: Terminal): Promise<void> {
  const orchestrator = await remoteOrchestrator(Orchestrator, client)
  const open = (await orchestrator.agents()).reduce((sum, { queue, held }) => sum + queue - held, 0)
  if (open > 0)
    screen.note(
      `Waiting for ${plural(open, 'task')} to end. To leave them to the next start: serve stop --now`,
    )
}
