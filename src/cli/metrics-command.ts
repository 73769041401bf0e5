/** `metrics`: the same text that the owner of the store gives to Prometheus. */
import { resolve } from 'node:path'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'

export async function metrics(globals: GlobalOptions): Promise<void> {
  if (!hasStore(globals)) return noteNoStore(globals)
  const { readMetrics } = await import('../inspect/metrics-access.ts')
  process.stdout.write(await readMetrics(resolve(globals.baseDir)))
}
