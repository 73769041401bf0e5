/** A store on a disk that is full for as long as a test says. */
import { StoreReadOnly } from '../src/events/errors/store.ts'
import type { EventStore } from '../src/store/event-store.ts'

export function onFullDisk(store: EventStore) {
  const disk = { isFull: false }
  const room = () => {
    if (disk.isFull) throw new StoreReadOnly({ path: 'memory', problem: 'no space left on device' })
  }
  const limited: EventStore = {
    ...store,
    blobs: {
      ...store.blobs,
      put: async (text) => {
        room()
        return store.blobs.put(text)
      },
    },
    append: async (...given) => {
      room()
      return store.append(...given)
    },
    appendAll: async (appends) => {
      room()
      return store.appendAll(appends)
    },
  }
  return { disk, store: limited }
}
