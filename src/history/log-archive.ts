/** Logs as a whole: moved from one place to another, compared, and made smaller. */

import { agentRetention, type RetentionRule } from '../actors/agent/retention.ts'
import type { Fact, Recorded } from '../events/envelope.ts'
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
import { hashStates as hashOf, type StateHash, type StreamHash } from './state-hash.ts'

/**
 * Makes the store of a backup again, in a directory that is empty or does not exist.
 *
 * @throws InvalidArchive, DirectoryNotEmpty
 */
export async function restore(file: string, directory: string): Promise<RestoredStore> {
  return restoreStore(await archiveFile(file), directory)
}

/** Writes a log, or a part of it, into a file of lines of JSON. The file appears when it is whole and on disk. */
export async function exportLog(
  store: EventStore,
  file: string,
  options: ExportOptions = {},
): Promise<ArchiveSummary> {
  return writeArchive(chainedStore(store), file, options)
}

/** The same as text, in pieces, for wherever it is to go. */
export function exportText(store: EventStore, options: ExportOptions = {}): AsyncIterable<string> {
  return archiveText(chainedStore(store), options)
}

/**
 * Makes a store of an export, in a directory that is empty or does not exist. Every fact of a kind that is known is
 * checked against its schema, and every line against the chain.
 *
 * @throws InvalidArchive with line and position, DirectoryNotEmpty
 */
export async function importLog(source: string | ArchiveSource, directory: string): Promise<RestoredStore> {
  return importStore(typeof source === 'string' ? await archiveFile(source) : source, directory, checkFact)
}

/**
 * The log of an export or of a backup in memory, for reading only: replayed and looked at without making a store of it.
 * Every line is checked as by {@link importLog}.
 *
 * @throws InvalidArchive with line and position
 * @example
 * await using store = await openExport('log.ndjson')
 * for await (const { recorded, after } of replayStream(store, 'agent/researcher')) console.log(recorded.type, after.value)
 */
export async function openExport(source: string | ArchiveSource): Promise<EventStore> {
  return archiveStore(typeof source === 'string' ? await archiveFile(source) : source, checkFact)
}

/** A hash of the state of every stream, and one of all: the same for two logs that say the same. */
export function stateHash(store: EventStore, see?: (stream: StreamHash) => void): Promise<StateHash> {
  return hashOf(store, KINDS, see)
}

/**
 * Drops prompts and answers of tasks that have ended, and the bodies beside the log that only they needed. The state of
 * every agent stays as it is. The store must not be open.
 *
 * @throws StoreInUse, CompactionRefused
 */
export function compactLog(
  directory: string,
  { dryRun = false, ...rule }: RetentionRule & { readonly dryRun?: boolean },
): Promise<CompactionReport> {
  return compactStore(directory, agentRetention(rule), { dryRun })
}

/** Refuses a fact that its kind does not know, or that is not as its schema says. */
function checkFact(recorded: Recorded, { redacted }: { readonly redacted: boolean }): void {
  const kind = kindOf(recorded.stream)
  if (!kind) return
  const { type, data } = kind.facts.read(recorded) as Fact
  // Where words have given way to lengths, one of a few words that are allowed may have gone as well.
  if (!redacted) kind.facts.write({ type, data } as never)
}
