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
  /** Resolves with the first of these workers in which a call runs; with undefined if there is none for long. */
  const seen = async (
    which: (worker: Worker) => boolean,
    patienceMs: number,
  ): Promise<Worker | undefined> => {
    for (const until = performance.now() + patienceMs; performance.now() < until; await pause(50))
      for (const worker of workers.filter(which)) if ((await running(worker)).length > 0) return worker
    return undefined
  }
  /** Resolves with the first of the workers in which a call runs. */
  const busy = async (): Promise<Worker> => {
    const worker = await seen(() => true, PATIENCE_MS)
    if (!worker) throw new Error('no worker has a call')
    return worker
  }
  /** The same for those in the namespace. Which agents live in a worker depends on its address, so others join there. */
  const busyAway = async (): Promise<Worker> => {
    for (;;) {
      const worker = await seen(({ isAway }) => isAway, PATIENCE_MS / 4)
      if (worker) return worker
      const idle = workers.filter(({ isAway }) => isAway)
      await joinOne(true)
      for (const { child, exited } of idle) {
        child.kill('SIGTERM')
        await exited
      }
    }
  }
  await calls(1)
  await complete()
  const team = await client()
  await Auditor.watchClaims(url)
  const auditor = new Auditor(team.store, url, startsFile)
  return {
    ...{ url, server, away, workers, team, auditor, calls, starts, running, busy, busyAway, complete },
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
