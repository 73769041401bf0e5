/** Backups: a whole store in one file, taken while this process or another one keeps appending. */
import { realpath } from 'node:fs/promises'
import { StoreInUse, StoreNotOpened } from '../../events/errors/store.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import { absolutePath } from '../directory.ts'
import type { EventStore } from '../event-store.ts'
import { chainedStore } from '../level/chained-store.ts'
import { atStore } from '../level/directory.ts'
import { type LevelStoreOptions, levelStore } from '../level/store.ts'
import { removeLeftOvers, unfinishedPath } from '../unfinished.ts'
import { type ArchiveSummary, type ExportOptions, writeArchive } from './archive/writer.ts'
import { withLiveCopy } from './live-copy.ts'

/**
 * Writes the log as of now, the blobs it refers to, and the files of agents turn by turn into one file. Facts appended
 * meanwhile are not included. The file appears once it is complete and on disk, and replaces one of the same name.
 *
 * @throws CorruptRecord, SequenceGap, CorruptBlob: a damaged log cannot be backed up
 * @example
 * await backup(orchestrator.store, 'monday.backup')
 */
export async function backup(
  store: EventStore,
  file: string,
  options: Pick<ExportOptions, 'to' | 'baseDir'> = {},
): Promise<ArchiveSummary> {
  checkArgument('The store', store, 'a store')
  checkArgument('The file of the backup', file, 'a path')
  return writeArchive(chainedStore(store), file, { compressed: true, ...options })
}

/**
 * The same for a store that another process may have open, or that may only be read. Its files are copied then, which
 * disturbs no process, and the copy is verified to be a prefix of its log.
 *
 * @throws also LiveCopyFailed, if no attempt gave a consistent copy
 */
export async function backupDirectory(
  directory: string,
  file: string,
  options: LevelStoreOptions = {},
): Promise<ArchiveSummary> {
  checkArgument('The file of the backup', file, 'a path')
  try {
    await using store = await levelStore(directory, options)
    return await backup(store, file)
  } catch (error) {
    if (!(error instanceof StoreInUse || mayOnlyBeRead(error))) throw error
  }
  // Next to the target file: a disk with room for that usually has room for the copy.
  const target = absolutePath(file)
  await removeLeftOvers(target)
  const folder = unfinishedPath(target, 'copy')
  const base = await atStore(directory, () => realpath(directory))
  return withLiveCopy(base, folder, async (copy, acknowledged) => {
    await using store = await levelStore(copy, options)
    return await backup(store, file, { to: acknowledged, baseDir: base })
  })
}

/** Whether a store was not opened because its lock cannot be written. */
const mayOnlyBeRead = (error: unknown) =>
  error instanceof StoreNotOpened && ['EACCES', 'EPERM', 'EROFS'].includes(error.details.code)
