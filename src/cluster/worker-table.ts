/** The workers of a cluster, in a table of its database: each says every second that it lives, and hears what is asked of it. */
import { agentIdOf, type RequiredLabels, requiredLabels } from '../actors/agent/list.ts'
import type { Clock } from '../clock.ts'
import { ClusterProtocolMismatch, WorkerNotFound } from '../events/errors/owner.ts'
import { codeOf } from '../events/errors/phrases.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { streamName } from '../events/ids.ts'
import { nearestName } from '../events/nearest-name.ts'
import { labelSet } from '../events/options/labels.ts'
import type { RunDriver, WaitingReason } from '../patterns/runs/options.ts'
import { clockSkew, LARGEST_SKEW_MS, skewText } from '../store/postgres/clock-skew.ts'
import { PostgresDatabase } from '../store/postgres/database.ts'
import { SURELY_OVER } from '../store/postgres/schema.ts'
import { CUT_OFF_AFTER_MS } from './handover/lease.ts'
import type { Watched } from './handover/lifeline.ts'
import {
  EVERYWHERE,
  groupName,
  hasAll,
  labelKey,
  labelsOfKey,
  MOST_GROUPS,
  servedSets,
} from './labels/groups.ts'

/** A worker, as `cluster workers` lists it. */
export interface WorkerRow {
  readonly worker: string
  readonly address: string
  /** How many agents live in it. */
  readonly agents: number
  readonly since: string
  /** Whether it hands its agents over, and ends. */
  readonly draining: boolean
  /** The version of the package; empty for one of before they said so. */
  readonly release: string
  /** What it has that agents can require. */
  readonly labels: readonly string[]
}

/** An agent that lives in a worker. */
export interface AgentPlace {
  readonly agent: string
  readonly worker: string
}

/** Agents that live nowhere, and require the same. */
export interface UnplacedAgents {
  readonly requires: readonly string[]
  /** How many there are. */
  readonly agents: number
  /** The first of them, by its id. */
  readonly first: string
}

/** A worker that begins. */
export interface NewWorker {
  readonly name: string
  readonly address: string
  /** The number of its writer, which no other one ever had. */
  readonly epoch: number
  readonly lifeline?: string
  readonly release?: string
  readonly labels?: readonly string[]
}

/** A claim that its worker does not know of. */
export interface Stray {
  readonly stream: string
  readonly token: string
}

export interface Heartbeat {
  /** Whether another worker has its name, because this one was not heard of for long. */
  readonly isReplaced: boolean
  readonly isDraining: boolean
  /** The streams that something else has claimed since. */
  readonly lost: readonly string[]
}

/** Another worker, as it is seen while it may be at work. */
export interface OtherWorker extends Watched {
  readonly worker: string
  readonly address: string
  /** Another one with each heartbeat. */
  readonly beat: string
}

/** One that was not heard of for so long is none any more. */
const FORGOTTEN_AFTER_MS = CUT_OFF_AFTER_MS
/** What processes of a cluster say to each other: those of other numbers are no cluster with this one. */
export const CLUSTER_PROTOCOL = 5
/** One whose process is said to be gone is heard of no more. */
const GONE_AFTER_MS = 2000
/** What is asked beside the heartbeats, on the same connection: it must not keep these waiting. */
const BESIDE_MS = 2500
/** The rows of workers that were killed. */
const KEPT_FOR = '1 day'
/** Of a row: something else with each heartbeat. */
const BEAT = 'extract(epoch from seen)::text'
const IS_THERE = `seen > now() - interval '${FORGOTTEN_AFTER_MS} ms'`
/** A heartbeat is not repeated: the next one follows. */
const PATIENCE_MS = 1
const CONNECTIONS = 2
const UNIQUE_VIOLATION = '23505'
const GROUP_TRIES = 10
const UNDEFINED_TABLE = '42P01'
const UNDEFINED_COLUMN = '42703'
/** The tables are of a release that had none of this. */
const NOT_MADE: ReadonlySet<string | undefined> = new Set([UNDEFINED_TABLE, UNDEFINED_COLUMN])

export class WorkerTable {
  readonly #database: PostgresDatabase
  readonly #table: string

  private constructor(database: PostgresDatabase) {
    this.#database = database
    this.#table = `${database.schema}.workers`
  }

  static async at(url: string, patienceMs = PATIENCE_MS): Promise<WorkerTable> {
    return new WorkerTable(await PostgresDatabase.at(url, { connections: CONNECTIONS, patienceMs }))
  }

