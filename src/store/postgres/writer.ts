/**
 * The writer of one process: appends that arrive while others are written are written together, in one statement. A batch has
 * a number, so that one whose answer was lost is sent again and written once.
 */
import { type Clock, instant } from '../../clock.ts'
import type { Recorded } from '../../events/envelope.ts'
import { Fenced, VersionConflict } from '../../events/errors/store.ts'
import {
  type AppendGroup,
  type CommitPlace,
  type CommittedFact,
  commitConflict,
  factCount,
  positionsOf,
  repetitionIn,
} from '../append-request.ts'
import { CommitQueue, type QueuedRequest } from '../commit-queue.ts'
import { type FactStamp, recordedFact, unplacedText } from '../fact-text.ts'
import { noteLine } from '../level/entries.ts'
import { isThere } from '../stream-count.ts'
import type { PostgresDatabase } from './database.ts'
import { lastPosition, type tableReading } from './reader.ts'
import type { PostgresSession } from './session.ts'

type Append = QueuedRequest<AppendGroup, readonly Recorded[]>

/** What a group came to, as the function `append` of the schema tells it. */
type GroupOutcome =
  | { readonly first: number; readonly versions: readonly number[] }
  | { readonly fenced: number }
  | { readonly isRepeated: true }
  | { readonly conflict: number; readonly actual: number }

/** In characters. PostgreSQL takes at most a gigabyte at once, and others wait meanwhile. */
const LARGEST_BATCH = 8 * 1024 * 1024

/** The worker of a cluster that has a stream. */
export interface ClaimHolder {
  readonly token: string
  readonly worker: string
  readonly epoch: number
  /** Another one with each heartbeat. */
  readonly beat: string
}

export interface WriterParts {
  readonly database: PostgresDatabase
  readonly session: PostgresSession
  readonly clock: Clock
  readonly reading: Pick<ReturnType<typeof tableReading>, 'chain'>
}

export class PostgresWriter {
  readonly #parts: WriterParts
  readonly #queue = new CommitQueue<AppendGroup, readonly Recorded[]>((appends) => this.#commit(appends))
  readonly #append: string
  readonly #claim: string
  #batches = 0
  #claims = 0

  constructor(parts: WriterParts) {
    const { schema } = parts.database
    this.#parts = parts
    const parameters = Array.from({ length: 17 }, (_, index) => `$${index + 1}`).join(', ')
    this.#append = `select ${schema}.append(${parameters}) as outcome`
    this.#claim = `select ${schema}.claim($1, $2, $3) as is_claimed`
  }

  /** Resolves with the facts of the whole group. */
  append(group: AppendGroup): Promise<readonly Recorded[]> {
    return group.length === 0 ? Promise.resolve([]) : this.#queue.push(group)
  }

  /** Fences earlier writers of the stream, in whatever process. */
  async claim(stream: string): Promise<string> {
    const { database, session } = this.#parts
    if (session.lost) throw session.lost
    const token = `${session.epoch}.${++this.#claims}`
    const [row] = await database.rows<{ is_claimed: boolean }>('claim', this.#claim, [
      session.owner,
      stream,
      token,
    ])
    if (!row?.is_claimed) throw session.lose()
    return token
  }

  /** The same, unless another worker of the cluster may be at work for the stream: then who. */
  async claimAfter(stream: string, over?: string): Promise<string | ClaimHolder> {
    const { database, session } = this.#parts
    if (session.lost) throw session.lost
    const token = `${session.epoch}.${++this.#claims}`
    const [row] = await database.rows<{ holder: string | null }>(
      'claim after',
      `select ${database.schema}.claim_after($1, $2, $3, $4) as holder`,
      [session.owner, stream, token, over ?? ''],
    )
    if (!row || row.holder === null) throw session.lose()
    return row.holder === '' ? token : JSON.parse(row.holder)
  }

  /** Does nothing to a claim that is newer. */
  async release(stream: string, token: string): Promise<void> {
    const { database } = this.#parts
    await database.rows('release', `delete from ${database.schema}.claims where stream = $1 and token = $2`, [
      ...[stream, token],
    ])
  }

  /** Resolves when no append is waiting. */
  idle(): Promise<void> {
    return this.#queue.idle()
  }

  async #commit(appends: readonly Append[]): Promise<void> {
    for (const part of inParts(appends)) await this.#write(part)
  }

  async #write(appends: readonly Append[]): Promise<void> {
    const { session, clock } = this.#parts
    const at = instant(clock.now())
    let outcomes: readonly GroupOutcome[]
    try {
      outcomes = await this.#ask(appends, at)
    } catch (error) {
      for (const { reject } of appends) reject(error)
      return
    }
    let end = 0
    for (const [index, append] of appends.entries()) {
      const outcome = outcomes[index] as GroupOutcome
      if ('first' in outcome) {
        end = outcome.first + factCount(append.request) - 1
        append.resolve(this.#recorded(append.request, outcome, at))
      } else append.resolve(this.#refused(append.request, outcome))
    }
    session.heard(end)
  }

  async #ask(appends: readonly Append[], at: string): Promise<readonly GroupOutcome[]> {
    const { database, session } = this.#parts
    if (session.lost) throw session.lost
    const { epoch, owner, storeId } = session
    const batch = [epoch, owner, ++this.#batches, ...columns(appends, { storeId, epoch, at })]
    const [row] = await database.rows<{ outcome: string | null }>('append', this.#append, batch)
    if (!row?.outcome) throw session.lose()
    return JSON.parse(row.outcome)
  }

  #recorded(
    group: AppendGroup,
    { first, versions }: Extract<GroupOutcome, { first: number }>,
    at: string,
  ): readonly Recorded[] {
    const { storeId, epoch } = this.#parts.session
    let position = first
    return group.flatMap(({ stream, facts }, index) => {
      let version = versions[index] ?? 0
      return facts.map((fact) =>
        recordedFact(fact, { storeId, position: position++, stream, version: ++version, at, epoch }, first),
      )
    })
  }

  /** What is thrown for a group that was not written, or what an earlier one with the same commit ids has written. */
  async #refused(
    group: AppendGroup,
    outcome: Exclude<GroupOutcome, { first: number }>,
  ): Promise<readonly Recorded[]> {
    if ('fenced' in outcome) throw new Fenced({ stream: streamOf(group, outcome.fenced) })
    if ('conflict' in outcome) {
      const { conflict, actual } = outcome
      const expected = group[conflict]?.expectedVersion ?? 0
      throw new VersionConflict({ stream: streamOf(group, conflict), expected, actual })
    }
    return this.#repeated(group)
  }

  async #repeated(group: AppendGroup): Promise<readonly Recorded[]> {
    const { database, reading } = this.#parts
    const rows = await database.rows<{ commit_id: string; first: string; count: number }>(
      'commits',
      `select commit_id, first, count from ${database.schema}.commits where commit_id = any($1)`,
      [group.flatMap(({ commitId }) => commitId ?? [])],
    )
    const places = new Map(
      rows.map(({ commit_id, first, count }): [string, CommitPlace] => [
        commit_id,
        { first: Number(first), count },
      ]),
    )
    const repetition = repetitionIn(group, places, await lastPosition(database))
    if (!repetition) throw new Error('a commit id is known that the log does not have')
    const found: CommittedFact[] = []
    const [first, to] = positionsOf(repetition, group)
    for await (const { recorded, seal } of reading.chain({ after: first - 1, to }))
      found.push({ recorded, isReduced: seal !== null })
    const conflict = commitConflict(group, repetition, found)
    if (conflict) throw conflict
    return found.map(({ recorded }) => recorded)
  }
}

