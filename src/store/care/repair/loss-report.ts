/** The report of a repair: what was kept, what was lost, and where the rest is. */
import { range } from '../verify/finding.ts'
import type { RepairPlan } from './plan.ts'
import type { Salvage } from './salvage.ts'
import type { SalvagedRecord } from './salvaged-line.ts'

/** A run of lost facts. */
export interface LostFacts {
  /** Positions in the damaged store. */
  readonly from: number
  readonly to: number
  /** The stream of the facts; null if unknown. */
  readonly stream: string | null
  /** The versions of the facts; null if unknown. */
  readonly versions: { readonly from: number; readonly to: number } | null
}

/** A stream that a repair could keep only in part. */
export interface DamagedStream {
  readonly stream: string
  /** Its last version in the new store. */
  readonly kept: number
  /** The last version known in the damaged store. */
  readonly reached: number
  /** The number of its facts that are intact but could not be kept. */
  readonly quarantined: number
}

/** A body that a repair could not keep, and the fact that refers to it. */
export interface LostBlob {
  readonly sha256: string
  /** The position of the fact that refers to it, in the new store. */
  readonly position: number
  readonly stream: string
  readonly problem: string
}

export interface LossReport {
  readonly source: string
  /** The id of the damaged store; null if it cannot be read. */
  readonly sourceStoreId: string | null
  /** The id of the new store. */
  readonly storeId: string
  readonly kept: number
  readonly lost: readonly LostFacts[]
  /** The number of entries in `quarantine.ndjson`. */
  readonly quarantined: number
  readonly streams: readonly DamagedStream[]
  readonly blobs: { readonly kept: number; readonly lost: readonly LostBlob[] }
  /** The facts whose position changed: `count` consecutive ones, from position `from` to position `to` on. */
  readonly moved: readonly { readonly from: number; readonly to: number; readonly count: number }[]
  /** Whether LevelDB's own repair of a copy was used as a second source, or failed. */
  readonly secondSource: 'not needed' | 'asked' | 'failed'
}

type Plan = RepairPlan<SalvagedRecord>

export function lostFacts({ lost }: Plan, { pointers }: Salvage): LostFacts[] {
  const runs: LostFacts[] = []
  for (const position of lost) {
    const known = pointers.get(position)
    const [stream, version] = [known?.stream ?? null, known?.version ?? null]
    const run = runs.at(-1)
    const follows = run?.to === position - 1 && run.stream === stream
    if (run && follows && (version === null || run.versions?.to === version - 1)) {
      const versions = run.versions && version !== null ? { from: run.versions.from, to: version } : null
      runs[runs.length - 1] = { ...run, to: position, versions }
    } else {
      const versions = version === null ? null : { from: version, to: version }
      runs.push({ from: position, to: position, stream, versions })
    }
  }
  return runs
}

/** The streams that lost facts, or have some in quarantine, by name. */
export function damagedStreams({ kept, refused }: Plan, { versions }: Salvage): DamagedStream[] {
  const streams = new Map<string, { kept: number; reached: number; quarantined: number }>()
  const of = (stream: string) => {
    const found = streams.get(stream) ?? { kept: 0, reached: versions.get(stream) ?? 0, quarantined: 0 }
    streams.set(stream, found)
    return found
  }
  for (const stream of versions.keys()) of(stream)
  for (const { stream, version } of kept) {
    const found = of(stream)
    found.kept = version
    found.reached = Math.max(found.reached, version)
  }
  for (const { candidate } of refused) {
    const found = of(candidate.stream)
    found.quarantined++
    found.reached = Math.max(found.reached, candidate.version)
  }
  return [...streams]
    .map(([stream, found]) => ({ stream, ...found }))
    .filter(({ kept, reached, quarantined }) => kept < reached || quarantined > 0)
    .sort((a, b) => (a.stream < b.stream ? -1 : 1))
}

export function movedFacts({ kept }: Plan): LossReport['moved'] {
  const moved: { from: number; to: number; count: number }[] = []
  for (const [index, { position }] of kept.entries()) {
    const to = index + 1
    const run = moved.at(-1)
    if (run && run.from + run.count === position && run.to + run.count === to) run.count++
    else moved.push({ from: position, to, count: 1 })
  }
  return moved.filter(({ from, to }) => from !== to)
}

/** The report as lines of text, one per loss. */
export function lossLines(report: LossReport): string[] {
  const { lost, streams, blobs, quarantined } = report
  return [
    ...lost.map(({ from, to, stream, versions }) => {
      const which = versions
        ? `: ${range('version', versions.from, versions.to)} of ${stream}`
        : ' of an unknown stream'
      return `lost ${range('position', from, to)}${which}`
    }),
    ...streams.map(({ stream, kept, reached, quarantined }) => {
      const apart = quarantined === 0 ? '' : `, ${quarantined} more are in quarantine`
      return `${stream} has ${kept} of ${reached} facts${apart}: work that the lost ones completed is pending again`
    }),
    ...blobs.lost.map(
      ({ sha256, stream, position, problem }) =>
        `body ${sha256} of ${stream} (position ${position}): ${problem}`,
    ),
    ...(quarantined === 0 ? [] : [`${quarantined} in quarantine.ndjson`]),
  ]
}
