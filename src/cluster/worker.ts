/**
 * A worker: a process of the cluster in which agents live. Once a second it says that it lives, and hears which of its
 * agents something else has claimed; those, or all if it cannot ask for as long as a lock lasts, end at once.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { EntityId } from 'effect/cluster'
import * as Entity from 'effect/cluster/Entity'
import { Sharding } from 'effect/cluster/Sharding'
import * as Effect from 'effect/Effect'
import * as Layer from 'effect/Layer'
import * as ManagedRuntime from 'effect/ManagedRuntime'
import * as Stream from 'effect/Stream'
import type { Placement } from '../actors/agent/ref.ts'
import type { AgentRunner } from '../claude/runner.ts'
import { pause, steadyTime, systemClock } from '../clock.ts'
import { WorkerNameTaken } from '../events/errors/owner.ts'
import { codeOf } from '../events/errors/phrases.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { checkId } from '../events/ids.ts'
import { defined } from '../events/json.ts'
import type { AgentDefaults } from '../events/options/agent.ts'
import type { Limits } from '../events/options/limits.ts'
import { hostLogger, type Logger } from '../logger.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { postgresStore } from '../store/postgres/store.ts'
import { withClaims } from './claims.ts'
import { ClusterClient, clusterPlacement } from './client.ts'
import { engineLayer, LOCK_EXPIRY_MS } from './engine.ts'
import { agentEntity } from './entity.ts'
import { addressFrom, addressText, type ClusterWorker, isLoopback, type WorkerOptions } from './options.ts'
import { Residents, type WorkerSystem } from './residents.ts'
import { WorkerTable } from './worker-table.ts'

interface ClosableSystem extends WorkerSystem {
  readonly failed: Promise<Error>
  close(): Promise<void>
}

interface WorkerClass<System> {
  open(options: {
    readonly baseDir?: string
    readonly store: ChainedStore
    readonly placement: Placement
    readonly resume: 'on-demand'
    readonly runner?: AgentRunner
    readonly limits?: Limits
    readonly agentDefaults?: AgentDefaults
    readonly logger?: Logger
  }): Promise<System>
}

const DRAIN_MS = 15 * 60_000
/** How often a worker says that it lives, and looks for agents of its own that have work and no caller. */
const BEAT_MS = 1000
/** One that was killed keeps its name for a while. */
const NAME_TRIES = 20

/** @throws InvalidInputError, InvalidIdError, WorkerNameTaken, and what opening the store and the base directory can throw */
export async function openClusterWorker<System extends ClosableSystem>(
  type: WorkerClass<System>,
  { database, drainMs = DRAIN_MS, ...options }: WorkerOptions,
): Promise<ClusterWorker> {
  const { listen, advertise } = await addresses(options)
  const name = options.name === undefined ? addressText(advertise) : checkId('worker', options.name)
  const logger = hostLogger(options.logger)
  const log = withClaims(await postgresStore(database, { access: 'shared', logger }))
  const { store } = log
  const me = { name, epoch: store.epoch }
  const members = await WorkerTable.at(database)
  const cleanUp = async () => {
    await members.leave(name, me.epoch).catch(() => {})
    await members.close()
    await store[Symbol.asyncDispose]()
  }
  let placement: Placement | undefined
  let system: System
  try {
    await join(members, me, addressText(advertise))
    const { baseDir, runner, limits, agentDefaults } = options
    system = await type.open({
      ...{ store, logger, resume: 'on-demand' },
      ...defined({ baseDir, runner, limits, agentDefaults }),
      placement: {
        owns: (id) => residents.has(id),
        call: (...call) => placement?.call(...call),
      },
    })
  } catch (error) {
    await cleanUp()
    throw error
  }
  const residents: Residents = new Residents(system, log, drainMs)
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
  const engine = await engineLayer({ database, listen, advertise, drainMs, logger })
  const runtime = ManagedRuntime.make(entities.pipe(Layer.provideMerge(engine)))
  const sharding = await runtime
    .runPromise(Effect.map(Sharding, (service) => service))
    .catch(async (error) => {
      await system.close()
      await cleanUp()
      throw listenError(error, addressText(listen))
    })
  const client = new ClusterClient(runtime)
  placement = clusterPlacement(client)
  const isMine = (id: string) => sharding.hasShardId(sharding.getShardId(EntityId.make(id), 'default'))

  let end: (why: Error | null) => void = () => {}
  const ended = new Promise<Error | null>((resolve) => {
    end = resolve
  })
  void system.failed.then(end, () => {})
  let heardAt = steadyTime(systemClock)
  let isClosing = false
  const isCutOff = () => steadyTime(systemClock) - heardAt > LOCK_EXPIRY_MS
  const warn = (what: string) => (error: unknown) => logger.warn({ error }, what)

  /** Others may have the agents by now. It also is the first that happens in a process that was frozen. */
  const stopWatching = every(BEAT_MS, async () => {
    if (isCutOff()) await residents.lose().catch(warn('the work of agents that were lost could not be ended'))
  })
  const beat = async () => {
    const askedAt = steadyTime(systemClock)
    const { isReplaced, isDraining, lost } = await members.beat(me, residents.size, log.tokens)
    heardAt = askedAt
    if (isReplaced) end(await replaced(members, name))
    if (isDraining) end(null)
    await residents.lose(lost.map(agentIn))
    // The engine says that they are here, and nothing else has had them for long.
    for (const id of residents.lostFor(LOCK_EXPIRY_MS)) if (isMine(id)) await residents.enter(id)
  }
  const wake = async () => {
    for await (const { stream } of store.streams({ prefix: 'agent/', open: true })) {
      const id = agentIn(stream)
      if (isClosing) return
      if (isMine(id) && !residents.has(id)) void client.command(id, 'start', []).catch(() => {})
    }
  }
  const stopBeating = every(BEAT_MS, async () => {
    await beat().catch(warn('the worker could not say that it lives'))
    if (!isClosing) await wake().catch(warn('agents with work could not be looked for'))
  })

  let closing: Promise<void> | undefined
  const close = async () => {
    isClosing = true
    end(null)
    client.close()
    await runtime.dispose()
    stopWatching()
    await stopBeating()
    await members.leave(name, me.epoch).catch(() => {})
    await members.close()
    await system.close()
  }
  const worker: ClusterWorker = {
    name,
    listen: addressText(listen),
    ended,
    get agents() {
      return residents.size
    },
    async close({ now = false } = {}) {
      if (now) void residents.lose().catch(warn('the work of agents could not be ended'))
      closing ??= close()
      await closing
    },
    [Symbol.asyncDispose]: () => worker.close(),
  }
  return worker
}