  /** Whether a database has workers. What is wrong with it is told by what uses it then. */
  static async areIn(url: string): Promise<boolean> {
    await using members = await WorkerTable.at(url)
    return await members.list().then(
      ({ length }) => length > 0,
      () => false,
    )
  }

  /** None in a database that never had one. */
  async list(): Promise<readonly WorkerRow[]> {
    const workers = `select name as worker, address, agents,
      to_char(since at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as since, draining,
      coalesce(to_jsonb(one)->>'release', '') as release, coalesce(to_jsonb(one)->>'labels', '') as labels
      from ${this.#table} as one where ${IS_THERE} order by name`
    const rows = await this.#known<Omit<WorkerRow, 'labels'> & { readonly labels: string }>(
      'workers',
      workers,
    )
    return rows.map((row) => ({ ...row, labels: labelsOfKey(row.labels) }))
  }

  /**
   * Asked before the tables are brought up to date: those of an earlier release may be in use, and have no such column.
   *
   * @throws ClusterProtocolMismatch where a worker lives that speaks another protocol
   */
  async checkProtocol(known = CLUSTER_PROTOCOL): Promise<void> {
    const [other] = await this.#known<{ worker: string; protocol: number; release: string }>(
      'protocol',
      `select name as worker, protocol, release from (
         select name, coalesce((to_jsonb(one)->>'protocol')::int, 1) as protocol,
           coalesce(to_jsonb(one)->>'release', '') as release from ${this.#table} as one where ${IS_THERE}
       ) as members where protocol <> $1 order by name limit 1`,
      [known],
    )
    if (other) throw new ClusterProtocolMismatch({ ...other, known })
  }

  async #known<Row extends object>(
    name: string,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<readonly Row[]> {
    return this.#database.rows<Row>(name, text, values).catch((error) => {
      if (codeOf(error.cause) === UNDEFINED_TABLE) return []
      throw error.cause === undefined ? error : this.#database.notOpened(error.cause)
    })
  }

  /** Who executes which of the open runs, or why a worker has left one as it was. */
  async drivers(): Promise<ReadonlyMap<string, RunDriver>> {
    const { schema } = this.#database
    const rows = await this.#database
      .rows<{ run: string; worker: string; waiting: string }>(
        'drivers',
        `select run.stream as run, worker.name as worker, worker.waiting from ${schema}.streams as run
         join ${schema}.claims as claim on claim.stream = 'execution' || substr(run.stream, 4)
         join ${this.#table} as worker on worker.epoch::text = split_part(claim.token, '.', 1)
         where run.is_open and run.stream like 'run/%' and worker.${IS_THERE}`,
      )
      .catch((error) => {
        if (NOT_MADE.has(codeOf(error.cause))) return []
        throw error
      })
    return new Map(
      rows.map(({ run, worker, waiting }) => {
        const runId = run.slice('run/'.length)
        const reasons = JSON.parse(waiting) as Readonly<Record<string, WaitingReason>>
        const reason = Object.hasOwn(reasons, runId) ? reasons[runId] : undefined
        return [runId, reason === undefined ? { driver: worker } : { reason }]
      }),
    )
  }

  /** The worker in which each agent lives that lives in one. */
  async agents(): Promise<readonly AgentPlace[]> {
    const { schema } = this.#database
    return this.#database
      .rows<AgentPlace>(
        'agents',
        `select substr(claim.stream, 7) as agent, worker.name as worker from ${schema}.claims as claim
         join ${this.#table} as worker on worker.epoch::text = split_part(claim.token, '.', 1)
         where claim.stream like 'agent/%' and worker.${IS_THERE}`,
      )
      .catch((error) => {
        if (NOT_MADE.has(codeOf(error.cause))) return []
        throw error
      })
  }

  /** The agents that live nowhere, because no worker has all of the labels that they require. Counted where they are: there may be many. */
  async unplaced(): Promise<readonly UnplacedAgents[]> {
    const { schema } = this.#database
    const workers = await this.list()
    // The texts are JSON, which has such a key nowhere else, and no label has a bracket.
    const rows = await this.#known<Omit<UnplacedAgents, 'requires'> & { readonly requires: string }>(
      'requiring',
      `select substring(summary, '"requires":(\\[[^]]*\\])') as requires, count(*)::int as agents, min(stream) as first
       from ${schema}.streams
       where stream >= 'agent/' and stream < 'agent/\x7f' and is_there and summary like '%"requires":[%'
       group by 1 order by 3`,
    )
    return rows.flatMap(({ requires: text, agents, first }) => {
      const requires = labelSet(JSON.parse(text))
      const isPlaced = workers.some(({ labels }) => hasAll(labels, requires))
      return isPlaced ? [] : [{ requires, agents, first: agentIdOf(first) }]
    })
  }

  /** What agents require, as the log has it. Only those that there are. */
  async required(agents: readonly string[]): Promise<ReadonlyMap<string, RequiredLabels>> {
    const rows = await this.#database.rows<{ readonly stream: string; readonly summary: string | null }>(
      'required',
      `select stream, summary from ${this.#database.schema}.streams where stream = any ($1::text[])`,
      [agents.map((agent) => streamName('agent', agent))],
      BESIDE_MS,
    )
    return new Map(
      rows.flatMap(({ stream, summary }) => {
        const required = requiredLabels(summary === null ? null : JSON.parse(summary))
        return required ? [[agentIdOf(stream), required]] : []
      }),
    )
  }

  /** The group of shards of those that require these labels; undefined if no worker has all of them. */
  async groupOf(requires: readonly string[]): Promise<string | undefined> {
    if (requires.length === 0) return EVERYWHERE
    const key = labelKey(requires)
    return (await this.groupsOf([key])).get(key)
  }

  /** The groups of sets of labels, by their keys. Only of those that a worker has. */
  async groupsOf(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#database.rows<{ labels: string; number: number }>(
      'group',
      `select labels, number from ${this.#database.schema}.label_groups as served where labels = any ($1::text[]) and exists (
         select from ${this.#table} as worker
         where ${IS_THERE} and string_to_array(worker.labels, ',') @> string_to_array(served.labels, ','))`,
      [keys],
      BESIDE_MS,
    )
    return new Map(rows.map(({ labels, number }) => [labels, groupName(number)]))
  }

  /**
   * The groups of the sets of labels that a worker has, by their keys. Those that no worker serves any more are forgotten.
   *
   * @throws InvalidInputError if the cluster has too many
   */
  async groupsServed(labels: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const { schema } = this.#database
    const keys = servedSets(labels).map(labelKey)
    const groups = new Map([['', EVERYWHERE]])
    if (keys.length === 0) return groups
    await this.#database.rows(
      'unserved groups',
      `delete from ${schema}.label_groups as served where not exists (
         select from ${this.#table} as worker
         where string_to_array(worker.labels, ',') @> string_to_array(served.labels, ','))`,
    )
    for (let attempt = 1; ; attempt++)
      try {
        await this.#database.rows(
          'new groups',
          `with wanted as (
             select labels, row_number() over (order by labels) as place from unnest($1::text[]) as wanted (labels)
             where not exists (select from ${schema}.label_groups as known where known.labels = wanted.labels)
           ), free as (
             select n as number, row_number() over (order by n) as place from generate_series(1, $2::int) as n
             where not exists (select from ${schema}.label_groups as known where known.number = n)
           )
           insert into ${schema}.label_groups (number, labels)
             select free.number, wanted.labels from wanted join free using (place)`,
          [keys, MOST_GROUPS],
        )
        break
      } catch (error) {
        // Another worker has made groups at the same moment.
        if (attempt === GROUP_TRIES || codeOf((error as Error).cause) !== UNIQUE_VIOLATION) throw error
      }
    const rows = await this.#database.rows<{ number: number; labels: string }>(
      'groups',
      `select number, labels from ${schema}.label_groups where labels = any ($1::text[])`,
      [keys],
    )
    if (rows.length < keys.length)
      throw new InvalidInputError({
        what: `The labels ${labels.join(', ')}`,
        problem: `the workers of a cluster serve at most ${MOST_GROUPS} sets of labels together`,
        hint: 'Give this worker fewer labels, or the same as others have.',
      })
    for (const row of rows) groups.set(row.labels, groupName(row.number))
    return groups
  }

  /** The addresses of those that have not left, nor are known to have ended; undefined if the database does not answer. */
  async addresses(): Promise<ReadonlySet<string> | undefined> {
    try {
      const rows = await this.#database.rows<{ address: string }>(
        'addresses',
        `select address from ${this.#table}`,
        [],
        BESIDE_MS,
      )
      return new Set(rows.map(({ address }) => address))
    } catch {
      return undefined
    }
  }

  /** Those that may be at work, but for one. */
  async others(epoch: number): Promise<readonly OtherWorker[]> {
    return this.#database.rows<OtherWorker>(
      'others',
      `select name as worker, address, epoch::int, lifeline, ${BEAT} as beat from ${this.#table}
       where epoch <> $1 and seen > now() - interval '${SURELY_OVER}'`,
      [epoch],
      BESIDE_MS,
    )
  }

  /** The process of a worker is gone: others take what it has. Does nothing as long as it is heard of. */
  async ended(epoch: number): Promise<void> {
    await this.#database.rows(
      'ended',
      `delete from ${this.#table} where epoch = $1 and seen < now() - interval '${GONE_AFTER_MS} ms'`,
      [epoch],
      BESIDE_MS,
    )
  }

  /** What is claimed by a worker without its knowledge: it gave it back, and the database did not hear or keep that. */
  async strays(epoch: number, tokens: Iterable<string>): Promise<readonly Stray[]> {
    return this.#database.rows<Stray>(
      'strays',
      `select stream, token from ${this.#database.schema}.claims
       where split_part(token, '.', 1) = $1::text and token <> all ($2::text[])`,
      [epoch, [...tokens]],
      BESIDE_MS,
    )
  }

  /**
   * Says that a worker lives. false if another one has its name that may be at work.
   *
   * @param over That one, once it has ended all that it did.
   */
  async join(
    { name, address, epoch, lifeline = '', release = '', labels = [] }: NewWorker,
    over?: Pick<OtherWorker, 'epoch' | 'beat'>,
  ): Promise<boolean> {
    const [row] = await this.#database.rows(
      'join',
      `insert into ${this.#table} as old (name, address, epoch, protocol, release, labels, lifeline)
         values ($1, $2, $3, $4, $5, $6, $7)
       on conflict (name) do update set address = excluded.address, epoch = excluded.epoch, since = now(), seen = now(),
         protocol = excluded.protocol, release = excluded.release, labels = excluded.labels, lifeline = excluded.lifeline,
         agents = 0, draining = false, waiting = '{}'
       where old.epoch = excluded.epoch or old.seen < now() - interval '${SURELY_OVER}'
         or old.epoch = $8::bigint and extract(epoch from old.seen)::text = $9
       returning name`,
      [
        ...[name, address, epoch, CLUSTER_PROTOCOL, release, labelKey(labels), lifeline],
        ...[over?.epoch ?? null, over?.beat ?? null],
      ],
    )
    // Without a name of its own, a worker is called by its port: each that was killed would leave a row.
    await this.#database.rows(
      'forget',
      `delete from ${this.#table} where seen < now() - interval '${KEPT_FOR}'`,
    )
    return row !== undefined
  }

  /**
   * A worker whose clock is wrong would do what is due at other times than the others.
   *
   * @throws InvalidInputError
   */
  async checkClock(clock: Clock): Promise<void> {
    const skewMs = await clockSkew((text) => this.#database.rows<{ now: number }>('clock', text), clock)
    if (Math.abs(skewMs) <= LARGEST_SKEW_MS) return
    throw new InvalidInputError({
      what: 'The clock of this machine',
      problem: `it is ${skewText(skewMs)} that of the database, and what is due would begin at other times here`,
      hint: 'Set both by the network: timedatectl set-ntp true',
    })
  }

  /** Says that a worker lives. */
  async beat(
    { name, epoch }: { readonly name: string; readonly epoch: number },
    agents: number,
    tokens: ReadonlyMap<string, string>,
    waiting: Readonly<Record<string, string>> = {},
    answerMs = CUT_OFF_AFTER_MS / 2,
  ): Promise<Heartbeat> {
    const [row] = await this.#database.rows<{ draining: boolean | null; lost: string[] }>(
      'beat',
      `with own as (
         update ${this.#table} set seen = now(), agents = $3, waiting = $6 where name = $1 and epoch = $2 returning draining
       )
       select (select draining from own) as draining, array(
         select mine.stream from unnest($4::text[], $5::text[]) as mine (stream, token)
         left join ${this.#database.schema}.claims as claim on claim.stream = mine.stream
         where claim.token is distinct from mine.token) as lost`,
      [name, epoch, agents, [...tokens.keys()], [...tokens.values()], JSON.stringify(waiting)],
      answerMs,
    )
    const { draining = null, lost = [] } = row ?? {}
    return { isReplaced: draining === null, isDraining: draining === true, lost }
  }

  async leave(name: string, epoch: number): Promise<void> {
    await this.#database.rows('leave', `delete from ${this.#table} where name = $1 and epoch = $2`, [
      name,
      epoch,
    ])
  }

  /** Asks a worker to hand its agents over and to end. Throws WorkerNotFound. */
  async drain(name: string): Promise<WorkerRow> {
    const all = await this.list()
    const member = all.find(({ worker }) => worker === name)
    if (!member) {
      const nearest = nearestName(
        name,
        all.map(({ worker }) => worker),
      )
      throw new WorkerNotFound({ worker: name, nearest })
    }
    await this.#database.rows('drain', `update ${this.#table} set draining = true where name = $1`, [name])
    return member
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
