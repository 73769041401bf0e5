/** Snapshots in the log's own database. Not synced: what a crash loses is folded again. */
import type { Snapshot, Snapshots } from '../snapshots.ts'
import type { LogDatabase } from './database.ts'
import { decodeIndexValue, encodeIndexValue, KEY_PREFIX, snapshotKey, startingWith } from './entries.ts'

export function logSnapshots(database: LogDatabase): Snapshots {
  return {
    async load(stream) {
      const key = snapshotKey(stream)
      const value = await database.get(key)
      if (value === undefined) return undefined
      try {
        return decodeIndexValue<Snapshot>(key, value, database.path)
      } catch {
        // Damaged, but only a cache: the facts are there.
        return undefined
      }
    },
    async save(stream, snapshot) {
      const key = snapshotKey(stream)
      await database.batch().put(key, encodeIndexValue(key, snapshot)).write()
    },
    async clear() {
      for (;;) {
        const keys = await database.keys(startingWith(KEY_PREFIX.snapshot))
        if (keys.length === 0) return
        const batch = database.batch()
        for (const key of keys) batch.del(key)
        await batch.write()
      }
    },
  }
}
