/**
 * The engine of the cluster: Effect Cluster over TCP, with PostgreSQL for who runs and which shards each has. It stores no
 * message. A change of what is here, or of `entity.ts`, that an earlier release does not understand is another `CLUSTER_PROTOCOL`.
 */
import { layer as socketLayer } from '@effect/platform-node/NodeClusterSocket'
import { layer as postgresLayer } from '@effect/sql-pg/PgClient'
import * as Cause from 'effect/Cause'
import {
  MessageStorage,
  RunnerAddress,
  RunnerStorage,
  ShardingConfig,
  SqlRunnerStorage,
} from 'effect/cluster'
import * as Effect from 'effect/Effect'
import * as Layer from 'effect/Layer'
import * as Logger from 'effect/Logger'
import * as Option from 'effect/Option'
import * as Redacted from 'effect/Redacted'
import { defined } from '../events/json.ts'
import type { Logger as HostLogger } from '../logger.ts'
import { serverAddress } from '../store/postgres/database.ts'
import { CUT_OFF_AFTER_MS } from './handover/lease.ts'
import { GROUPS } from './labels/groups.ts'
import type { Address } from './options.ts'
import { type Beyond, carefulStorage } from './runner-storage.ts'

export interface EngineOptions extends Beyond {
  readonly database: string
  /** Where the others reach this worker; absent in a client, which has no agents. */
  readonly advertise?: Address
  readonly listen?: Address
  /** How long an agent that moves away may take to end its work, in ms. */
  readonly drainMs: number
  /** The groups of shards that it serves; a client serves none. */
  readonly groups?: readonly string[]
  readonly logger: HostLogger
}

/** What the engine warns of, such as a lock that it could not renew in time: then agents leave this worker. */
const warningsTo = (logger: HostLogger) =>
  Logger.make(({ message, logLevel, cause }) => {
    if (!['Warn', 'Error', 'Fatal'].includes(logLevel)) return
    const why = cause.reasons.length > 0 ? { error: Cause.pretty(cause) } : {}
    logger.warn(why, `the cluster's engine: ${[message].flat().map(String).join(' ')}`)
  })

/** The same in all processes of a cluster. */
const SHARDS = 64
/** In the schema of the log, which is there before the engine is. */
const ENGINE_TABLES = 'claude_agents.cluster'
/** Of the process of a worker or a client: see `maxConnections` of the driver. */
const ENGINE_CONNECTIONS = 4
/**
 * How long a worker that is not heard of keeps its agents, while its connections last. Locks are renewed, and each operation
 * on them has to end, within a third of that. Others that get its agents wait for its lease (`handover/lease.ts`).
 */
const LOCK_EXPIRY_MS = 2 * CUT_OFF_AFTER_MS

export async function engineLayer({
  database,
  advertise,
  listen,
  drainMs,
  groups = [],
  logger,
  ...beyond
}: EngineOptions) {
  const { user, password, host, port, ...where } = await serverAddress(database)
  const socket = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
  const address = (at: Address | undefined) =>
    Option.map(Option.fromUndefinedOr(at), ({ host, port }) => RunnerAddress.make(host, port))
  const shardingConfig = {
    runnerAddress: address(advertise),
    runnerListenAddress: address(listen),
    shardsPerGroup: SHARDS,
    availableShardGroups: GROUPS,
    assignedShardGroups: groups,
    shardLockExpiration: LOCK_EXPIRY_MS,
    shardLockRefreshInterval: LOCK_EXPIRY_MS / 3,
    refreshAssignmentsInterval: 1000,
    runnerHealthCheckInterval: 1000,
    entityTerminationTimeout: drainMs,
    entityMaxIdleTime: 600_000,
    entityMailboxCapacity: 'unbounded' as const,
    maxResidentEntities: 'unbounded' as const,
    simulateRemoteSerialization: false,
  }
  return socketLayer({ storage: 'byo', clientOnly: advertise === undefined, shardingConfig }).pipe(
    Layer.provideMerge(MessageStorage.layerNoop),
    Layer.provide(
      Layer.effect(
        RunnerStorage.RunnerStorage,
        Effect.map(RunnerStorage.RunnerStorage, (storage) => carefulStorage(storage, beyond)),
      ).pipe(
        Layer.provide(Layer.orDie(SqlRunnerStorage.layerWith({ prefix: ENGINE_TABLES }))),
        Layer.provide(ShardingConfig.layer(shardingConfig)),
      ),
    ),
    Layer.provide(
      Layer.orDie(
        postgresLayer({
          ...defined({ database: where.database, username: user, ssl: where.ssl || undefined }),
          ...socket,
          ...(password === undefined ? {} : { password: Redacted.make(password) }),
          maxConnections: ENGINE_CONNECTIONS,
          applicationName: `claude-agents ${process.pid} cluster`,
        }),
      ),
    ),
    Layer.provide(Logger.layer([warningsTo(logger)])),
  )
}
