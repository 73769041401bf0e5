/** Checks that the files of the database are what LevelDB wrote: every block, every log record, every byte between. */
import { readPlainFile } from '../../directory.ts'
import { BLOCK_TRAILER } from '../../files/block.ts'
import { carveBlocks } from '../../files/carving.ts'
import type { Entry } from '../../files/entry.ts'
import {
  type DatabaseFile,
  type LogDirectory,
  problemText,
  type TableOnDisk,
} from '../../files/log-directory.ts'
import { type LogFileDamage, scanLogFile } from '../../files/log-file.ts'
import { readEntries, resemblesFooter, TABLE_FOOTER, TableFile } from '../../files/table-file.ts'
import { decodeBatch } from '../../files/write-batch.ts'
import { damagedTableSource, type EntrySource, entriesSource, tableSource } from './entry-source.ts'
import type { Findings } from './finding.ts'

/** Checks the files, and returns their readable entries. `killed`: whether the last owner ended without closing the store. */
export async function checkFiles(
  directory: LogDirectory,
  findings: Findings,
  killed: boolean,
): Promise<EntrySource[]> {
  for (const problem of directory.problems) findings.add('file', problem.file, problemText(problem))
  const { torn } = directory
  if (torn) reportTorn(findings, killed, torn.file, problemText(torn))
  const sources: EntrySource[] = []
  for (const table of directory.tables) {
    const source = await readable(findings, table, () => checkTable(table, findings))
    if (source) sources.push(source)
  }
  for (const [index, log] of directory.logs.entries()) {
    const isLast = index === directory.logs.length - 1
    const source = await readable(findings, log, () => checkLog(log, findings, killed && isLast))
    if (source) sources.push(source)
  }
  await checkStrays(directory, findings)
  return sources
}

async function readable(
  findings: Findings,
  { path }: DatabaseFile,
  check: () => Promise<EntrySource>,
): Promise<EntrySource | null> {
  try {
    return await check()
  } catch (error) {
    findings.add('file', path, `it cannot be read (${(error as Error).message})`)
    return null
  }
}

async function checkTable({ path, entry }: TableOnDisk, findings: Findings): Promise<EntrySource> {
  await using table = await TableFile.open(path)
  const report = (offset: number, problem: string) =>
    findings.add('file', path, problemText({ file: path, offset, problem }))
  if (entry && table.size !== entry.size) {
    findings.add('file', path, `it has ${table.size} bytes instead of the ${entry.size} that were written`)
  }
  const { blocks, damage } = await table.layout()
  for (const { offset, problem } of damage) report(offset, problem)
  const content = await table.bytes(0, table.size)
  for (const { offset, size } of blocks) {
    const { problem } = readEntries(content.subarray(offset, offset + size + BLOCK_TRAILER))
    if (problem !== null) report(offset, `a block: ${problem}`)
  }
  return damage.length === 0 ? tableSource(path, blocks) : damagedTableSource(path, content)
}

async function checkLog(
  { path }: DatabaseFile,
  findings: Findings,
  mayBeTorn: boolean,
): Promise<EntrySource> {
  const { records, damage, tornAt } = scanLogFile(await readPlainFile(path))
  const report = (offset: number, problem: string) =>
    findings.add('file', path, problemText({ file: path, offset, problem }))
  for (const { offset, problem } of damage) report(offset, problem)
  if (tornAt !== null)
    reportTorn(findings, mayBeTorn, path, `it contains an incomplete record at byte ${tornAt}`)
  const entries: Entry[] = []
  for (const { offset, payload, intact } of records) {
    const batch = decodeBatch(payload)
    entries.push(...batch.entries)
    if (intact && batch.problem !== null) report(offset, batch.problem)
  }
  return entriesSource(path, entries)
}

/** A write cut short by a kill was never acknowledged. In a store that was closed, a torn write is damage. */
function reportTorn(findings: Findings, expected: boolean, file: string, problem: string): void {
  if (expected) {
    findings.notes.push(`${file}: ${problem}. Its writer was killed midway and never acknowledged it.`)
  } else {
    findings.add('file', file, problem)
  }
}

/**
 * Checks the files that no longer belong to the database, or not yet: LevelDB removes them at the next opening. Nothing is
 * read from them, but if the disk has changed one, the others are suspect too. Intact ones are noted.
 */
async function checkStrays({ strays, otherManifests }: LogDirectory, findings: Findings): Promise<void> {
  for (const file of [...strays.map(({ path }) => path), ...otherManifests]) {
    const damage = await (/\.(?:ldb|sst)$/.test(file) ? tableDamage(file) : logDamage(file)).catch(
      (error: Error) => ({ offset: null, problem: `it cannot be read (${error.message})` }),
    )
    if (damage === null) {
      findings.notes.push(`${file} is not part of the store: a process was killed before it could remove it.`)
    } else {
      const where = 'it is no longer part of the store, and has changed on disk'
      findings.add('file', file, `${where}: ${problemText({ file, ...damage })}`)
    }
  }
}

async function logDamage(file: string): Promise<LogFileDamage | null> {
  return scanLogFile(await readPlainFile(file)).damage[0] ?? null
}

async function tableDamage(file: string): Promise<LogFileDamage | null> {
  await using table = await TableFile.open(file)
  const content = await table.bytes(0, table.size)
  const { blocks, damage } = await table.layout()
  const [first] = damage
  if (first) return first.offset < table.size - TABLE_FOOTER ? first : unfinishedDamage(content)
  for (const { offset, size } of blocks) {
    const { problem } = readEntries(content.subarray(offset, offset + size + BLOCK_TRAILER))
    if (problem !== null) return { offset, problem: `a block: ${problem}` }
  }
  return null
}

/** An unfinished table has intact blocks and then part of one, with no footer: damage only if something else is wrong. */
function unfinishedDamage(content: Buffer): LogFileDamage | null {
  let end = 0
  for (const { offset, size } of carveBlocks(content)) {
    if (offset !== end) return { offset: end, problem: 'a block: its checksum does not match' }
    end = offset + size + BLOCK_TRAILER
  }
  if (end === 0 || content.length - end !== TABLE_FOOTER || !resemblesFooter(content.subarray(end)))
    return null
  return { offset: end, problem: 'its end is damaged' }
}
