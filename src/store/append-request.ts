/** The arguments of `append`, validated and copied as text before any I/O. Every store starts with this. */
import { isDeepStrictEqual } from 'node:util'
import type { NewFact, Recorded } from '../events/envelope.ts'
import { InvalidFactError } from '../events/errors/fact.ts'
import { CommitConflict, RecordTooLarge, VersionConflict } from '../events/errors/store.ts'
import { InvalidIdError, InvalidInputError } from '../events/errors/usage.ts'
import { checkStreamName } from '../events/ids.ts'
import type { AppendOptions, StreamSummary } from './event-store.ts'
import type { FactText } from './fact-text.ts'

/** Larger bodies belong in the blobs. */
export const DEFAULT_MAX_RECORD_BYTES = 1024 * 1024

const COMMIT_ID = /^[\x21-\x7e]{1,200}$/

export interface AppendRequest {
  readonly stream: string
  readonly facts: readonly FactText[]
  /** null: any version. */
  readonly expectedVersion: number | null
  readonly commitId: string | null
  readonly summary: StreamSummary | null
}

/** @throws InvalidFactError, RecordTooLarge, InvalidIdError, InvalidInputError */
export function appendRequest(
  stream: string,
  facts: readonly NewFact[],
  options: AppendOptions,
  maxRecordBytes: number,
): AppendRequest {
  return {
    stream: checkStreamName(stream),
    facts: facts.map((fact) => factText(fact, maxRecordBytes)),
    expectedVersion: checkExpectedVersion(options.expectedVersion ?? 'any'),
    commitId: options.commitId === undefined ? null : checkCommitId(options.commitId),
    summary:
      options.summary === undefined ? null : (JSON.parse(JSON.stringify(options.summary)) as StreamSummary),
  }
}

function factText(fact: NewFact, maxRecordBytes: number): FactText {
  const { type, v, correlationId = null, causationId = null } = fact
  const data = dataText(fact)
  // UTF-8 takes at most three bytes per UTF-16 unit: only a text that may be too long is measured.
  if (data.length * 3 > maxRecordBytes) {
    const bytes = Buffer.byteLength(data)
    if (bytes > maxRecordBytes) throw new RecordTooLarge({ type, bytes, limit: maxRecordBytes })
  }
  return { type, v, data, correlationId, causationId }
}

function dataText({ type, v, data }: NewFact): string {
  if (typeof type !== 'string')
    throw new InvalidFactError({ type: String(type), problem: 'its type is not a string' })
  if (!Number.isSafeInteger(v) || v < 1)
    throw new InvalidFactError({ type, problem: `it has no valid version (${v})` })
  let text: string | undefined
  try {
    text = JSON.stringify(data)
  } catch (cause) {
    throw new InvalidFactError(
      { type, problem: `its data is not JSON (${(cause as Error).message})` },
      { cause },
    )
  }
  if (text?.startsWith('{')) {
    const problem = jsonProblem(data)
    if (problem === null) return text
    throw new InvalidFactError({ type, problem: `its data${problem}` })
  }
  throw new InvalidFactError({ type, problem: 'its data is not an object' })
}

/**
 * Where a value is not what a reader would get, and how, e.g. `.list[0] is NaN`; null if JSON keeps all of it. A field
 * that is undefined counts as left out. The value has no circles.
 */
function jsonProblem(value: unknown): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? null : ` is ${value}`
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return null
  if (typeof value !== 'object')
    return ` is ${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`}`
  if (Array.isArray(value)) {
    // By index, which finds holes.
    for (let index = 0; index < value.length; index++) {
      const problem = jsonProblem(value[index])
      if (problem !== null) return `[${index}]${problem}`
    }
    return null
  }
  if (!isPlainObject(value)) return ` is a ${value.constructor?.name || 'class instance'}`
  for (const [name, field] of Object.entries(value)) {
    const problem = field === undefined ? null : jsonProblem(field)
    if (problem !== null) return `.${name}${problem}`
  }
  return null
}

/** Made by a literal, in whatever realm: its prototype is a root. */
function isPlainObject(value: object): boolean {
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

/** The conflict between a request and what its commit id wrote; null if the request repeats it. */
export function commitConflict(
  { stream, facts, commitId }: AppendRequest,
  committed: readonly CommittedFact[],
): CommitConflict | null {
  const isRepeated =
    facts.length === committed.length &&
    committed.every((fact, index) => fact.recorded.stream === stream && isSameFact(facts[index], fact))
  const first = committed[0]?.recorded
  if (isRepeated || first === undefined || commitId === null) return null
  return new CommitConflict({ commitId, stream: first.stream, position: first.position })
}

/** A fact of another version was written by another version of the program: only its type is compared. */
const isSameFact = (fact: FactText | undefined, { recorded, isReduced }: CommittedFact): boolean =>
  fact?.type === recorded.type &&
  (isReduced || fact.v !== recorded.v || isDeepStrictEqual(JSON.parse(fact.data), recorded.data))

/** The conflict between the version that a request expects and the actual one; null when they agree. */
export function versionConflict(request: AppendRequest, actual: number): VersionConflict | null {
  const { stream, expectedVersion } = request
  if (expectedVersion === null || expectedVersion === actual) return null
  return new VersionConflict({ stream, expected: expectedVersion, actual })
}
