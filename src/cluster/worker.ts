/** A worker: a process of the cluster in which agents live. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import * as Effect from 'effect/Effect'
import * as Entity from 'effect/cluster/Entity'
import { Sharding } from 'effect/cluster/Sharding'
import { EntityId } from 'effect/cluster'
import * as Layer from 'effect/Layer'
import * as ManagedRuntime from 'effect/ManagedRuntime'
import * as Stream from 'effect/Stream'
import type { AgentRunner } from '../claude/runner.ts'
import { pause, systemClock } from '../clock.ts'
import { defined } from '../events/json.ts'
import type { Logger } from '../logger.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { postgresStore } from '../store/postgres/store.ts'
import { withClaims } from './claims.ts'
import { ClusterClient } from './client.ts'
import { type Address, engineLayer } from './engine.ts'
import { agentEntity } from './entity.ts'
import { Residents, type WorkerSystem } from './residents.ts'

/** Options of `openWorker`. */
export interface WorkerOptions {
  /** `postgresql://USER@HOST:5432/DATABASE` */
  readonly database: string
  /** Where it listens for the others. Default: 127.0.0.1, and a port that is free. */
  readonly listen: Address
  /** Where the others reach it. Default: where it listens. */
  readonly advertise?: Address
  readonly baseDir: string
  readonly runner?: AgentRunner
  readonly logger?: Logger
  /** Default: its address. */
  readonly name?: string
  /** How long an agent that moves away may take to end its work, in ms. Default: 15 minutes. */
  readonly drainMs?: number
}

/** A worker that serves. */
export interface Worker extends AsyncDisposable {
  readonly name: string
  readonly listen: string
  /** How many agents live in it. */
  readonly agents: number
  /** Hands its agents over to the other workers, once their work has ended, and closes. */
  close(): Promise<void>
}

interface ClosableSystem extends WorkerSystem {
  close(): Promise<void>
}

interface WorkerClass<System> {
  open(options: {
    readonly baseDir: string
    readonly store: ChainedStore
    readonly resume: 'on-demand'
    readonly runner?: AgentRunner
    readonly logger?: Logger
  }): Promise<System>
}

const DRAIN_MS = 15 * 60_000
/** How often a worker looks for agents of its own that have work and no caller. */
const WAKE_MS = 1000

export async function openClusterWorker<System extends ClosableSystem>(
  type: WorkerClass<System>,
  { database, listen: asked, baseDir, runner, logger, drainMs = DRAIN_MS, ...given }: WorkerOptions,
): Promise<Worker> {
  const listen = { ...asked, port: asked.port || (await freePort(asked.host)) }
  const { advertise = listen } = given
  const name = given.name ?? `${advertise.host}:${advertise.port}`
  const log = withClaims(await postgresStore(database, { access: 'shared', ...defined({ logger }) }))
  const { store } = log
  const system = await type.open({ baseDir, store, resume: 'on-demand', ...defined({ runner, logger }) })
  const residents = new Residents(system, log, drainMs)
  const handlers = Effect.gen(function* () {
    const { entityId } = yield* Entity.CurrentAddress
    yield* Effect.acquireRelease(
      Effect.promise(() => residents.enter(entityId)),
      () => Effect.promise(() => residents.leave(entityId)),
    )
    return agentEntity.of({
      Command: ({ payload }) => Effect.promise(() => residents.command(entityId, payload.request)),
      Ask: ({ payload }) => lines(residents.ask(entityId, payload.request)),
      Drafts: () => lines(residents.drafts(entityId)),
    })
  })
  const entities = agentEntity.toLayer(handlers, { concurrency: 'unbounded' })
  const engine = await engineLayer({ database, listen, advertise, drainMs })
  const runtime = ManagedRuntime.make(entities.pipe(Layer.provideMerge(engine)))
  const sharding = await runtime.runPromise(Effect.map(Sharding, (service) => service))
  const client = new ClusterClient(runtime)
  const ending = new AbortController()
  const isMine = (id: string) => sharding.hasShardId(sharding.getShardId(EntityId.make(id), 'default'))
  const waking = (async () => {
    while (!ending.signal.aborted) {
      await wake().catch((error) => logger?.warn({ error }, 'agents with work could not be looked for'))
      await pause(systemClock, WAKE_MS, ending.signal)
    }
  })()
  async function wake() {
    for await (const { stream } of store.streams({ prefix: 'agent/', open: true })) {
      const id = stream.slice('agent/'.length)
      if (ending.signal.aborted) return
      if (isMine(id) && !residents.has(id)) void client.command(id, 'start', []).catch(() => {})
    }
  }
  const close = async () => {
    ending.abort()
    await waking
    client.close()
    await runtime.dispose()
    await system.close()
  }
  let closing: Promise<void> | undefined
  const closed = () => (closing ??= close())
  return {
    name,
    listen: `${listen.host}:${listen.port}`,
    get agents() {
      return residents.size
    },
    close: closed,
    [Symbol.asyncDispose]: closed,
  }
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

const lines = (values: AsyncGenerator<string>) =>
  Stream.orDie(Stream.fromAsyncIterable(values, (error) => error))