async function replaced(members: WorkerTable, worker: string): Promise<Error> {
  const other = (await members.list()).find((member) => member.worker === worker)
  return new WorkerNameTaken({ worker, address: other?.address ?? 'another address' })
}

/** What an address that cannot be listened at comes to. */
function listenError(error: unknown, address: string): unknown {
  const code = codeOf(error)
  if (!/^E(ADDR|ACCES)/.test(code)) return error
  const [problem, hint] =
    code === 'EADDRINUSE'
      ? ['another process listens there', 'Choose another port: --listen HOST:PORT']
      : [`this machine cannot listen there (${code})`, 'Name an address of this machine: --listen HOST:PORT']
  return new InvalidInputError({ what: `listen: ${address}`, problem, hint }, { cause: error })
}

const agentIn = (stream: string) => stream.slice('agent/'.length)

async function addresses({
  listen = '127.0.0.1:0',
  advertise,
  insecureListen = false,
}: Omit<WorkerOptions, 'database'>) {
  const asked = addressFrom('listen', listen)
  if (!insecureListen && !isLoopback(asked))
    throw new InvalidInputError({
      what: 'listen',
      problem: `other machines reach ${addressText(asked)}, and nothing there checks who connects`,
      hint: 'Listen on 127.0.0.1. Or, in a network that only the workers and their clients reach, allow it: --insecure-listen',
    })
  const own = { ...asked, port: asked.port || (await freePort(asked.host)) }
  if (advertise === undefined && /^(?:0\.0\.0\.0|::)$/.test(own.host))
    throw new InvalidInputError({
      what: 'advertise',
      problem: `the others cannot reach a worker at ${own.host}`,
      hint: 'Say where they reach it: --advertise HOST:PORT',
    })
  return { listen: own, advertise: advertise === undefined ? own : addressFrom('advertise', advertise) }
}

async function join(members: WorkerTable, { name, epoch }: { name: string; epoch: number }, address: string) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await members.join(name, address, epoch)
    } catch (error) {
      if (attempt === NAME_TRIES || !(error instanceof WorkerNameTaken)) throw error
      await pause(systemClock, BEAT_MS)
    }
  }
}

async function freePort(host: string): Promise<number> {
  const server = createServer()
  const listening = once(server, 'listening')
  server.listen(0, host)
  await listening.catch((error) => {
    throw listenError(error, host)
  })
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** Does something again and again. Returns what ends that, and resolves once it is not being done any more. */
function every(ms: number, work: () => Promise<void>): () => Promise<void> {
  const ending = new AbortController()
  const done = (async () => {
    while (!ending.signal.aborted) {
      await work()
      await pause(systemClock, ms, ending.signal)
    }
  })()
  return () => {
    ending.abort()
    return done
  }
}

const lines = (values: AsyncGenerator<string>) =>
  Stream.orDie(Stream.fromAsyncIterable(values, (error) => error))
