/** The arguments of `appendAll`, validated and copied as text before any I/O. Every store starts with this. */
import { isDeepStrictEqual } from 'node:util'
import type { NewFact, Recorded } from '../events/envelope.ts'
import { InvalidFactError } from '../events/errors/fact.ts'
import { CommitConflict, Fenced, RecordTooLarge, VersionConflict } from '../events/errors/store.ts'
import { InvalidIdError, InvalidInputError } from '../events/errors/usage.ts'
import { checkStreamName } from '../events/ids.ts'
import { isJsonObject, type Json, textOfJson } from '../events/json.ts'
import type { StreamAppend, StreamSummary } from './event-store.ts'
import type { RequestedFact } from './fact-text.ts'

/** Larger bodies belong in the blobs. */
export const DEFAULT_MAX_RECORD_BYTES = 1024 * 1024

const COMMIT_ID = /^[\x21-\x7e]{1,200}$/

/** What is appended to one stream. */
export interface AppendRequest {
  readonly stream: string
  readonly facts: readonly RequestedFact[]
  /** null: any version. */
  readonly expectedVersion: number | null
  readonly commitId: string | null
  /** Whether no earlier append can have the commit id. */
  readonly isNew: boolean
  readonly token: string | null
  readonly summary: StreamSummary | null
  /** The same as JSON. */
  readonly summaryText: string
}

/** What is appended together, all or nothing. */
export type AppendGroup = readonly AppendRequest[]

/** @throws InvalidFactError, RecordTooLarge, InvalidIdError, InvalidInputError */
export function appendGroup(appends: readonly StreamAppend[], maxRecordBytes: number): AppendGroup {
  const group: AppendRequest[] = []
  const earlier: NewFact[] = []
  const commitIds = new Set<string>()
  for (const append of appends) {
    const { stream, facts, expectedVersion = 'any', commitId, isNew = false, token, summary = null } = append
    const requested: RequestedFact[] = []
    for (const fact of facts) {
      requested.push(requestedFact(fact, earlier, maxRecordBytes))
      earlier.push(fact)
    }
    if (commitId !== undefined && commitIds.has(commitId))
      throw new InvalidInputError({
        what: 'appendAll',
        problem: `two of its appends have the commit id ${commitId}`,
      })
    if (commitId !== undefined) commitIds.add(checkCommitId(commitId))
    const summaryText = JSON.stringify(summary)
    group.push({
      stream: checkStreamName(stream),
      facts: requested,
      expectedVersion: checkExpectedVersion(expectedVersion),
      commitId: commitId ?? null,
      isNew,
      token: token ?? null,
      summary: (copyOf(summary) ?? JSON.parse(summaryText)) as StreamSummary | null,
      summaryText,
    })
  }
  return group
}

export function factCount(group: AppendGroup): number {
  let count = 0
  for (const { facts } of group) count += facts.length
  return count
}

function requestedFact(fact: NewFact, earlier: readonly NewFact[], maxRecordBytes: number): RequestedFact {
  const { type, v, correlationId = null, causationId = null } = fact
  const cause =
    typeof causationId === 'object' && causationId !== null ? earlier.lastIndexOf(causationId) : causationId
  if (cause === -1)
    throw new InvalidFactError({ type, problem: 'its cause is not an earlier fact of the same append' })
  if (typeof type !== 'string')
    throw new InvalidFactError({ type: String(type), problem: 'its type is not a string' })
  if (!Number.isSafeInteger(v) || v < 1)
    throw new InvalidFactError({ type, problem: `it has no valid version (${v})` })
  const copy = wholeCopyOf(fact.data)
  if (!isJsonObject(copy)) throw notWritable(type, fact.data)
  const data = textOfJson(copy)
  // UTF-8 takes at most three bytes per UTF-16 unit: only a text that may be too long is measured.
  if (data.length * 3 > maxRecordBytes) {
    const bytes = Buffer.byteLength(data)
    if (bytes > maxRecordBytes) throw new RecordTooLarge({ type, bytes, limit: maxRecordBytes })
  }
  return { type, v, data, copy, correlationId, cause }
}

