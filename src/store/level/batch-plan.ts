/** The records of one write: groups are checked in order, each against the state that the previous ones leave. */
import type { Recorded } from '../../events/envelope.ts'
import type { Fenced, VersionConflict } from '../../events/errors/store.ts'
import {
  type AppendGroup,
  type AppendRequest,
  type CommitPlace,
  factCount,
  type PlacedFact,
  placedFact,
  type Repetition,
  repetitionIn,
  versionConflict,
} from '../append-request.ts'
import { type FactStamp, recordedFact, storedText } from '../fact-text.ts'
import { type CommitNote, encodeRecord, type HeadEntry, recordKey } from './entries.ts'

/** The last record of the log. */
export interface LogEnd {
  readonly position: number
  readonly hash: string
}

export interface PlannedRecord {
  readonly key: string
  readonly value: string
  readonly position: number
  readonly stream: string
  readonly version: number
  readonly stamp: FactStamp
  readonly fact: PlacedFact
  readonly note: CommitNote | null
  /** The length of the record's text, in characters. */
  readonly length: number
}

/** The result of a group once the plan is written. */
export type Outcome =
  | { readonly kind: 'written'; readonly first: number; readonly count: number }
  | { readonly kind: 'conflict'; readonly error: VersionConflict | Fenced }
  /** A commit id was already written. */
  | { readonly kind: 'repeated'; readonly repetition: Repetition }

/** The heads and commits of the groups' streams and commit ids, before the plan. */
export interface KnownLog {
  readonly heads: ReadonlyMap<string, HeadEntry>
  readonly commits: ReadonlyMap<string, CommitPlace>
}

export interface WriterIdentity {
  readonly storeId: string
  readonly epoch: number
  /** The time of the plan. */
  readonly at: string
}

export class BatchPlan {
  readonly records: PlannedRecord[] = []
  /** The versions and commits that the plan has reached so far. */
  readonly #versions = new Map<string, number>()
  readonly #commits = new Map<string, CommitPlace>()
  readonly #known: KnownLog
  readonly #writer: WriterIdentity
  readonly #start: number
  #hash: string

  constructor(known: KnownLog, end: LogEnd, writer: WriterIdentity) {
    this.#known = known
    this.#writer = writer
    this.#start = end.position
    this.#hash = end.hash
  }

  get end(): LogEnd {
    return { position: this.#start + this.records.length, hash: this.#hash }
  }

  add(group: AppendGroup): Outcome {
    const repetition = repetitionIn(group, this.#placeOf, this.end.position)
    if (repetition) return { kind: 'repeated', repetition }
    const error = versionConflict(group, this.#versionOf)
    if (error) return { kind: 'conflict', error }
    const first = this.#start + this.records.length + 1
    for (const request of group) this.#add(request, first)
    return { kind: 'written', first, count: factCount(group) }
  }

  /** The facts of an outcome of this plan as a reader would get them, once. */
  recorded(first: number, count: number): Recorded[] {
    const start = first - this.#start - 1
    return this.records
      .slice(start, start + count)
      .map(({ stamp, fact }) => recordedFact(stamp, fact, fact.copy))
  }

  /** @param first The position of the group's first fact. */
  #add(request: AppendRequest, first: number): void {
    const { stream, commitId, facts } = request
    const count = facts.length
    if (commitId !== null && count > 0)
      this.#commits.set(commitId, { first: this.#start + this.records.length + 1, count })
    const before = this.#versionOf(stream)
    let version = before
    for (const fact of facts) {
      const isLast = ++version === before + count
      this.#append(stream, version, placedFact(fact, this.#writer.storeId, first), isLast ? request : null)
    }
    this.#versions.set(stream, version)
  }

  readonly #versionOf = (stream: string): number =>
    this.#versions.get(stream) ?? this.#known.heads.get(stream)?.version ?? 0

  readonly #placeOf = (commitId: string): CommitPlace | undefined =>
    this.#commits.get(commitId) ?? this.#known.commits.get(commitId)

  /** @param request The one that ends with this fact. */
  #append(stream: string, version: number, fact: PlacedFact, request: AppendRequest | null): void {
    const position = this.#start + this.records.length + 1
    const key = recordKey(position)
    const { storeId, epoch, at } = this.#writer
    const stamp: FactStamp = { storeId, position, stream, version, at, epoch }
    const note = request && noteOf(request)
    const text = storedText(stamp, fact) + (request ? noteLine(request) : '')
    const { value, hash } = encodeRecord(key, this.#hash, text)
    this.#hash = hash
    this.records.push({ key, value, position, stream, version, stamp, fact, note, length: text.length })
  }
}

/** Most appends have neither a commit id nor a summary, and need no note. */
function noteOf({ facts, commitId, summary }: AppendRequest): CommitNote | null {
  if (commitId === null) return summary === null ? null : { summary }
  const { length: count } = facts
  return summary === null ? { commitId, count } : { commitId, count, summary }
}

/** What `joinText` writes behind the last fact of an append, of what is text already. */
export function noteLine({ facts, commitId, summary, summaryText }: AppendRequest): string {
  if (commitId === null && summary === null) return ''
  const commit = commitId === null ? '' : `"commitId":${JSON.stringify(commitId)},"count":${facts.length}`
  const state = summary === null ? '' : `"summary":${summaryText}`
  return `\n{${commit}${commit === '' || state === '' ? '' : ','}${state}}`
}
