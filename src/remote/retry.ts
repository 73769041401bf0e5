/** Retrying while another process has the store in use: an owner that is opening or closing it can do nothing for others. */
import { setTimeout as delay } from 'node:timers/promises'
import { OwnerStopping } from '../events/errors/owner.ts'
import { StoreInUse } from '../events/errors/store.ts'

const TIMEOUT_MS = 2000
const INTERVAL_MS = 25

/** Retries `open` for up to two seconds while it throws {@link StoreInUse} or {@link OwnerStopping}. */
export async function retryWhileInUse<T>(open: () => Promise<T>): Promise<T> {
  for (let left = TIMEOUT_MS; ; left -= INTERVAL_MS) {
    try {
      return await open()
    } catch (error) {
      const mayPass = error instanceof StoreInUse || error instanceof OwnerStopping
      if (!mayPass || left <= 0) throw error
    }
    await delay(INTERVAL_MS)
  }
}
