/** Whether the files of the database are what LevelDB wrote: every block, every record of a log, every byte between. */
import { readFile } from 'node:fs/promises'
import { BLOCK_TRAILER } from '../../files/block.ts'
import type { Entry } from '../../files/entry.ts'
import {
  type DatabaseFile,
  type LogDirectory,
  problemText,
  type TableOnDisk,
} from '../../files/log-directory.ts'
import { scanLogFile } from '../../files/log-file.ts'
import { readEntries, TableFile } from '../../files/table-file.ts'
import { decodeBatch } from '../../files/write-batch.ts'
import { damagedTableSource, type EntrySource, entriesSource, tableSource } from './entry-source.ts'
import type { Findings } from './finding.ts'
import { checkStrays } from './stray-check.ts'

/** Checks the files, and returns what can be read of them. `killed`: whether the last owner ended without closing. */
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
  const { records, damage, tornAt } = scanLogFile(await readFile(path))
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

/** What a killed process was writing was not acknowledged. A store that was closed has nothing like it. */
function reportTorn(findings: Findings, expected: boolean, file: string, problem: string): void {
  if (expected) {
    findings.notes.push(
      `${file}: ${problem}. Its writer was killed in the middle of it, and never acknowledged it.`,
    )
  } else {
    findings.add('file', file, problem)
  }
}
