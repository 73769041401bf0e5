/** Copies of a log into a database: restored from a backup, or imported from an export. */
import { checkArgument } from '../events/options/decoding.ts'
import { type ArchiveSource, archiveFile } from '../store/care/archive/source.ts'
import { importStore, type RestoredStore, restoreStore } from '../store/care/restore.ts'
import { type BuildOptions, buildInDatabase } from '../store/postgres/builder.ts'
import { checkFact } from './log-archive.ts'

/**
 * Restores a backup, of whatever store, into a database that has no log yet: the same id and the same hash chain.
 *
 * @throws InvalidArchive, DatabaseNotEmpty, StoreNotOpened, ArchiveNotWritten
 * @example
 * await restoreDatabase('monday.backup', 'postgresql://localhost/agents', { baseDir: '.claude-agents' })
 */
export async function restoreDatabase(
  file: string,
  url: string,
  options: BuildOptions = {},
): Promise<RestoredStore> {
  checkArgument('The backup', file, 'a path')
  return restoreStore(await archiveFile(file), buildInDatabase(url, options))
}

/**
 * Makes a log in a database from an export; see `importLog` of `claude-multi-agent/log`.
 *
 * @throws InvalidArchive, DatabaseNotEmpty, StoreNotOpened, ArchiveNotWritten
 */
export async function importDatabase(
  source: string | ArchiveSource,
  url: string,
  options: BuildOptions = {},
): Promise<RestoredStore> {
  checkArgument('The archive', source, 'a text or an archive')
  const archive = typeof source === 'string' ? await archiveFile(source) : source
  return importStore(archive, buildInDatabase(url, options), checkFact)
}
