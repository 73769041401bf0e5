/** Whether the facts are what was written: each by its hash, each linked to the one before, none missing. */
import { CorruptRecord } from '../../../events/errors/store.ts'
import { blobReferences } from '../../blob-reference.ts'
import type { BlobReference } from '../../blobs.ts'
import type { HeadFileContent } from '../../level/head-file.ts'
import type { CommitEntry } from '../../level/index-value.ts'
import { commitKey, numberIn, recordKey } from '../../level/keys.ts'
import { type DecodedRecord, decodeRecord, genesisHash } from '../../level/record.ts'
import { type Findings, range } from './finding.ts'
import type { StoredEntry } from './merged-entries.ts'

/** Where a stream stands, by its facts alone. */
export interface StreamSeen {
  version: number
  position: number
  /** As JSON. */
  summary: string | null
  open: boolean
  /** The same at the last checkpoint, which is what the index on disk must say. */
  indexed: Omit<StreamSeen, 'indexed'> | null
}

export interface BlobUse extends BlobReference {
  readonly position: number
  readonly stream: string
}

export interface RecordCheckParts {
  readonly path: string
  readonly storeId: string
  /** Up to where the index on disk reaches. */
  readonly checkpoint: number
  readonly head: HeadFileContent | null
  /** What the index says that each commit id wrote. */
  readonly commits: Map<string, CommitEntry>
  readonly findings: Findings
}

export class RecordCheck {
  readonly streams = new Map<string, StreamSeen>()
  /** The first use of each body. */
  readonly blobs = new Map<string, BlobUse>()
  facts = 0
  /** Of the last fact, sound or not. */
  last = 0
  readonly #parts: RecordCheckParts
  readonly #streamAt: string[] = []
  readonly #versionAt: number[] = []
  /** null: the one before is not known. */
  #hash: string | null

  constructor(parts: RecordCheckParts) {
    this.#parts = parts
    this.#hash = genesisHash(parts.storeId)
  }

  /** Whose fact is at a position, and which; undefined where it cannot be read. */
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
      this.#take(decodeRecord({ storeId, path }, position, value), file)
    } catch (error) {
      const problem = error instanceof CorruptRecord ? error.details : null
      const text = (problem as { problem?: string } | null)?.problem ?? (error as Error).message
      findings.add('record', file, text, { position, key })
      this.#hash = null
    }
  }

  /** After the last one. */
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

  #take(record: DecodedRecord, file: string): void {
    const { recorded, previousHash, hash } = record
    const { position, stream } = recorded
    const { head, findings } = this.#parts
    this.facts++
    if (this.#hash !== null && previousHash !== this.#hash) {
      findings.add('chain', file, 'it does not follow the fact before it', { position, stream })
    }
    this.#hash = hash
    if (head?.position === position && head.hash !== hash) {
      findings.add('head', file, 'it is not the fact last written there', { position, stream })
    }
    this.#streamAt[position] = stream
    this.#versionAt[position] = recorded.version
    this.#takeStream(record, file)
    this.#takeCommit(record, file)
    for (const { sha256, bytes } of blobReferences(recorded.data)) {
      if (!this.blobs.has(sha256)) this.blobs.set(sha256, { sha256, bytes, position, stream })
    }
  }

  #takeStream({ recorded: { position, stream, version }, note }: DecodedRecord, file: string): void {
    let seen = this.streams.get(stream)
    if (!seen) {
      seen = { version: 0, position: 0, summary: null, open: false, indexed: null }
      this.streams.set(stream, seen)
    }
    if (version !== seen.version + 1) {
      const problem =
        version > seen.version
          ? `${range('version', seen.version + 1, version - 1)} of its stream missing before it`
          : `it has version ${version}, but its stream was already at ${seen.version}`
      this.#parts.findings.add('gap', file, problem, { position, stream })
    }
    seen.version = version
    seen.position = position
    if (note?.summary) {
      seen.summary = JSON.stringify(note.summary)
      seen.open = note.summary.open
    }
    if (position <= this.#parts.checkpoint) {
      const { indexed: _, ...now } = seen
      seen.indexed = now
    }
  }

  #takeCommit({ recorded: { position, stream }, note }: DecodedRecord, file: string): void {
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
