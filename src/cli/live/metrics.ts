/** `metrics`: the same text that the owner of the store gives to Prometheus. */
import type { Command } from 'commander'
import { hasStore, noteNoStore, placeOfLog } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { terminal } from '../terminal/output.ts'

export function metricsCommand(command: Command): void {
  command.description('print counters and gauges in the Prometheus text format').action(withGlobals(metrics))
}

async function metrics(globals: GlobalOptions): Promise<void> {
  if (!hasStore(globals)) return noteNoStore(globals)
  const { readMetrics, samplesOf } = await import('../../remote/metrics.ts')
  const { json, value, write } = terminal(globals)
  const text = await readMetrics(placeOfLog(globals))
  if (!json) return write(text)
  for (const sample of samplesOf(text)) value(sample)
}
