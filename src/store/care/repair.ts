/**
 * Repair: builds a new store from what can be salvaged of a damaged one. The damaged store is only read, by a separate
 * process. Decision 5 explains why facts get new positions and a new chain, and why streams are cut.
 */
import { randomUUID } from 'node:crypto'
import { readdir, realpath, rename, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { DirectoryNotEmpty } from '../../events/errors/archive.ts'
import { ClaudeAgentError } from '../../events/errors/base.ts'
import { RepairFailed, StoreInUse, UnsupportedFormat } from '../../events/errors/store.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import { absolutePath, isMissing, makeDirectory, writeWholeFile } from '../directory.ts'
import { atStore, checkFormat, type StorePaths, storePaths } from '../level/directory.ts'
import { numberIn } from '../level/entries.ts'
import { readHeadFile } from '../level/head-file.ts'
import { liveOwner } from '../level/lock.ts'
import { removeLeftOvers, unfinishedPath } from '../unfinished.ts'
import { writingError } from './archive/writer.ts'
import { damagedStreams, type LossReport, lostFacts, movedFacts } from './repair/loss-report.ts'
import { buildRepaired, type KeptFacts, writeQuarantine } from './repair/new-store.ts'
import { type RepairPlan, repairPlan } from './repair/plan.ts'
import { readValue, Salvage } from './repair/salvage.ts'
import type { DamagedRecord, SalvagedRecord } from './repair/salvaged-line.ts'

const LOSS_REPORT = 'loss-report.json'
const QUARANTINE = 'quarantine.ndjson'

/**
 * Writes every fact that is intact, and whose stream is intact up to it, to a new store in an empty directory. Other facts
 * that were found go to `quarantine.ndjson` in it, and a report of what was lost to `loss-report.json`.
 *
 * @throws StoreInUse, StoreNotOpened, UnsupportedFormat, DirectoryNotEmpty, RepairFailed
 * @example
 * const { kept, lost } = await repairStore('.claude-agents', 'repaired')
 */
export async function repairStore(directory: string, to: string): Promise<LossReport> {
  checkArgument('The directory of the new store', to, 'a path')
  const target = absolutePath(to)
  const source = storePaths(await atStore(directory, () => realpath(directory)))
  await checkTarget(source, target)
  const owner = await atStore(directory, () => liveOwner(source.base))
  if (owner) throw new StoreInUse({ path: source.base, pid: owner.pid })
  try {
    return await repaired(source, target)
  } catch (error) {
    throw writingError(target, error)
  }
}

async function repaired(source: StorePaths, target: string): Promise<LossReport> {
  const stored = await nullIfDamaged(() => checkFormat(source))
  await removeLeftOvers(target)
  const work = unfinishedPath(target, 'repair')
  await makeDirectory(work)
  try {
    await using salvage = new Salvage()
    await salvage.read('files', source.log, join(work, 'files'))
    const { plan, secondSource } = await makePlan(salvage, source, work)
    // Prefer the id in the log: it has a checksum, the one in store.json has none.
    const sourceStoreId = salvage.storeId ?? stored?.storeId ?? null
    const streams = damagedStreams(plan, salvage)
    const kept: KeptFacts = {
      plan,
      cut: new Set(streams.map(({ stream }) => stream)),
      source,
      sourceStoreId: sourceStoreId ?? 'unknown-store',
      valueFor: valueReader(salvage),
    }
    const quarantined = await writeQuarantine(join(work, QUARANTINE), kept, unreplaced(salvage, plan))
    const storeId = randomUUID()
    const blobs = await buildRepaired(target, storeId, kept)
    const report: LossReport = {
      source: source.base,
      sourceStoreId,
      storeId,
      kept: plan.kept.length,
      lost: lostFacts(plan, salvage),
      quarantined,
      streams,
      blobs,
      moved: movedFacts(plan),
      secondSource,
    }
    await rename(join(work, QUARANTINE), join(target, QUARANTINE))
    await writeWholeFile(join(target, LOSS_REPORT), `${JSON.stringify(report, null, 2)}\n`)
    return report
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** The target must be outside the damaged store, and empty. */
async function checkTarget({ base }: StorePaths, target: string): Promise<void> {
  const inside = relative(base, target)
  if (inside !== '' && !inside.startsWith('..')) {
    const hint = 'Choose a directory outside it.'
    throw new InvalidInputError({ what: '--to', problem: 'it is inside the damaged store', hint })
  }
  const names = await readdir(target).catch((error) => {
    if (isMissing(error)) return []
    throw new DirectoryNotEmpty({ path: target }, { cause: error })
  })
  if (names.length > 0) throw new DirectoryNotEmpty({ path: target })
}

/** Plans from the files and, if anything is lost, also from LevelDB's repair of a copy. Facts of both prove themselves. */
async function makePlan(salvage: Salvage, source: StorePaths, work: string) {
  const head = await nullIfDamaged(() => readHeadFile(source.head, source.base))
  const plan = () => {
    const candidates = salvage.records.map(({ line }) => line)
    const last = Math.max(salvage.last, head?.position ?? 0)
    return repairPlan({ candidates, head, last, commits: salvage.commits })
  }
  const first = plan()
  if (first.lost.length === 0) return { plan: first, secondSource: 'not needed' as const }
  try {
    await salvage.read('leveldb', source.log, join(work, 'leveldb'))
  } catch (error) {
    if (!(error instanceof RepairFailed)) throw error
    return { plan: first, secondSource: 'failed' as const }
  }
  return { plan: plan(), secondSource: 'asked' as const }
}

async function nullIfDamaged<Content>(read: () => Promise<Content>): Promise<Content | null> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof UnsupportedFormat || !(error instanceof ClaudeAgentError)) throw error
    return null
  }
}

function valueReader({ records, damaged }: Salvage): KeptFacts['valueFor'] {
  const files = new Map([...records, ...damaged].map(({ line, values }) => [line, values]))
  return (record) => {
    const values = files.get(record)
    if (!values) throw new Error('the salvage did not find this record')
    return readValue(values, record.value)
  }
}

/** The damaged records at positions for which no intact record was found. The others are of no use. */
function unreplaced({ damaged }: Salvage, { lost }: RepairPlan<SalvagedRecord>): DamagedRecord[] {
  const missing = new Set(lost)
  return damaged.map(({ line }) => line).filter(({ key }) => missing.has(numberIn(key)) || !isKey(key))
}

const isKey = (key: string) => /^e!\d{16}$/.test(key)
