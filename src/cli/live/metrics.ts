/** `metrics`: the same text that the owner of the store gives to Prometheus, and of a cluster its workers. */
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
  const text = `${await readMetrics(placeOfLog(globals))}${await metricsOfWorkers(globals)}`
  if (!json) return write(text)
  for (const sample of samplesOf(text)) value(sample)
}

async function metricsOfWorkers({ database }: GlobalOptions): Promise<string> {
  if (database === undefined) return ''
  const [{ WorkerTable }, { workerMetrics }] = await Promise.all([
    import('../../cluster/worker-table.ts'),
    import('../../cluster/metrics.ts'),
  ])
  await using members = await WorkerTable.at(database, PATIENCE_MS)
  return workerMetrics(await members.list())
}

const PATIENCE_MS = 10_000
