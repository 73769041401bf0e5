/**
 * Verification: checks every byte of a store and reports everything that is wrong. The files are read without LevelDB,
 * which would change them on opening and skip what is damaged. Nothing is written.
 */
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { StoreInUse, UnsupportedFormat } from '../../events/errors/store.ts'
import { readPlainFile } from '../directory.ts'
import { readLogDirectory } from '../files/log-directory.ts'
import { atStore, checkFormat, type StorePaths, storePaths } from '../level/directory.ts'
import {
  type CommitEntry,
  EPOCH_KEY,
  type EpochEntry,
  KEY_PREFIX,
  type LostBodyEntry,
  nameIn,
  STORE_KEY,
  type StoreEntry,
} from '../level/entries.ts'
import { type HeadFileContent, readHeadFile } from '../level/head-file.ts'
import { liveOwner, lockExists } from '../level/lock.ts'
import { checkBlobs } from './verify/blob-check.ts'
import type { EntrySource } from './verify/entry-source.ts'
import { checkFiles } from './verify/file-check.ts'
import { Findings, type VerifyReport } from './verify/finding.ts'
import { checkCheckpoints, IndexCheck, indexEntry } from './verify/index-check.ts'
import { mergedEntries } from './verify/merged-entries.ts'
import { RecordCheck } from './verify/record-check.ts'
import { checkSnapshots } from './verify/snapshot-check.ts'

/** Options of `verifyStore`. */
export interface VerifyOptions {
  /** Aborts the verification, which rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Whether to check the snapshots of agents' files, too. Default: true. */
  readonly files?: boolean
}

/**
 * Checks a store: the files, the facts with their hash chain, positions and versions, the index, `head`, `store.json`,
 * the blobs and the snapshots of agents' files. Damage is reported, never thrown.
 *
 * @throws StoreInUse while a process has it open, StoreNotOpened, UnsupportedFormat
 * @example
 * const { ok, findings } = await verifyStore('.claude-agents')
 * for (const { position, stream, file, problem } of findings) console.log(position, stream, file, problem)
 */
export async function verifyStore(directory: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  return atStore(directory, async () => {
    const paths = storePaths(await realpath(directory))
    await checkNotInUse(paths)
    const current = await currentOf(paths)
    const report = await new Verification(paths, options).run()
    // A process that opened the store meanwhile has changed the files while they were read.
    await checkNotInUse(paths)
    if ((await currentOf(paths)) !== current) throw new StoreInUse({ path: paths.base, pid: null })
    return report
  })
}

async function checkNotInUse({ base }: StorePaths): Promise<void> {
  const owner = await liveOwner(base)
  if (owner) throw new StoreInUse({ path: base, pid: owner.pid })
}

const currentOf = ({ log }: StorePaths) => readPlainFile(join(log, 'CURRENT')).then(String, () => null)

class Verification {
  readonly #paths: StorePaths
  readonly #signal: AbortSignal | undefined
  #files: boolean
  readonly #findings = new Findings()

  constructor(paths: StorePaths, { signal, files = true }: VerifyOptions) {
    this.#paths = paths
    this.#signal = signal
    this.#files = files
  }

  async run(): Promise<VerifyReport> {
    const { log, blobs } = this.#paths
    const findings = this.#findings
    const storeId = await this.#storeId()
    const head = await this.#head()
    if (storeId !== null && head !== null && head.storeId !== storeId) {
      findings.add('head', this.#paths.head, 'it belongs to another store')
    }
    const files = await readLogDirectory(log)
    const sources = await checkFiles(files, findings, await lockExists(this.#paths.base))
    const id = storeId ?? head?.storeId ?? ''
    await this.#checkOwnEntries(sources, id)
    const checkpoint = await checkCheckpoints(this.#entries(sources, KEY_PREFIX.checkpoint), log, findings)
    const commits = await this.#commits(sources)
    const records = new RecordCheck({ path: log, storeId: id, checkpoint, head, commits, findings })
    for await (const entry of this.#entries(sources, KEY_PREFIX.record)) records.add(entry)
    records.finish()
    const index = new IndexCheck(log, records, findings)
    await index.heads(this.#entries(sources, KEY_PREFIX.head))
    await index.open(this.#entries(sources, KEY_PREFIX.open))
    await index.pointers(this.#entries(sources, KEY_PREFIX.pointers))
    await checkBlobs(blobs, records.blobs, await this.#lostBodies(sources), findings)
    if (this.#files) await checkSnapshots(this.#paths.base, records.snapshots, findings)
    const list = findings.list((position) => index.streamAt.get(position))
    return {
      ok: list.length === 0,
      storeId,
      facts: records.facts,
      streams: records.streams.size,
      blobs: records.blobs.size,
      findings: list,
      notes: findings.notes,
    }
  }

  async #storeId(): Promise<string | null> {
    const file = this.#paths.storeFile
    return this.#orFinding('store', file, async () => {
      const format = await checkFormat(this.#paths)
      // A part of a log was imported without them.
      if (format?.forReading) this.#files = false
      return format?.storeId
    })
  }

  async #head(): Promise<HeadFileContent | null> {
    const { head, base } = this.#paths
    return this.#orFinding('head', head, async () => readHeadFile(head, base))
  }

  async #orFinding<Content>(
    kind: 'store' | 'head',
    file: string,
    read: () => Promise<Content | null | undefined>,
  ): Promise<Content | null> {
    try {
      const content = await read()
      if (content !== null && content !== undefined) return content
      this.#findings.add(kind, file, 'it is missing')
    } catch (error) {
      if (error instanceof UnsupportedFormat) throw error
      if (!(error instanceof ClaudeAgentError)) throw error
      this.#findings.add(kind, file, 'its content is corrupted')
    }
    return null
  }

  async #checkOwnEntries(sources: readonly EntrySource[], storeId: string): Promise<void> {
    const missing = new Set([STORE_KEY])
    for await (const entry of this.#entries(sources, KEY_PREFIX.store)) {
      missing.delete(entry.key)
      const content = indexEntry<StoreEntry | EpochEntry>(entry, this.#findings)
      if (entry.key === EPOCH_KEY || content === null || !('storeId' in content)) continue
      if (content.storeId === storeId) continue
      this.#findings.add('store', this.#paths.log, 'the log belongs to another store', { key: entry.key })
    }
    for (const key of missing)
      this.#findings.add('store', this.#paths.log, 'its beginning is missing', { key })
  }

  async #commits(sources: readonly EntrySource[]): Promise<Map<string, CommitEntry>> {
    const commits = new Map<string, CommitEntry>()
    for await (const entry of this.#entries(sources, KEY_PREFIX.commit)) {
      const content = indexEntry<CommitEntry>(entry, this.#findings)
      if (content) commits.set(nameIn(entry.key), content)
    }
    return commits
  }

  async #lostBodies(sources: readonly EntrySource[]): Promise<Set<string>> {
    const lost = new Set<string>()
    for await (const entry of this.#entries(sources, KEY_PREFIX.lostBody)) {
      if (indexEntry<LostBodyEntry>(entry, this.#findings)) lost.add(nameIn(entry.key))
    }
    return lost
  }

  async *#entries(sources: readonly EntrySource[], prefix: string) {
    for await (const entry of mergedEntries(sources, prefix)) {
      this.#signal?.throwIfAborted()
      yield entry
    }
  }
}
