/**
 * A worker: a process of the cluster in which agents live. Once a second it says that it lives, and hears which of its
 * agents something else has claimed; those, or all if it cannot ask for long, end at once.
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
import { requiredLabels } from '../actors/agent/list.ts'
import type { Residency } from '../actors/agent/moving/moving.ts'
import type { Placement } from '../actors/agent/moving/placement.ts'
import { foldStream } from '../actors/engine/history.ts'
import { UnreadableStreams } from '../actors/engine/unreadable.ts'
import type { AgentRunner } from '../claude/runner.ts'
import { pause, steadyTime, systemClock } from '../clock.ts'
import { WorkerNameTaken } from '../events/errors/owner.ts'
import { ClosedError, InvalidInputError } from '../events/errors/usage.ts'
import { checkId } from '../events/ids.ts'
import { defined } from '../events/json.ts'
import type { AgentDefaults } from '../events/options/agent.ts'
import { checkLabels } from '../events/options/labels.ts'
import type { Limits } from '../events/options/limits.ts'
import { hostLogger, type Logger } from '../logger.ts'
import { packageVersion } from '../owner/version.ts'
import { runKind } from '../patterns/runs/machine.ts'
import { portable } from '../patterns/runs/options.ts'
import type { ClusterPlacement, RunPlacement } from '../patterns/runs/run.ts'
import type { EventStore } from '../store/event-store.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { postgresStore } from '../store/postgres/store.ts'
import { withClaims } from './claims.ts'
import { ClusterClient, clusterPlacement } from './client.ts'
import { engineLayer } from './engine.ts'
import { agentEntity, engineTransport, runEntity } from './entity.ts'
import { serveHealth } from './health.ts'
import { Addresses, requiredOf } from './labels/addresses.ts'
import { addressIn, groupPlace, labelKey } from './labels/groups.ts'
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
import { CUT_OFF_AFTER_MS, WorkerTable } from './worker-table.ts'

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
/** How often a worker says that it lives, and looks for agents of its own that have work and no caller. */
const BEAT_MS = 1000
/** How often it is tried to build the workflow of a run that waits. */
const LOOKED_AT_AGAIN_MS = 60_000
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
  const labels = checkLabels('labels', options.labels ?? [])
  const healthAt = options.health === undefined ? undefined : addressFrom('health', options.health)
  const members = await WorkerTable.at(database)
  const log = await (async () => {
    await members.checkProtocol()
    await members.checkClock(systemClock)
    return withClaims(await postgresStore(database, { access: 'shared', logger }))
  })().catch(async (error) => {
    await members.close()
    throw error
  })
  const { store } = log
  const me = { name, epoch: store.epoch }
  const release = packageVersion()
  const cleanUp = async () => {
    await members.leave(name, me.epoch).catch(() => {})
    await members.close()
    await store[Symbol.asyncDispose]()
  }
  let placement: Placement | undefined
  let runPlacement: RunPlacement | undefined
  let system: System
  let groups: ReadonlyMap<string, string>
  try {
    await join(members, { ...me, release, labels }, addressText(advertise))
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
  const handlers = Effect.gen(function* () {
    const entityId = yield* resident(residents)
    return agentEntity.of({
      Command: ({ payload }) => Effect.promise(() => residents.command(entityId, payload.request)),
      Ask: ({ payload }) => lines(residents.ask(entityId, payload.request)),
      Drafts: () => lines(residents.drafts(entityId)),
    })
  })
  const runHandlers = Effect.gen(function* () {
    const entityId = yield* resident(runs)
    return runEntity.of({
      Command: ({ payload }) => Effect.promise(() => runs.command(entityId, payload.request)),
      Ask: ({ payload }) => lines(runs.follow(entityId, payload.request)),
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
    gone: () => members.gone(addressText(advertise)),
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
    engineTransport(runtime),
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
  let heardAt = steadyTime(systemClock)
  let isClosing = false
  let draining = false
  const isCutOff = () => steadyTime(systemClock) - heardAt > CUT_OFF_AFTER_MS
  const warn = (what: string) => (error: unknown) => logger.warn({ error }, what)

  /**
   * Others may have the agents soon. It also is the first that happens in a process that was frozen. One whose end takes long
   * holds up none of the others.
   */
  const stopWatching = every(BEAT_MS, async () => {
    if (isCutOff())
      void Promise.all([residents.lose(), runs.lose()]).catch(
        warn('the work of agents that were lost could not be ended'),
      )
  })
  /** Nothing in it waits for anything but the answer: one agent that ends slowly would look like a database that is silent. */
  const beat = async () => {
    const askedAt = steadyTime(systemClock)
    const asked = new Map(log.tokens)
    const { isReplaced, isDraining, lost } = await members.beat(me, residents.size, asked, runs.waiting)
    heardAt = askedAt
    if (isReplaced) end(await replaced(members, name))
    if (isDraining) {
      draining = true
      end(null)
    }
    // What was claimed here once more meanwhile is not lost.
    const isLost = (stream: string) => log.tokens.get(stream) === asked.get(stream)
    for (const here of [residents, runs])
      void here.loseStreams(lost.filter(isLost)).catch(warn('the work of what was lost could not be ended'))
  }
  const unreadable = new UnreadableStreams(logger)
  /** The requests that keep what has work here, by stream. */
  const kept = new Set<string>()
  const keep = (stream: string, request: () => Promise<unknown>) => {
    if (kept.has(stream)) return
    kept.add(stream)
    void request()
      .catch(() => {})
      .finally(() => kept.delete(stream))
  }
  /** The runs that only the program that has started them can execute, and those that wait: when to look at each again. */
  const left = new Map<string, number>()
  const lookLater = (run: string) => left.set(run, steadyTime(systemClock) + LOOKED_AT_AGAIN_MS)
  const drive = async (run: string) => {
    await client.runCommand(run, 'drive', [])
    if (Object.hasOwn(runs.waiting, run)) lookLater(run)
  }
  /** The engine says that they are here, and nothing else has had them for long. */
  const regain = () =>
    Promise.all([residents, runs].map((here) => here.regain(CUT_OFF_AFTER_MS))).catch(
      warn('what was lost here could not be claimed again'),
    )
  const wake = async () => {
    // One of them may have to wait for another worker.
    keep('regain', regain)
    for await (const { stream, version, summary } of store.streams({ prefix: 'agent/', open: true })) {
      const id = idIn(stream)
      if (isClosing) return
      const { now: requires = [] } = requiredLabels(summary) ?? {}
      const group = groupOf(requires)
      if (group !== undefined && isMine(addressIn(group, id)))
        keep(`${group} ${stream}`, () =>
          unreadable.unless({ stream, version }, () => client.command(id, 'start', [], requires)),
        )
    }
    for await (const { stream, version } of store.streams({ prefix: 'run/', open: true })) {
      const id = idIn(stream)
      if (isClosing) return
      if (!isMine(id) || (left.get(id) ?? 0) > steadyTime(systemClock)) continue
      await unreadable.unless({ stream, version }, async () => {
        if (await isOfItsProgram(store, stream)) lookLater(id)
        else keep(stream, () => drive(id))
      })
    }
    if (!isClosing) await system.duties.tendSchedules(isMine)
    if (!isClosing) await system.duties.tendTopics(isMine)
  }
  const stopBeating = every(BEAT_MS, () => beat().catch(warn('the worker could not say that it lives')))
  // What hangs in there must not keep the worker from saying that it lives.
  const stopWaking = every(BEAT_MS, async () => {
    if (!isClosing) await wake().catch(warn('agents with work could not be looked for'))
  })

  let health: Awaited<ReturnType<typeof serveHealth>> | undefined
  let closing: Promise<void> | undefined
  const close = async () => {
    isClosing = true
    end(null)
    await system.duties.tendSchedules(() => false).catch(() => {})
    client.close()
    await runtime.dispose()
    stopWatching()
    await Promise.all([stopBeating(), stopWaking()])
    await members.leave(name, me.epoch).catch(() => {})
    await members.close()
    await system.close()
    await health?.[Symbol.asyncDispose]()
  }
  if (healthAt)
    try {
      health = await serveHealth(healthAt, () => ({
        ...{ worker: name, release, agents: residents.size },
        draining: draining || isClosing,
        cutOff: isCutOff(),
        unheardMs: Math.round(steadyTime(systemClock) - heardAt),
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

const idIn = (stream: string) => stream.slice(stream.indexOf('/') + 1)

/** Throws while the worker is being opened. */
function started(placement: RunPlacement | undefined): RunPlacement {
  if (placement) return placement
  throw new ClosedError({ what: 'cluster' })
}

/** Whether the workflow of a run is code, as of its last execution. */
async function isOfItsProgram(store: EventStore, stream: string): Promise<boolean> {
  const { context } = (await foldStream(runKind, store, stream)).snapshot
  return portable(context.workflow) === null
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

async function join(
  members: WorkerTable,
  {
    name,
    epoch,
    ...about
  }: {
    readonly name: string
    readonly epoch: number
    readonly release: string
    readonly labels: readonly string[]
  },
  address: string,
) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await members.join(name, address, epoch, about)
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
    throw listenError('listen', error, host)
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
