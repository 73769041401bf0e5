/** Checks that the facts are what was written: each matches its hash, follows its predecessor, and none is missing. */
import { snapshotsNamed } from '../../../events/agent-facts.ts'
import { CorruptRecord } from '../../../events/errors/store.ts'
import { blobReferences } from '../../blob-reference.ts'
import type { BlobReference } from '../../blobs.ts'
import {
  type CommitEntry,
  commitKey,
  type DecodedRecord,
  decodeRecord,
  genesisHash,
  numberIn,
  recordKey,
} from '../../level/entries.ts'
import type { HeadFileContent } from '../../level/head-file.ts'
import { type Findings, range } from './finding.ts'
import type { StoredEntry } from './merged-entries.ts'

/** The state of a stream according to its facts. */
export interface CheckedStream {
  version: number
  position: number
  /** As JSON. */
  summary: string | null
  open: boolean
  /** The same at the last checkpoint, which the index on disk must match. */
  indexed: Omit<CheckedStream, 'indexed'> | null
}

export interface BlobUse extends BlobReference {
  readonly position: number
  readonly stream: string
}

export interface RecordCheckParts {
  readonly path: string
  readonly storeId: string
  /** The last position in the index on disk. */
  readonly checkpoint: number
  readonly head: HeadFileContent | null
  /** What each commit id wrote, according to the index. */
  readonly commits: Map<string, CommitEntry>
  readonly findings: Findings
}

export class RecordCheck {
  readonly streams = new Map<string, CheckedStream>()
  /** The first use of each blob. */
  readonly blobs = new Map<string, BlobUse>()
  /** Where each snapshot of files is named first. */
  readonly snapshots = new Map<string, Pick<BlobUse, 'position' | 'stream'>>()
  facts = 0
  /** The position of the last fact, intact or not. */
  last = 0
  readonly #parts: RecordCheckParts
  readonly #streamAt: string[] = []
  readonly #versionAt: number[] = []
  /** The hash of the previous fact; null if unknown. */
  #hash: string | null

  constructor(parts: RecordCheckParts) {
    this.#parts = parts
    this.#hash = genesisHash(parts.storeId)
  }

  /** The fact at a position; undefined if it cannot be read. */
  at(position: number): { readonly stream: string; readonly version: number } | undefined {
    const [stream, version] = [this.#streamAt[position], this.#versionAt[position]]
    return stream === undefined || version === undefined ? undefined : { stream, version }
  }

  add({ key, value, file }: StoredEntry): void {
    const { path, storeId, findings } = this.#parts
    const position = numberIn(key)
    if (key !== recordKey(position) || position === 0) {
      findings.add('index', file, 'it has an entry with an invalid key', { key })
      return
    }
    this.#reportGap(position)
    this.last = position
    try {
      this.#check(decodeRecord({ storeId, path }, position, value), file)
    } catch (error) {
      const problem = error instanceof CorruptRecord ? error.details : null
      const text = (problem as { problem?: string } | null)?.problem ?? (error as Error).message
      findings.add('record', file, text, { position, key })
      this.#hash = null
    }
  }

  /** Checks the end of the log, after the last fact. */
  finish(): void {
    const { head, path, findings, commits, checkpoint } = this.#parts
    if (head && head.position > this.last) {
      const lost = range('position', this.last + 1, head.position)
      findings.add('gap', path, `the end of the log is missing: ${lost}`, { position: this.last + 1 })
    }
    if (findings.factsAreDamaged) return
    for (const [commitId, { first, count }] of commits) {
      const problem = `it has a commit at position ${first} (${count} facts), but the log does not`
      findings.add('index', path, problem, { position: first, key: commitKey(commitId) })
    }
    if (checkpoint > this.last) {
      findings.add('index', path, `it reaches to position ${checkpoint}, beyond the last fact`)
    }
  }

  #reportGap(position: number): void {
    const { path, findings } = this.#parts
    const expected = this.last + 1
    if (position === expected) return
    findings.add('gap', path, `${range('position', expected, position - 1)} missing`, { position: expected })
    this.#hash = null
  }

  #check(record: DecodedRecord, file: string): void {
    const { recorded, previousHash, hash } = record
    const { position, stream } = recorded
    const { head, findings } = this.#parts
    this.facts++
    if (this.#hash !== null && previousHash !== this.#hash) {
      findings.add('chain', file, 'it does not follow the previous fact', { position, stream })
    }
    this.#hash = hash
    if (head?.position === position && head.hash !== hash) {
      findings.add('head', file, 'it is not the fact last written there', { position, stream })
    }
    this.#streamAt[position] = stream
    this.#versionAt[position] = recorded.version
    this.#checkStream(record, file)
    this.#checkCommit(record, file)
    for (const { sha256, bytes } of blobReferences(recorded.data)) {
      if (!this.blobs.has(sha256)) this.blobs.set(sha256, { sha256, bytes, position, stream })
    }
    for (const commit of recorded.data.dropped === true ? [] : snapshotsNamed(recorded))
      if (!this.snapshots.has(commit)) this.snapshots.set(commit, { position, stream })
  }

  #checkStream({ recorded: { position, stream, version }, note }: DecodedRecord, file: string): void {
    let checked = this.streams.get(stream)
    if (!checked) {
      checked = { version: 0, position: 0, summary: null, open: false, indexed: null }
      this.streams.set(stream, checked)
    }
    if (version !== checked.version + 1) {
      const problem =
        version > checked.version
          ? `${range('version', checked.version + 1, version - 1)} of its stream missing before it`
          : `it has version ${version}, but its stream was already at ${checked.version}`
      this.#parts.findings.add('gap', file, problem, { position, stream })
    }
    checked.version = version
    checked.position = position
    if (note?.summary) {
      checked.summary = JSON.stringify(note.summary)
      checked.open = note.summary.open
    }
    if (position <= this.#parts.checkpoint) {
      const { indexed: _, ...current } = checked
      checked.indexed = current
    }
  }

  #checkCommit({ recorded: { position, stream }, note }: DecodedRecord, file: string): void {
    const { commits, checkpoint, findings } = this.#parts
    if (note?.commitId === undefined || position > checkpoint) return
    const count = note.count ?? 1
    const entry = commits.get(note.commitId)
    commits.delete(note.commitId)
    if (entry?.first === position - count + 1 && entry.count === count) return
    const problem = entry
      ? 'the index has its commit at another position'
      : 'its commit is missing from the index'
    findings.add('index', file, problem, { position, stream, key: commitKey(note.commitId) })
  }
}
