/**
 * A copy of a store that another process has open and writes to, made from outside and proved afterwards.
 *
 * The files of a live LevelDB change while they are copied, so a copy may be of no moment that ever was. But every
 * record vouches for itself and for the one before, and `head` names one that was there when the copying began: a copy
 * that opens, has an unbroken chain and holds that record is the beginning of the log, whatever the files did meanwhile.
 * One that is not is thrown away, and made again.
 */
import { copyFile, link, mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { LiveCopyFailed } from '../../events/errors/archive.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { alreadyExists, isMissing, makeDirectory } from '../directory.ts'
import { type StorePaths, storePaths } from '../level/directory.ts'
import { readHeadFile } from '../level/head-file.ts'
import { writingError } from './archive/writer.ts'

/** A busy store is got in the first few: what moves away meanwhile is held by a link. */
const ATTEMPTS = 10

/** What a copy that is of no moment looks like when it is opened or read. */
const OUT_OF_STEP = new Set(['StoreDamaged', 'CorruptRecord', 'SequenceGap', 'TailLoss', 'CorruptBlob'])

/**
 * Copies a store into a new folder and hands it over, again and again until what `use` finds in it is whole.
 *
 * @param use Opens the copy and reads all of it. It holds at least what was in the log when the copying began, and
 * perhaps more than what had been acknowledged by `acknowledged`: the last position when the copying was over.
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
      if (!isOutOfStep(error)) throw writingError(folder, error)
      failure = error
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  throw new LiveCopyFailed({ path: baseDir, attempts: ATTEMPTS }, { cause: failure })
}

const isOutOfStep = (error: unknown) =>
  error instanceof ClaudeAgentError ? OUT_OF_STEP.has(error._tag) : isMissing(error)

/**
 * The head comes first: what it names must be found in the rest. MANIFEST says which tables and logs the database
 * consists of, so those of before and after are held, and belong to it or do no harm.
 */
async function copyStore(source: StorePaths, copy: StorePaths, held: string): Promise<void> {
  await Promise.all([makeDirectory(copy.log), makeDirectory(held)])
  await copyFile(source.head, copy.head)
  await copyFile(source.storeFile, copy.storeFile)
  // Never changed, only added: they are read where they are.
  await symlink(source.blobs, copy.blobs)
  await hold(source.log, held)
  const current = join(copy.log, 'CURRENT')
  await copyFile(join(source.log, 'CURRENT'), current)
  const manifest = (await readFile(current, 'utf8')).trim()
  await copyFile(join(source.log, manifest), join(copy.log, manifest))
  await hold(source.log, held)
  // LevelDB gets none of the links: opening makes tables under new names, and may take one that the owner has now.
  // The newest log comes first: once it is there, nothing is added to those before it.
  for (const name of (await readdir(held)).sort(byNumber).reverse()) {
    await copyFile(join(held, name), join(copy.log, name))
  }
}

const TABLE_OR_LOG = /^\d+\.(?:ldb|sst|log)$/
const byNumber = (one: string, other: string) => Number.parseInt(one, 10) - Number.parseInt(other, 10)

/** Links all tables and logs, so that the owner cannot take them away. Where that does not go, the names are noted. */
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
    // Another file system, or one without links: a copy made now may miss the end of a file, and is proved as well.
    await copyFile(from, to).catch((reason: unknown) => {
      if (!isMissing(reason)) throw reason
    })
  }
}
