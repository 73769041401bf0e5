/** The arguments of `append`, validated and copied as text before any I/O. Every store starts with this. */
import type { NewFact } from '../events/envelope.ts'
import { InvalidFactError } from '../events/errors/fact.ts'
import { RecordTooLarge, VersionConflict } from '../events/errors/store.ts'
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
  if (text?.startsWith('{')) return text
  throw new InvalidFactError({ type, problem: 'its data is not an object' })
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

/** The conflict between the version that a request expects and the actual one; null when they agree. */
export function versionConflict(request: AppendRequest, actual: number): VersionConflict | null {
  const { stream, expectedVersion } = request
  if (expectedVersion === null || expectedVersion === actual) return null
  return new VersionConflict({ stream, expected: expectedVersion, actual })
}
