/** Retrying while another process has the store in use: an owner that is opening or closing it cannot be reached yet. */
import { setTimeout as delay } from 'node:timers/promises'
import { StoreInUse } from '../events/errors/store.ts'

const TIMEOUT_MS = 2000
const INTERVAL_MS = 25

/** Retries `open` for up to two seconds while it throws {@link StoreInUse}. */
export async function retryWhileInUse<T>(open: () => Promise<T>): Promise<T> {
  for (let left = TIMEOUT_MS; ; left -= INTERVAL_MS) {
    try {
      return await open()
    } catch (error) {
      if (!(error instanceof StoreInUse) || left <= 0) throw error
    }
    await delay(INTERVAL_MS)
  }
}