/** What cannot be copied, such as a circle, cannot be written either. */
function wholeCopyOf(data: unknown): Json | undefined {
  try {
    return copyOf(data)
  } catch {
    return undefined
  }
}

function notWritable(type: string, data: unknown): InvalidFactError {
  let text: string | undefined
  try {
    text = JSON.stringify(data)
  } catch (cause) {
    const problem = `its data is not JSON (${(cause as Error).message})`
    return new InvalidFactError({ type, problem }, { cause })
  }
  if (!text?.startsWith('{')) return new InvalidFactError({ type, problem: 'its data is not an object' })
  return new InvalidFactError({ type, problem: `its data${jsonProblem(data)}` })
}

/** The value as a reader gets it, in objects of its own; undefined if JSON does not keep all of it. Throws for a circle. */
function copyOf(value: unknown): Json | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  // JSON has no negative zero.
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : undefined
  if (typeof value !== 'object') return undefined
  if (Array.isArray(value)) {
    const items: Json[] = []
    // By index, which finds holes.
    for (let index = 0; index < value.length; index++) {
      const item = copyOf(value[index])
      if (item === undefined) return undefined
      items.push(item)
    }
    return items
  }
  if (!isPlainObject(value)) return undefined
  const fields: Record<string, Json> = {}
  for (const name in value) {
    const field = value[name]
    if (field === undefined || !Object.hasOwn(value, name)) continue
    const copy = copyOf(field)
    if (copy === undefined) return undefined
    if (name === '__proto__')
      Object.defineProperty(fields, name, {
        value: copy,
        ...{ enumerable: true, configurable: true, writable: true },
      })
    else fields[name] = copy
  }
  return fields
}

/**
 * Where a value is not what a reader would get, and how, e.g. `.list[0] is NaN`; null if JSON keeps all of it. A field
 * that is undefined counts as left out.
 */
