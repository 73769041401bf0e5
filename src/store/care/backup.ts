/** A backup of a whole store in one file, taken while its owner goes on: this process or another one. */
import { randomUUID } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { StoreInUse } from '../../events/errors/store.ts'
import type { EventStore } from '../event-store.ts'
import { chainedStore } from '../level/chained-store.ts'
import { type LevelStoreOptions, levelStore } from '../level/store.ts'
import { type ArchiveSummary, writeArchive } from './archive/writer.ts'
import { withLiveCopy } from './live-copy.ts'

/**
 * Writes what the log holds now, and the blobs that it refers to, into one file. Appends go on meanwhile and are not in
 * it. The file appears when it is whole and on disk; one of that name is replaced.
 *
 * @throws CorruptRecord, SequenceGap, CorruptBlob: of a log that is not whole there is no backup
 * @example
 * await backup(orchestrator.store, 'monday.backup')
 */
export function backup(
  store: EventStore,
  file: string,
  { to }: { readonly to?: number } = {},
): Promise<ArchiveSummary> {
  return writeArchive(chainedStore(store), file, { compressed: true, ...(to === undefined ? {} : { to }) })
}

/**
 * The same for a store that may be open in another process, which is not disturbed: a copy of its files is taken, and
 * proved to be the beginning of its log.
 *
 * @throws also LiveCopyFailed, where the store is never still enough
 */
export async function backupDirectory(
  directory: string,
  file: string,
  options: LevelStoreOptions = {},
): Promise<ArchiveSummary> {
  try {
    await using store = await levelStore(directory, options)
    return await backup(store, file)
  } catch (error) {
    if (!(error instanceof StoreInUse)) throw error
  }
  // Beside the file that is to be made: where there is room for that, there mostly is for this.
  const folder = `${resolve(file)}.${randomUUID()}.copying`
  return withLiveCopy(await realpath(directory), folder, async (copy, acknowledged) => {
    await using store = await levelStore(copy, options)
    return await backup(store, file, { to: acknowledged })
  })
}
