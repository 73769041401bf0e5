/** The store that a repair creates: the kept facts in order, in a new hash chain, with the blobs they refer to. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { blobReferences } from '../../blob-reference.ts'
import { FILE_MODE, readPlainFile } from '../../directory.ts'
import { storedTextOf } from '../../fact-text.ts'
import type { StorePaths } from '../../level/directory.ts'
import { type CommitNote, decodeRecord, encodeRecord, joinText, recordKey } from '../../level/entries.ts'
import { buildStore, type LogBuilder } from '../store-builder.ts'
import { bodyProblem } from '../verify/blob-check.ts'
import type { LossReport, LostBlob } from './loss-report.ts'
import type { RepairPlan } from './plan.ts'
import type { DamagedRecord, SalvagedRecord } from './salvaged-line.ts'

export interface KeptFacts {
  /** The streams that lost facts. */
  readonly cut: ReadonlySet<string>
  readonly plan: RepairPlan<SalvagedRecord>
  readonly source: StorePaths
  readonly sourceStoreId: string
  valueFor(record: SalvagedRecord | DamagedRecord): Promise<string>
}

/** Creates the store, and returns which blobs were kept and which are lost. */
export async function buildRepaired(
  target: string,
  storeId: string,
  kept: KeptFacts,
): Promise<LossReport['blobs']> {
  const seen = new Set<string>()
  const lost: LostBlob[] = []
  await buildStore(target, { storeId, forReading: false }, async (builder) => {
    for (const record of kept.plan.kept) {
      const recorded = await addFact(builder, storeId, record, kept)
      for (const { sha256, bytes } of blobReferences(recorded.data)) {
        if (seen.has(sha256)) continue
        seen.add(sha256)
        const file = join(kept.source.blobs, sha256.slice(0, 2), sha256)
        const problem = await bodyProblem(file, sha256, bytes)
        if (problem === null) await builder.blobs.put((await readPlainFile(file)).toString('utf8'))
        else {
          builder.loseBody({ sha256, bytes })
          lost.push({ sha256, position: recorded.position, stream: recorded.stream, problem })
        }
      }
    }
  })
  return { kept: seen.size - lost.length, lost }
}

/** Adds a fact with its id, time and note; its position and hashes are new. */
async function addFact(
  builder: LogBuilder,
  storeId: string,
  record: SalvagedRecord,
  { sourceStoreId, cut, valueFor }: KeptFacts,
) {
  const source = { storeId: sourceStoreId, path: record.file }
  const { recorded: old, note } = decodeRecord(source, record.position, await valueFor(record))
  const recorded = { ...old, position: builder.end.position + 1 }
  const kept = note && cut.has(recorded.stream) ? withoutWork(note) : note
  const text = joinText(storedTextOf(storeId, recorded), kept)
  const { value, hash } = encodeRecord(recordKey(recorded.position), builder.end.hash, text)
  await builder.add({ recorded, note: kept, value, hash })
  return recorded
}

/** The open work of a cut stream may have been done, and paid for, already: it must not resume automatically. */
const withoutWork = (note: CommitNote): CommitNote =>
  note.summary ? { ...note, summary: { ...note.summary, open: false } } : note

/** Writes a line for everything that was found but not kept, with the reason and the value. Returns their number. */
export async function writeQuarantine(
  file: string,
  { plan, valueFor }: KeptFacts,
  damaged: readonly DamagedRecord[],
): Promise<number> {
  const output = await open(file, 'w', FILE_MODE)
  let count = 0
  const write = async (line: object) => {
    count++
    await output.write(`${JSON.stringify(line)}\n`)
  }
  try {
    for (const { candidate, reason } of plan.refused) {
      const { position, stream, version, type, file: found } = candidate
      await write({ position, stream, version, type, reason, file: found, value: await valueFor(candidate) })
    }
    for (const record of damaged) {
      const { key, problem, file: found } = record
      await write({ key, reason: problem, file: found, value: await valueFor(record) })
    }
    await output.sync()
  } finally {
    await output.close()
  }
  return count
}