function jsonProblem(value: unknown): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? null : ` is ${value}`
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return null
  if (typeof value !== 'object')
    return ` is ${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`}`
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const problem = jsonProblem(value[index])
      if (problem !== null) return `[${index}]${problem}`
    }
    return null
  }
  if (!isPlainObject(value)) return ` is a ${value.constructor?.name || 'class instance'}`
  for (const name of Object.keys(value)) {
    const field = value[name]
    const problem = field === undefined ? null : jsonProblem(field)
    if (problem !== null) return `.${name}${problem}`
  }
  return null
}

/** Made by a literal, in whatever realm: its prototype is a root. */
function isPlainObject(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function checkExpectedVersion(expected: number | 'none' | 'any'): number | null {
  if (expected === 'any') return null
  if (expected === 'none') return 0
  if (Number.isSafeInteger(expected) && expected >= 0) return expected
  throw new InvalidInputError({ what: 'expectedVersion', problem: `${expected} is not a version` })
}

function checkCommitId(commitId: string): string {
  if (COMMIT_ID.test(commitId)) return commitId
  throw new InvalidIdError({ what: 'commit', id: commitId, rule: '1 to 200 printable ASCII characters' })
}

/** A recorded fact, as far as a repetition is compared with it. */
export interface CommittedFact {
  readonly recorded: Recorded
  /** Whether its bodies were dropped, so that its data cannot be compared. */
  readonly isReduced: boolean
}

/** What a commit id wrote. */
export interface CommitPlace {
  /** The position of its first fact. */
  readonly first: number
  readonly count: number
}

/** A group with a commit id that is known. */
export interface Repetition {
  readonly commitId: string
  readonly place: CommitPlace
  /** Where the first fact of the group would be, if the group was written as it is. */
  readonly first: number
  /** Whether each of its commit ids is where it would be, and the log holds as much. If not, it was not written as it is. */
  readonly isWhole: boolean
}

/**
 * undefined if none of the group's commit ids is known.
 *
 * @param commits What the known ones wrote.
 * @param end The last position of the log.
 */
export function repetitionIn(
  group: AppendGroup,
  commits: ReadonlyMap<string, CommitPlace>,
  end: number,
): Repetition | undefined {
  let found: Omit<Repetition, 'isWhole'> | undefined
  let index = 0
  for (const { commitId, facts } of group) {
    const place = commitId === null ? undefined : commits.get(commitId)
    if (commitId !== null && place) found ??= { commitId, place, first: place.first - index }
    index += facts.length
  }
  if (!found) return undefined
  const { first } = found
  index = first
  const isWhole = group.every(({ commitId, facts }) => {
    const place = commitId === null ? undefined : commits.get(commitId)
    const isThere = commitId === null || (place?.first === index && place.count === facts.length)
    index += facts.length
    return isThere
  })
  return { ...found, isWhole: isWhole && first > 0 && index <= end + 1 }
}

/** The positions to read before {@link commitConflict}: the whole group, or what has its commit id instead. */
export const positionsOf = ({ isWhole, first, place }: Repetition, group: AppendGroup): [number, number] =>
  isWhole ? [first, first + factCount(group) - 1] : [place.first, place.first]

/** The conflict between a group and what was written under its commit id; null if the group repeats it. */
export function commitConflict(
  group: AppendGroup,
  { commitId, place, isWhole }: Repetition,
  committed: readonly CommittedFact[],
): CommitConflict | null {
  const facts = group.flatMap((request) => request.facts.map((fact) => ({ fact, stream: request.stream })))
  const isRepeated =
    isWhole &&
    committed.every((one, index) => {
      const { fact, stream } = facts[index] ?? {}
      return one.recorded.stream === stream && isSameFact(fact, one)
    })
  if (isRepeated) return null
  const { first: position } = place
  const used = committed.find(({ recorded }) => recorded.position === position)
  return new CommitConflict({ commitId, stream: used?.recorded.stream ?? '', position })
}

/** A fact of another version was written by another version of the program: only its type is compared. */
const isSameFact = (fact: RequestedFact | undefined, { recorded, isReduced }: CommittedFact): boolean =>
  fact?.type === recorded.type &&
  (isReduced || fact.v !== recorded.v || isDeepStrictEqual(JSON.parse(fact.data), recorded.data))

/** The first conflict between the versions that a group expects and the actual ones; null when they agree. */
export function versionConflict(
  group: AppendGroup,
  versionOf: (stream: string) => number,
): VersionConflict | null {
  const versions = new Map<string, number>()
  for (const { stream, expectedVersion, facts } of group) {
    const actual = versions.get(stream) ?? versionOf(stream)
    if (expectedVersion !== null && expectedVersion !== actual)
      return new VersionConflict({ stream, expected: expectedVersion, actual })
    versions.set(stream, actual + facts.length)
  }
  return null
}

/** The facts of a group, one list for each of its appends. */
export function perAppend(
  group: AppendGroup,
  recorded: readonly Recorded[],
): readonly (readonly Recorded[])[] {
  let to = 0
  return group.map(({ facts }) => {
    to += facts.length
    return recorded.slice(to - facts.length, to)
  })
}

/** The claims on the streams of a store: only the writer that claimed one last may append to it. */
export class Claims {
  readonly #epoch: number
  readonly #tokens = new Map<string, string>()
  #count = 0

  /** @param epoch Of the store. No token of an earlier opening is valid in this one. */
  constructor(epoch: number) {
    this.#epoch = epoch
  }

  claim(stream: string): string {
    const token = `${this.#epoch}.${++this.#count}`
    this.#tokens.set(stream, token)
    return token
  }

  /** The error for a group that lacks the token of a claimed stream, or has one that is not valid; null if there is none. */
  refusal(group: AppendGroup): Fenced | null {
    for (const { stream, token } of group)
      if (token !== (this.#tokens.get(stream) ?? null)) return new Fenced({ stream })
    return null
  }
}
