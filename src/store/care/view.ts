/**
 * A store that this process reads without owning it: a consistent copy of its files, which another process may be writing.
 *
 * Tables are linked, so a view costs what the newest facts take. It shows the log as of now, and does not grow.
 */
import { mkdtemp, readdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ChainedStore } from '../level/chained-store.ts'
import { storePaths } from '../level/directory.ts'
import { liveOwner } from '../level/lock.ts'
import { type LevelStoreOptions, levelStore } from '../level/store.ts'
import { livenessOf, namespaceOf } from '../process-identity.ts'
import { copyStore, isInconsistent } from './live-copy.ts'

/** Even beside a busy owner the first few suffice. */
const ATTEMPTS = 10

/** A folder beside the log is on its file system, so tables can be linked. It names the process that reads, and its namespace. */
const FOLDER = /^view\.(\d+)\.(\d*)\.\w+$/
const namespace = () => /\d+/.exec(namespaceOf('pid') ?? '')?.[0] ?? ''

/**
 * Opens a store for reading. Nothing in its directory changes but for a folder that lasts as long as the view.
 *
 * @throws UnsupportedFormat, StoreDamaged, TailLoss, SequenceGap, CorruptRecord
 */
export async function readingView(directory: string, options: LevelStoreOptions = {}): Promise<ChainedStore> {
  const base = await realpath(directory)
  void sweepViews(base).catch(() => {})
  for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
    const folder = await newFolder(base)
    const remove = () => rm(folder, { recursive: true, force: true })
    try {
      await copyStore(storePaths(base), storePaths(folder))
      const store = await levelStore(folder, options)
      return {
        ...store,
        forReading: true,
        async [Symbol.asyncDispose]() {
          await store[Symbol.asyncDispose]()
          await remove()
        },
      }
    } catch (error) {
      await remove()
      if (!isInconsistent(error)) throw error
      if ((await liveOwner(base)) === null) break
    }
  }
  // Not a bad moment, but damage: opening the store itself says what is wrong with it, naming its own files.
  return levelStore(directory, options)
}

async function newFolder(base: string): Promise<string> {
  const name = `view.${process.pid}.${namespace()}.`
  // A directory that cannot be written to can still be read.
  return mkdtemp(join(base, name)).catch(() => mkdtemp(join(tmpdir(), name)))
}

/** Removes what killed readers left behind. */
async function sweepViews(base: string): Promise<void> {
  for (const name of await readdir(base)) {
    const [, pid, where] = FOLDER.exec(name) ?? []
    if (pid === undefined || where !== namespace()) continue
    if (livenessOf({ pid: Number(pid), started: null, pidNamespace: null }) === 'dead')
      await rm(join(base, name), { recursive: true, force: true })
  }
}
