/** The metrics of a store: from its owner, which has most of them at hand, or read from the log. */

import { openLog } from './live-log.ts'
import { Counters, metricsText } from './metrics.ts'
import { connectOwner } from './owner-client.ts'

export async function readMetrics(baseDir: string): Promise<string> {
  const client = await connectOwner(baseDir)
  if (client) {
    return client.text('/metrics').finally(() => client.close())
  }
  const { store } = await openLog(baseDir)
  await using _ = store
  return await metricsText(store, new Counters())
}
