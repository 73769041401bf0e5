/** The metrics of a store: from its owner, which has most of them at hand, or read from the log. */

import { Counters, metricsText } from '../history/metrics.ts'
import { connectOwner } from './client.ts'
import { openLog } from './live-log.ts'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The numbers of a text, for programs that read no Prometheus. */
export function samplesOf(text: string): readonly Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === undefined) return []
    const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)]
    const entries = pairs.map(
      ([, label = '', quoted]) => [label, JSON.parse(`"${quoted}"`) as string] as const,
    )
    return [{ name, labels: Object.fromEntries(entries), value: Number(value) }]
  })
}

export async function readMetrics(baseDir: string): Promise<string> {
  const client = await connectOwner(baseDir)
  if (client) {
    return client.text('/metrics').finally(() => client.close())
  }
  const { store } = await openLog(baseDir)
  await using _ = store
  return await metricsText(store, new Counters())
}