/** In no JSON. */
const BETWEEN = '\x1e'

const streamOf = (group: AppendGroup, index: number): string => group[index]?.stream ?? ''

/** The groups in their order, in as many parts as their size asks for. */
function* inParts(appends: readonly Append[]): Generator<readonly Append[]> {
  let part: Append[] = []
  let size = 0
  for (const append of appends) {
    const own = append.request.reduce(
      (sum, { facts }) => facts.reduce((length, { data }) => length + data.length, sum),
      0,
    )
    if (part.length > 0 && size + own > LARGEST_BATCH) {
      yield part
      part = []
      size = 0
    }
    part.push(append)
    size += own
  }
  if (part.length > 0) yield part
}

/** A batch as the function `append` takes it, from `names` on. */
function columns(
  appends: readonly Append[],
  stamp: Pick<FactStamp, 'storeId' | 'epoch' | 'at'>,
): readonly unknown[] {
  const groups = appends.map(({ request }) => request)
  const requests = groups.flat()
  const names = places(requests.map(({ stream }) => stream))
  const commitIds = places(requests.flatMap(({ commitId }) => commitId ?? []))
  let end = 0
  const befores: string[] = []
  const causes: (number | null)[] = []
  const afters: string[] = []
  for (const request of requests) {
    for (const fact of request.facts) {
      const { before, cause, after } = unplacedText(stamp, fact)
      befores.push(before)
      causes.push(cause)
      afters.push(after)
    }
    if (request.facts.length > 0) afters.push(`${afters.pop()}${noteLine(request)}`)
  }
  return [
    arrayText([...names.keys()]),
    arrayText([...commitIds.keys()]),
    arrayText(
      groups.map(({ length }) => {
        end += length
        return end
      }),
    ),
    arrayText(requests.map(({ stream }) => names.get(stream) ?? 0)),
    sparseText(
      requests.map(({ commitId }) => (commitId === null ? null : (commitIds.get(commitId) ?? null))),
    ),
    sparseText(requests.map(({ expectedVersion }) => expectedVersion)),
    sparseText(requests.map(({ token }) => token)),
    arrayText(requests.map(({ facts }) => facts.length)),
    ...(requests.every(({ summary }) => summary === null)
      ? ['{}', '{}', '{}']
      : [
          arrayText(requests.map(({ summary, summaryText }) => (summary === null ? null : summaryText))),
          arrayText(requests.map(({ summary }) => summary?.open ?? false)),
          arrayText(requests.map(({ summary }) => isThere(summary))),
        ]),
    befores.join(BETWEEN),
    sparseText(causes),
    afters.every((after) => after === '') ? '' : afters.join(BETWEEN),
  ]
}

/** An array as PostgreSQL reads it. The driver would put numbers in quotes as well, which takes both sides longer. */
const arrayText = (values: readonly (string | number | boolean | null)[]): string =>
  `{${values.map((value) => (typeof value === 'string' ? quoted(value) : String(value))).join(',')}}`

/** The same, and an empty one if nothing is in it: both sides need their time for each value. */
const sparseText = (values: readonly (string | number | null)[]): string =>
  values.every((value) => value === null) ? '{}' : arrayText(values)

const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`

/** Each of some names once, with its place, counted from 1. */
function places(names: readonly string[]): Map<string, number> {
  const found = new Map<string, number>()
  for (const name of names) if (!found.has(name)) found.set(name, found.size + 1)
  return found
}
