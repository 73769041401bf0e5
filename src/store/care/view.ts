/**
 * A store that this process reads without owning it: a consistent copy of its files, which another process may be writing.
 *
 * Tables are linked, so a view costs what the newest facts take. It shows the log as of now, and does not grow.
 */
import { mkdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreForReading } from '../../events/errors/archive.ts'
import { StoreDamaged, StoreNotOpened } from '../../events/errors/store.ts'
import { ClosedError } from '../../events/errors/usage.ts'
import { Watermark } from '../follow.ts'
import type { ChainedStore } from '../level/chained-store.ts'
import { openLevel } from '../level/database.ts'
import { checkFormat, inspectStoreDirectory, storePaths, VIEW } from '../level/directory.ts'
import { liveOwner } from '../level/lock.ts'
import { logReading } from '../level/reader.ts'
import { openRecovered } from '../level/recovery.ts'
import type { LevelStoreOptions } from '../level/store.ts'
import { removeLeftOvers, unfinishedPath } from '../unfinished.ts'
import { copyStore, isInconsistent } from './live-copy.ts'

/** Even beside a busy owner the first few suffice. */
const ATTEMPTS = 10

/**
 * Opens a store for reading. Nothing in its directory changes but for a folder that lasts as long as the view.
 *
 * @throws UnsupportedFormat, StoreDamaged, TailLoss, SequenceGap, CorruptRecord
 */
export async function readingView(directory: string, options: LevelStoreOptions = {}): Promise<ChainedStore> {
  const base = await realpath(directory)
  try {
    return await takeView(base, options)
  } catch (error) {
    if (!isInconsistent(error)) throw StoreNotOpened.from(directory, error)
  }
  // Not a bad moment, but damage: opening the store itself says what is wrong with it, naming its own files.
  const { levelStore } = await import('../level/store.ts')
  await (await levelStore(base, options))[Symbol.asyncDispose]()
  return takeView(base, options)
}

/** @throws an error for which `isInconsistent` is true if the files gave no view */
async function takeView(base: string, options: LevelStoreOptions): Promise<ChainedStore> {
  let unowned = 0
  for (let attempt = 1; ; attempt++) {
    const folder = await newFolder(base)
    const remove = () => rm(folder, { recursive: true, force: true })
    try {
      await copyStore(storePaths(base), storePaths(folder))
      return await openCopy(base, folder, options)
    } catch (error) {
      await remove()
      // The first copy without an owner may still be of files that one wrote which has just ended.
      if ((await liveOwner(base)) === null) unowned++
      if (attempt === ATTEMPTS || unowned === 2 || !isInconsistent(error)) throw error
    }
  }
}

/** It dies with this process, so it has no lock, no writer, and nothing that is synced. */
async function openCopy(base: string, folder: string, options: LevelStoreOptions): Promise<ChainedStore> {
  const paths = storePaths(folder)
  const { forReading = false } = (await checkFormat(paths)) ?? {}
  const storeId = await inspectStoreDirectory(paths)
  if (storeId === null) throw new StoreDamaged({ path: base, file: base, problem: 'it holds no store' })
  const openDatabase = options.openDatabase ?? openLevel
  const { database, unread, recovered } = await openRecovered(paths, storeId, openDatabase, true)
  const watermark = new Watermark()
  watermark.advance(recovered.end.position)
  let closing: Promise<void> | null = null
  const close = async () => {
    try {
      watermark.end()
      await database.close()
      await unread.close()
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  const reading = logReading({
    database,
    blobsPath: paths.blobs,
    watermark,
    index: () => recovered.index,
    checkOpen() {
      if (closing) throw new ClosedError({ what: 'store' })
    },
  })
  const refused = refusedWrites(base)
  return {
    storeId,
    forReading,
    baseDir: base,
    epoch: recovered.epoch + 1,
    ...reading,
    ...refused,
    blobs: { ...reading.blobs, put: refused.append },
    [Symbol.asyncDispose]() {
      closing ??= close()
      return closing
    },
  }
}

/** What a store that was opened for reading does when it is to write. */
export function refusedWrites(path: string) {
  const refuse = async () => {
    throw new StoreForReading({ path, imported: false })
  }
  return { append: refuse, appendAll: refuse, claim: refuse }
}

/** A folder beside the log is on its file system, so tables can be linked. */
async function newFolder(base: string): Promise<string> {
  // A directory that cannot be written to can still be read.
  return newView(join(base, VIEW)).catch(() => newView(join(tmpdir(), VIEW)))
}

async function newView(path: string): Promise<string> {
  const folder = unfinishedPath(path, 'copy')
  await mkdir(folder, { mode: 0o700 })
  void removeLeftOvers(path).catch(() => {})
  return folder
}
