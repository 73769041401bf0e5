/**
 * A copy of a store that another process is writing to, made from its files and verified afterwards.
 *
 * The files of a live LevelDB change while they are copied, so a copy may be inconsistent. But every record proves itself
 * and its predecessor, and `head` names a record that existed when copying started: a copy that opens, has an unbroken
 * chain and contains that record is a prefix of the log, whatever happened to the files meanwhile. Any other copy is
 * discarded, and another attempt made.
 */
import { copyFile, link, mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { LiveCopyFailed } from '../../events/errors/archive.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { alreadyExists, isMissing, makeDirectory, openPlainFile } from '../directory.ts'
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
      await copyStore(source, storePaths(copy), join(folder, 'held'))
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

const isInconsistent = (error: unknown) =>
  error instanceof ClaudeAgentError ? INCONSISTENT.has(error._tag) : isMissing(error)

/**
 * Copies the head first, because the rest must contain what it names. The tables and logs from before and after copying
 * the MANIFEST are held: those that it names are among them, and the others do no harm.
 */
async function copyStore(source: StorePaths, copy: StorePaths, held: string): Promise<void> {
  await Promise.all([makeDirectory(copy.log), makeDirectory(held)])
  await copyPlainFile(source.head, copy.head)
  await copyPlainFile(source.storeFile, copy.storeFile)
  // Blobs are never changed, only added, so they are read in place.
  await symlink(source.blobs, copy.blobs)
  await hold(source.log, held)
  const current = join(copy.log, 'CURRENT')
  await copyPlainFile(join(source.log, 'CURRENT'), current)
  const manifest = (await readFile(current, 'utf8')).trim()
  await copyPlainFile(join(source.log, manifest), join(copy.log, manifest))
  await hold(source.log, held)
  // LevelDB must not open the links themselves: it creates files under new numbers, which the owner may be using by now.
  // The newest log is copied first: once it exists, older ones no longer grow.
  for (const name of (await readdir(held)).sort(byNumber).reverse()) {
    await copyPlainFile(join(held, name), join(copy.log, name))
  }
}

/** Opened before it is copied, because copying a pipe would wait for what is written to it. */
async function copyPlainFile(from: string, to: string): Promise<void> {
  await (await openPlainFile(from)).close()
  await copyFile(from, to)
}

const TABLE_OR_LOG = /^\d+\.(?:ldb|sst|log)$/
const byNumber = (one: string, other: string) => Number.parseInt(one, 10) - Number.parseInt(other, 10)

/** Links all tables and logs, so that they survive if the owner removes them. */
async function hold(log: string, held: string): Promise<void> {
  for (const name of (await readdir(log)).filter((name) => TABLE_OR_LOG.test(name))) {
    await linkOrCopy(join(log, name), join(held, name))
  }
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (alreadyExists(error) || isMissing(error)) return
    // Another file system, or one without links. A copy may miss the end of a file, but is verified like the rest.
    await copyFile(from, to).catch((reason: unknown) => {
      if (!isMissing(reason)) throw reason
    })
  }
}
