/** The metrics of a store: from its owner, which has most of them counted, or from the log. */
import { Counters, metricsText } from '../history/metrics.ts'
import { isDatabaseUrl } from '../store/postgres/url.ts'
import { connectOwner } from './client.ts'
import { openLog } from './live-log.ts'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Parses the samples of a text in Prometheus format. */
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

/** The metrics as text in Prometheus format. */
export async function readMetrics(place: string): Promise<string> {
  const client = isDatabaseUrl(place) ? null : await connectOwner(place)
  if (client) return client.text('/metrics').finally(() => client.close())
  const { store } = await openLog(place)
  await using _ = store
  return await metricsText(store, new Counters())
}
