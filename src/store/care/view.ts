/**
 * A store that this process reads without owning it: a consistent copy of its files, which another process may be writing.
 *
 * Tables are linked, so a view costs what the newest facts take. It shows the log as of now, and does not grow.
 */
import { mkdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreForReading } from '../../events/errors/archive.ts'
import type { ChainedStore } from '../level/chained-store.ts'
import { storePaths, VIEW } from '../level/directory.ts'
import { liveOwner } from '../level/lock.ts'
import { type LevelStoreOptions, levelStore } from '../level/store.ts'
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
    if (!isInconsistent(error)) throw error
  }
  // Not a bad moment, but damage: opening the store itself says what is wrong with it, naming its own files.
  await (await levelStore(base, options))[Symbol.asyncDispose]()
  return takeView(base, options)
}

/** @throws an error for which `isInconsistent` is true if the files gave no view */
async function takeView(base: string, options: LevelStoreOptions): Promise<ChainedStore> {
  for (let attempt = 1; ; attempt++) {
    const folder = await newFolder(base)
    const remove = () => rm(folder, { recursive: true, force: true })
    try {
      await copyStore(storePaths(base), storePaths(folder))
      const store = await levelStore(folder, options)
      const refused = refusedWrites(base)
      return {
        ...store,
        ...refused,
        blobs: { ...store.blobs, put: refused.append },
        async [Symbol.asyncDispose]() {
          try {
            await store[Symbol.asyncDispose]()
          } finally {
            await remove()
          }
        },
      }
    } catch (error) {
      await remove()
      const isLast = attempt === ATTEMPTS || !isInconsistent(error) || (await liveOwner(base)) === null
      if (isLast) throw error
    }
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
