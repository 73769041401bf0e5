/**
 * A copy of a store that another process is writing to, made from its files and verified afterwards.
 *
 * The files of a live LevelDB change while they are copied, so a copy may be inconsistent. But every record proves itself
 * and its predecessor, and `head` names a record that existed when copying started: a copy that opens, has an unbroken
 * chain and contains that record is a prefix of the log, whatever happened to the files meanwhile. Any other copy is
 * discarded, and another attempt made.
 */
import { copyFile, link, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LiveCopyFailed } from '../../events/errors/archive.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { FILE_MODE, isMissing, makeDirectory, openPlainFile, readPlainFile } from '../directory.ts'
import { readManifest } from '../files/manifest.ts'
import { type StorePaths, storePaths } from '../level/directory.ts'
import { readHeadFile } from '../level/head-file.ts'
import { writingError } from './archive/writer.ts'

/** Even for a busy store the first few suffice, because links keep files that its owner removes. */
const ATTEMPTS = 10

/** The errors of opening or reading an inconsistent copy. */
const INCONSISTENT = new Set(['StoreDamaged', 'CorruptRecord', 'SequenceGap', 'TailLoss', 'CorruptBlob'])

/**
 * Copies a store into a new folder and passes the copy to `use`, retrying until it is consistent.
 *
 * @param use Opens the copy and reads all of it. The copy contains at least the log as of the start of the copying, and
 * may contain facts after `acknowledged`, the last position acknowledged when the copying ended.
 */
export async function withLiveCopy<Result>(
  baseDir: string,
  folder: string,
  use: (copy: string, acknowledged: number) => Promise<Result>,
): Promise<Result> {
  const source = storePaths(baseDir)
  let failure: unknown
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      await mkdir(folder, { mode: 0o700 })
      const copy = join(folder, 'store')
      await copyStore(source, storePaths(copy))
      return await use(copy, (await readHeadFile(source.head, baseDir))?.position ?? 0)
    } catch (error) {
      if (!isInconsistent(error)) throw writingError(folder, error)
      failure = error
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  throw new LiveCopyFailed({ path: baseDir, attempts: ATTEMPTS }, { cause: failure })
}

/** Whether a copy may only have been made at the wrong moment, and another attempt can succeed. */
export const isInconsistent = (error: unknown) =>
  error instanceof ClaudeAgentError ? INCONSISTENT.has(error._tag) : isMissing(error)

/**
 * Copies the head first, because the rest must contain what it names. Only tables that the MANIFEST names are linked: their
 * files never change, and LevelDB gives no new file one of their numbers. Everything else is copied, because LevelDB writes to it.
 */
export async function copyStore(source: StorePaths, copy: StorePaths): Promise<void> {
  await makeDirectory(copy.log)
  await copyPlainFile(source.head, copy.head)
  await copyPlainFile(source.storeFile, copy.storeFile)
  // A linked table is as it was when it was verified.
  await copyPlainFile(source.verified, copy.verified).catch(() => {})
  // Blobs are never changed, only added, so they are read in place.
  await symlink(source.blobs, copy.blobs)
  const current = String(await readPlainFile(join(source.log, 'CURRENT')))
  const manifest = await readPlainFile(join(source.log, current.trim()))
  const { tables, logNumber, previousLogNumber } = readManifest(manifest)
  const live = new Set(tables.map(({ number }) => number))
  const files = (await readdir(source.log)).map((name) => ({ name, number: Number.parseInt(name, 10) }))
  const isLiveLog = (number: number) => number >= logNumber || number === previousLogNumber
  const logs = files.filter(({ name, number }) => name.endsWith('.log') && isLiveLog(number))
  // The newest first: once it exists, older ones no longer grow.
  for (const { name } of logs.sort((one, other) => other.number - one.number))
    await copyPlainFile(join(source.log, name), join(copy.log, name))
  for (const { name } of files.filter(({ name, number }) => TABLE.test(name) && live.has(number)))
    await linkOrCopy(join(source.log, name), join(copy.log, name))
  await writeFile(join(copy.log, current.trim()), manifest, { mode: FILE_MODE })
  await writeFile(join(copy.log, 'CURRENT'), current, { mode: FILE_MODE })
}

/** Opened before it is copied, because copying a pipe would wait for what is written to it. */
async function copyPlainFile(from: string, to: string): Promise<void> {
  await (await openPlainFile(from)).close()
  await copyFile(from, to)
}

const TABLE = /^\d+\.(?:ldb|sst)$/

/** Links survive if the owner removes the file. Another file system, or one without links, gets a copy. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch((error: unknown) => {
    if (isMissing(error)) throw error
    return copyFile(from, to)
  })
}
