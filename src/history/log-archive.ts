/** Operations on whole logs: restore, export, import, compare and compact. */

import { agentRetention, type RetentionRule } from '../actors/agent/retention.ts'
import type { Fact, Recorded } from '../events/envelope.ts'
import { checkArgument } from '../events/options/decoding.ts'
import { type ArchiveSource, archiveFile } from '../store/care/archive/source.ts'
import { archiveStore } from '../store/care/archive/store.ts'
import {
  type ArchiveSummary,
  archiveText,
  type ExportOptions,
  writeArchive,
} from '../store/care/archive/writer.ts'
import { type CompactionReport, compactStore } from '../store/care/compaction.ts'
import { importStore, type RestoredStore, restoreStore } from '../store/care/restore.ts'
import type { EventStore } from '../store/event-store.ts'
import { chainedStore } from '../store/level/chained-store.ts'
import { KINDS, kindOf } from './kinds.ts'
import { hashStates, type StateHash, type StreamHash } from './state-hash.ts'

/**
 * Restores a store from a backup, into a directory that is empty or does not exist.
 *
 * @throws InvalidArchive, DirectoryNotEmpty
 */
export async function restore(file: string, directory: string): Promise<RestoredStore> {
  checkArgument('The backup', file, 'a path')
  checkArgument('The directory of the new store', directory, 'a path')
  return restoreStore(await archiveFile(file), directory)
}

/** Exports a log, or a part of it, to an NDJSON file. The file appears once it is complete and on disk. */
export async function exportLog(
  store: EventStore,
  file: string,
  options: ExportOptions = {},
): Promise<ArchiveSummary> {
  checkArgument('The store', store, 'a store')
  checkArgument('The file of the export', file, 'a path')
  return writeArchive(chainedStore(store), file, options)
}

/** The same export as chunks of text. */
export function exportText(store: EventStore, options: ExportOptions = {}): AsyncIterable<string> {
  checkArgument('The store', store, 'a store')
  return archiveText(chainedStore(store), options)
}

/**
 * Creates a store from an export, in a directory that is empty or does not exist. Every line is checked against the hash
 * chain, and every fact of a known kind against its schema.
 *
 * @throws InvalidArchive with line and position, DirectoryNotEmpty
 */
export async function importLog(source: string | ArchiveSource, directory: string): Promise<RestoredStore> {
  checkArgument('The archive', source, 'a text or an archive')
  checkArgument('The directory of the new store', directory, 'a path')
  return importStore(typeof source === 'string' ? await archiveFile(source) : source, directory, checkFact)
}

/**
 * Opens an export or a backup in memory, read-only, to replay and inspect it without creating a store. Every line is
 * checked as by {@link importLog}.
 *
 * @throws InvalidArchive with line and position
 * @example
 * await using store = await openExport('log.ndjson')
 * for await (const { recorded, after } of replayStream(store, 'agent/researcher')) console.log(recorded.type, after.value)
 */
export async function openExport(source: string | ArchiveSource): Promise<EventStore> {
  checkArgument('The archive', source, 'a text or an archive')
  return archiveStore(typeof source === 'string' ? await archiveFile(source) : source, checkFact)
}

/** The hash of the state of each stream, and one over all of them. Two logs with the same states have the same hash. */
export async function stateHash(
  store: EventStore,
  onStream?: (stream: StreamHash) => void,
): Promise<StateHash> {
  checkArgument('The store', store, 'a store')
  return hashStates(store, KINDS, onStream)
}

/**
 * Drops the prompts and answers of tasks that have ended, and the blobs that only they needed. The state of every agent
 * stays the same. The store must not be open.
 *
 * @throws StoreInUse, CompactionRefused
 */
export async function compactLog(
  directory: string,
  options: RetentionRule & { readonly dryRun?: boolean },
): Promise<CompactionReport> {
  checkArgument('The directory of the store', directory, 'a path')
  checkArgument('The options of compactLog', options, 'an object')
  const { dryRun = false, ...rule } = options
  return compactStore(directory, agentRetention(rule), { dryRun })
}

/** Throws for a fact that its kind does not know, or that does not match its schema. */
export function checkFact(recorded: Recorded, { redacted }: { readonly redacted: boolean }): void {
  const kind = kindOf(recorded.stream)
  if (!kind) return
  const { type, data } = kind.facts.read(recorded) as Fact
  // Redaction replaces texts by their lengths, even where the schema allows only certain words.
  if (!redacted) kind.facts.write({ type, data } as never)
}
