/** A cluster that can be hurt: workers as processes, each with a way of its own to a PostgreSQL that the test has started. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { query, urlOf } from '../../postgres/database.ts'
import { keptServer } from '../../postgres/server.ts'
import { temporaryDirectory } from '../../store/temporary.ts'
import { Auditor, readStarts, type Start } from './auditor.ts'
import { awayNamespace, whyNoNamespace } from './namespace.ts'
import { type DatabaseWay, wayTo } from './proxy.ts'
import { isRunning } from './running.ts'

export interface Worker {
  readonly name: string
  readonly child: ChildProcess
  readonly way: DatabaseWay
  /** Whether it is in the other network namespace. */
  readonly isAway: boolean
  readonly exited: Promise<unknown>
}

export type ChaosCluster = Awaited<ReturnType<typeof chaosCluster>>

/** Nothing waits for the disk: processes die here, and no machine loses its power. */
const SETTINGS = { fsync: 'off', full_page_writes: 'off', shared_buffers: '64MB', max_connections: '200' }
/** Longer than any worker needs until it has a call. */
const PATIENCE_MS = 60_000
const PROGRAM = join(import.meta.dirname, '../fixtures/worker.mjs')

/** @param isDivided Whether one of the workers is to be in a network namespace of its own. */
export async function chaosCluster({ size = 3, isDivided = false, environment = {} } = {}) {
  /** What is done at its end, the last first. */
  const ends: (() => unknown)[] = []
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  const server = await keptServer(SETTINGS)
  ends.push(() => server.stop())
  const away = isDivided && !whyNoNamespace() ? awayNamespace() : undefined
  ends.push(() => away?.remove())
  const host = away?.here ?? '127.0.0.1'
  const url = urlOf(server, 'postgres')
  const folder = await temporaryDirectory()
  const startsFile = join(folder, 'starts')
  const socket = join(server.folder, '.s.PGSQL.5432')
  const workers: Worker[] = []
  let joined = 0

  /** How long calls take that begin from now on. */
  const calls = (seconds: number) => writeFile(`${startsFile}.seconds`, `${seconds}\n`)
  const starts = () => readStarts(startsFile)
  const running = async (of: Pick<Worker, 'name'>): Promise<readonly Start[]> =>
    (await starts()).filter((start) => start.worker === of.name && !start.endedAt && isRunning(start.pid))

  const joinOne = async (isAway = false): Promise<Worker> => {
    const name = `w${++joined}`
    const way = await wayTo(socket, host)
    ends.push(() => way.close())
    const database = `postgresql://owner@${host}:${way.port}/postgres`
    const listen = away && `${isAway ? away.there : away.here}:0`
    const words = [...(isAway && away ? away.prefix : []), process.execPath, PROGRAM]
    const [command = '', ...rest] = [...words, database, join(folder, name), startsFile, '0', name]
    const child = spawn(command, rest, {
      stdio: ['pipe', 'pipe', process.env.CHAOS_LOG ? 'inherit' : 'ignore'],
      env: { ...process.env, ...environment, STARTS: startsFile, ...(listen && { LISTEN: listen }) },
    })
    const exited = once(child, 'exit')
    ends.push(async () => {
      child.kill('SIGCONT')
      child.kill('SIGKILL')
      await exited
    })
    const worker = { name, child, way, isAway, exited }
    workers.push(worker)
    void exited.then(() => workers.splice(workers.indexOf(worker), 1))
    const ready = once(createInterface({ input: child.stdout }), 'line')
    await Promise.race([
      ready,
      exited.then(() => {
        throw new Error(`the worker ${name} ended before it served`)
      }),
    ])
    return worker
  }
  /** Has as many workers again as at the beginning. */
  const complete = async () => {
    if (away && !workers.some(({ isAway }) => isAway)) await joinOne(true)
    while (workers.length < size) await joinOne()
  }
  const client = async () => {
    const orchestrator = await Orchestrator.open({
      cluster: { database: url },
      baseDir: join(folder, 'client'),
    })
    ends.push(() => orchestrator.close())
    return orchestrator
  }
  /** Resolves with the first of the workers in which at least so many calls run. */
  const busy = async (least = 1, which: (worker: Worker) => boolean = () => true): Promise<Worker> => {
    for (const until = performance.now() + PATIENCE_MS; performance.now() < until; await pause(50))
      for (const worker of workers.filter(which)) if ((await running(worker)).length >= least) return worker
    throw new Error('no worker has a call')
  }
  await calls(1)
  await complete()
  const team = await client()
  await Auditor.watchClaims(url)
  const auditor = new Auditor(team.store, url, startsFile)
  return {
    ...{ url, server, away, workers, team, auditor, calls, starts, running, busy, complete },
    join: joinOne,
    close,
    /** Ends the connections of all processes. */
    disconnectAll: () =>
      query(
        url,
        `select pg_terminate_backend(pid) from pg_stat_activity
          where pid <> pg_backend_pid() and backend_type = 'client backend'`,
      ),
    pause,
  }
}
