/** The records of one write: requests are checked in order, each against the state that the previous ones leave. */
import type { Recorded } from '../../events/envelope.ts'
import type { VersionConflict } from '../../events/errors/store.ts'
import { type AppendRequest, versionConflict } from '../append-request.ts'
import { type FactStamp, type FactText, recordedFact, storedText } from '../fact-text.ts'
import type { CommitEntry, HeadEntry } from './index-value.ts'
import { recordKey } from './keys.ts'
import { type CommitNote, encodeRecord, joinText } from './record.ts'

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
  readonly fact: FactText
  readonly note: CommitNote | null
  /** The length of the record's text, in characters. */
  readonly length: number
}

/** The result of a request once the plan is written. */
export type Outcome =
  | { readonly kind: 'written'; readonly first: number; readonly count: number }
  | { readonly kind: 'conflict'; readonly error: VersionConflict }
  /** The commit id was already written. */
  | { readonly kind: 'repeated'; readonly entry: CommitEntry }

/** The heads and commits of the requests' streams and commit ids, before the plan. */
export interface KnownLog {
  readonly heads: ReadonlyMap<string, HeadEntry>
  readonly commits: ReadonlyMap<string, CommitEntry>
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
  readonly #commits = new Map<string, CommitEntry>()
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

  add(request: AppendRequest): Outcome {
    const { stream, commitId, facts } = request
    const entry =
      commitId === null ? undefined : (this.#commits.get(commitId) ?? this.#known.commits.get(commitId))
    if (entry) return { kind: 'repeated', entry }
    const version = this.#versions.get(stream) ?? this.#known.heads.get(stream)?.version ?? 0
    const error = versionConflict(request, version)
    if (error) return { kind: 'conflict', error }
    const first = this.#start + this.records.length + 1
    let next = version
    for (const fact of facts) {
      next++
      this.#append(stream, next, fact, next === version + facts.length ? noteOf(request) : null)
    }
    this.#versions.set(stream, next)
    if (commitId !== null && facts.length > 0) this.#commits.set(commitId, { first, count: facts.length })
    return { kind: 'written', first, count: facts.length }
  }

  /** The facts of an outcome of this plan as a reader would get them: fresh objects. */
  recorded(first: number, count: number): Recorded[] {
    const start = first - this.#start - 1
    return this.records.slice(start, start + count).map(({ stamp, fact }) => recordedFact(stamp, fact))
  }

  #append(stream: string, version: number, fact: FactText, note: CommitNote | null): void {
    const position = this.#start + this.records.length + 1
    const key = recordKey(position)
    const { storeId, epoch, at } = this.#writer
    const stamp: FactStamp = { storeId, position, stream, version, at, epoch }
    const text = storedText(stamp, fact)
    const noted = joinText(text, note)
    const { value, hash } = encodeRecord(key, this.#hash, noted)
    this.#hash = hash
    this.records.push({ key, value, position, stream, version, stamp, fact, note, length: noted.length })
  }
}

/** Most appends have neither a commit id nor a summary, and need no note. */
function noteOf({ facts, commitId, summary }: AppendRequest): CommitNote | null {
  if (commitId === null && summary === null) return null
  return {
    ...(commitId === null ? {} : { commitId, count: facts.length }),
    ...(summary === null ? {} : { summary }),
  }
}
