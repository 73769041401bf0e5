/** A worker: a process of the cluster in which agents live. This is how its parts are put together, and how it begins and ends. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { EntityId } from 'effect/cluster'
import * as Entity from 'effect/cluster/Entity'
import { Sharding } from 'effect/cluster/Sharding'
import * as Effect from 'effect/Effect'
import * as Layer from 'effect/Layer'
import * as ManagedRuntime from 'effect/ManagedRuntime'
import * as Stream from 'effect/Stream'
import type { Residency } from '../actors/agent/moving/moving.ts'
import type { Placement } from '../actors/agent/moving/placement.ts'
import type { AgentRunner } from '../claude/runner.ts'
import { steadyTime, systemClock } from '../clock.ts'
import { WorkerNameTaken } from '../events/errors/owner.ts'
import { ClosedError, InvalidInputError } from '../events/errors/usage.ts'
import { checkId } from '../events/ids.ts'
import { defined } from '../events/json.ts'
import type { AgentDefaults } from '../events/options/agent.ts'
import { checkLabels } from '../events/options/labels.ts'
import type { Limits } from '../events/options/limits.ts'
import { hostLogger, type Logger } from '../logger.ts'
import { packageVersion } from '../owner/version.ts'
import { errorLine } from '../owner/wire.ts'
import type { ClusterPlacement, RunPlacement } from '../patterns/runs/run.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { openPostgresStore } from '../store/postgres/store.ts'
import { ClusterClient, clusterPlacement } from './client.ts'
import { engineLayer } from './engine.ts'
import { agentEntity, engineTransport, runEntity } from './entity.ts'
import { withClaims } from './handover/claims.ts'
import { OtherLeases, OwnLease } from './handover/lease.ts'
import { leased } from './handover/leased.ts'
import { lifeline } from './handover/lifeline.ts'
import { takeName } from './handover/names.ts'
import { Presence } from './handover/presence.ts'
import { serveHealth } from './health.ts'
import { Addresses, requiredOf } from './labels/addresses.ts'
import { groupPlace, labelKey } from './labels/groups.ts'
import {
  addressFrom,
  addressText,
  type ClusterWorker,
  isLoopback,
  listenError,
  type WorkerOptions,
} from './options.ts'
import { type LabelPlaces, Residents, type WorkerSystem } from './residents.ts'
import { type RunningSystem, RunResidents } from './run-residents.ts'
import { clusterRuns, noDrivers } from './runs.ts'
import { Waking } from './waking.ts'
import { WorkerTable } from './worker-table.ts'

interface ClosableSystem extends WorkerSystem, Omit<RunningSystem, 'agent'> {
  readonly failed: Promise<Error>
  close(): Promise<void>
}

interface WorkerClass<System> {
  open(options: {
    readonly baseDir?: string
    readonly store: ChainedStore
    readonly placement: ClusterPlacement
    readonly residency: Residency
    readonly resume: 'on-demand'
    readonly runner?: AgentRunner
    readonly maxAgents?: number
    readonly limits?: Limits
    readonly agentDefaults?: AgentDefaults
    readonly logger?: Logger
  }): Promise<System>
}

const DRAIN_MS = 15 * 60_000

/** @throws InvalidInputError, InvalidIdError, WorkerNameTaken, and what opening the store and the base directory can throw */
export async function openClusterWorker<System extends ClosableSystem>(
  type: WorkerClass<System>,
  { database, drainMs = DRAIN_MS, ...options }: WorkerOptions,
): Promise<ClusterWorker> {
  const { listen, advertise } = await addresses(options)
  const name = options.name === undefined ? addressText(advertise) : checkId('worker', options.name)
  const logger = hostLogger(options.logger)
  const labels = checkLabels('labels', options.labels ?? [])
  const healthAt = options.health === undefined ? undefined : addressFrom('health', options.health)
  const members = await WorkerTable.at(database)
  const ownStore = await (async () => {
    await members.checkProtocol()
    await members.checkClock(systemClock)
    return openPostgresStore(database, { access: 'shared', logger })
  })().catch(async (error) => {
    await members.close()
    throw error
  })
  const own = new OwnLease(steadyTime(systemClock))
  const others = new OtherLeases()
  const log = withClaims(ownStore, leased({ store: ownStore, own, others, clock: systemClock, logger }))
  const { store } = log
  const me = { name, epoch: store.epoch }
  const release = packageVersion()
  let line: Awaited<ReturnType<typeof lifeline>> | undefined
  /** Says that this worker has ended: others take what it had, so nothing of it runs any more. */
  const leave = async () => {
    await members.leave(name, me.epoch).catch(() => {})
    await members.close()
    await line?.[Symbol.asyncDispose]()
  }
  const cleanUp = async () => {
    await store[Symbol.asyncDispose]()
    await leave()
  }
  let placement: Placement | undefined
  let runPlacement: RunPlacement | undefined
  let system: System
  let groups: ReadonlyMap<string, string>
  try {
    line = await lifeline(me.epoch, listen.host, advertise.host).catch((error) => {
      throw listenError('listen', error, addressText(listen))
    })
    const about = { release, labels, address: addressText(advertise), lifeline: line.address }
    own.answered(await takeName({ ...me, ...about }, { members, others, clock: systemClock, logger }))
    groups = await members.groupsServed(labels)
    const { baseDir, runner, maxAgents, limits, agentDefaults, sharedDir = false } = options
    system = await type.open({
      ...{ store, logger, resume: 'on-demand' },
      ...defined({ baseDir, runner, maxAgents, limits, agentDefaults }),
      residency: { worker: name, sharedDir },
      placement: {
        owns: (id) => residents.has(id),
        call: (...call) => placement?.call(...call),
        runs: {
          owns: (id) => runs.has(id),
          execute: (id) => runs.execute(id),
          begin: async (run) => started(runPlacement).begin(run),
          cancel: async (...cancellation) => started(runPlacement).cancel(...cancellation),
          drivers: noDrivers,
        },
        claim: (stream) => log.claim(stream),
      },
    })
  } catch (error) {
    await cleanUp()
    throw error
  }
  const groupOf = (requires: readonly string[]) => groups.get(labelKey(requires))
  const places: LabelPlaces = {
    groupOf,
    required: (agent) => requiredOf(store, agent),
    isNowhere: async (requires) => (await members.groupOf(requires)) === undefined,
    letGo: (agent, requires) => client.letGo(agent, requires),
  }
  const residents: Residents = new Residents(system, log, places, drainMs)
  let shardOf: (id: string) => unknown = () => undefined
  // What is in one shard moves together: a run is executed here as long as an agent keeps it.
  const runs: RunResidents = new RunResidents(system, log, name, (run) =>
    Promise.all(
      [...residents.ids].map(
        (id) => String(shardOf(residents.addressOf(id))) === String(shardOf(run)) && residents.settled(id),
      ),
    ),
  )
  /** It lives here as long as the engine has it here. */
  const resident = (here: Residents | RunResidents) =>
    Effect.gen(function* () {
      const { entityId, shardId } = yield* Entity.CurrentAddress
      const sharding = yield* Sharding
      yield* Effect.acquireRelease(
        Effect.promise(() => here.enter(entityId, () => sharding.hasShardId(shardId))),
        () => Effect.promise(() => here.leave(entityId)),
      )
      return entityId
    })
  const isOurs = ({ log }: { readonly log: string }) => log === store.storeId
  const answer = (asked: { readonly log: string }, here: () => Promise<string>) =>
    Effect.promise(async () => (isOurs(asked) ? here() : NOT_HERE))
  const tell = (asked: { readonly log: string }, here: () => AsyncGenerator<string>) =>
    isOurs(asked) ? lines(here()) : Stream.make(NOT_HERE)
  const handlers = Effect.gen(function* () {
    const entityId = yield* resident(residents)
    return agentEntity.of({
      Command: ({ payload }) => answer(payload, () => residents.command(entityId, payload.request)),
      Ask: ({ payload }) => tell(payload, () => residents.ask(entityId, payload.request)),
      Drafts: ({ payload }) => tell(payload, () => residents.drafts(entityId)),
    })
  })
  const runHandlers = Effect.gen(function* () {
    const entityId = yield* resident(runs)
    return runEntity.of({
      Command: ({ payload }) => answer(payload, () => runs.command(entityId, payload.request)),
      Ask: ({ payload }) => tell(payload, () => runs.follow(entityId, payload.request)),
    })
  })
  const entities = Layer.merge(
    agentEntity.toLayer(handlers, { concurrency: 'unbounded' }),
    runEntity.toLayer(runHandlers, { concurrency: 'unbounded' }),
  )
  const engine = await engineLayer({
    ...{ database, listen, advertise, drainMs, logger },
    groups: [...groups.values()],
    whenEmpty: (shard) =>
      Promise.all(
        [residents, runs].map((here) =>
          here.without((id) => shard === undefined || String(shardOf(id)) === shard),
        ),
      ),
    known: () => members.addresses(),
  })
  const runtime = ManagedRuntime.make(entities.pipe(Layer.provideMerge(engine)))
  const sharding = await runtime
    .runPromise(Effect.map(Sharding, (service) => service))
    .catch(async (error) => {
      await system.close()
      await cleanUp()
      throw listenError('listen', error, addressText(listen))
    })
  const client: ClusterClient = new ClusterClient(
    engineTransport(runtime, store.storeId),
    new Addresses({ members, logger }),
  )
  placement = clusterPlacement(client)
  runPlacement = clusterRuns({
    ...{ client, store },
    owns: (id) => runs.has(id),
    execute: (id) => runs.execute(id),
    drivers: noDrivers,
  })
  const shard = (address: string) => sharding.getShardId(EntityId.make(address), groupPlace(address).group)
  shardOf = shard
  const isMine = (address: string) => sharding.hasShardId(shard(address))

  let end: (why: Error | null) => void = () => {}
  const ended = new Promise<Error | null>((resolve) => {
    end = resolve
  })
  void system.failed.then(end, () => {})
  let isClosing = false
  let draining = false
  const warn = (what: string) => (error: unknown) => logger.warn({ error }, what)
  const presence = new Presence({
    ...{ me, members, log, own, others, logger, clock: systemClock },
    here: [residents, runs],
    told: () => ({ agents: residents.size, waiting: runs.waiting }),
    onReplaced: async () => end(await replaced(members, name)),
    onDrain() {
      draining = true
      end(null)
    },
  })
  const { duties } = system
  const waking = new Waking({ store, client, residents, runs, duties, groupOf, isMine, logger })

  let health: Awaited<ReturnType<typeof serveHealth>> | undefined
  let closing: Promise<void> | undefined
  const close = async () => {
    isClosing = true
    end(null)
    waking.end()
    await duties.tendSchedules(() => false).catch(() => {})
    client.close()
    let hasEnded = false
    try {
      await runtime.dispose()
      await waking.stop()
      await system.close()
      hasEnded = true
    } finally {
      await presence.stop()
      // What did not end well may still be at work: others wait until the lease is over, or this process has ended.
      await (hasEnded ? leave() : members.close())
      await health?.[Symbol.asyncDispose]()
    }
  }
  if (healthAt)
    try {
      health = await serveHealth(healthAt, () => ({
        ...{ worker: name, release, agents: residents.size },
        draining: draining || isClosing,
        cutOff: presence.isCutOff,
        unheardMs: presence.unheardMs,
      }))
    } catch (error) {
      await close()
      throw error
    }
  const worker: ClusterWorker = {
    name,
    listen: addressText(listen),
    health: health?.address,
    ended,
    get agents() {
      return residents.size
    },
    async close({ now = false } = {}) {
      if (now)
        void Promise.all([residents.lose(), runs.lose()]).catch(warn('the work of agents could not be ended'))
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

/** Throws while the worker is being opened. */
function started(placement: RunPlacement | undefined): RunPlacement {
  if (placement) return placement
  throw new ClosedError({ what: 'cluster' })
}

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

async function freePort(host: string): Promise<number> {
  const server = createServer()
  const listening = once(server, 'listening')
  server.listen(0, host)
  await listening.catch((error) => {
    throw listenError('listen', error, host)
  })
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** To those who look for a worker of another cluster, which had this address before: they look again. */
const NOT_HERE = JSON.stringify(errorLine(new ClosedError({ what: 'worker' })))

const lines = (values: AsyncGenerator<string>) =>
  Stream.orDie(Stream.fromAsyncIterable(values, (error) => error))
