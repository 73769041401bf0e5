/**
 * Files that the database no longer consists of, or does not consist of yet: LevelDB removes them when it is opened the
 * next time. Nothing is read from them. But a disk that has changed one of them is not to be trusted with the others.
 */
import { readFile } from 'node:fs/promises'
import { BLOCK_TRAILER } from '../../files/block.ts'
import { carveBlocks } from '../../files/carving.ts'
import { type LogDirectory, problemText } from '../../files/log-directory.ts'
import { type LogFileDamage, scanLogFile } from '../../files/log-file.ts'
import { readEntries, TABLE_FOOTER, TableFile } from '../../files/table-file.ts'
import type { Findings } from './finding.ts'

/** Notes each of them; one whose bytes have changed since they were written is a finding. */
export async function checkStrays(
  { strays, otherManifests }: LogDirectory,
  findings: Findings,
): Promise<void> {
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
  return scanLogFile(await readFile(file)).damage[0] ?? null
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

/** A table that was not written to its end has whole blocks, and then a part of one: nothing behind it, and no footer. */
function unfinishedDamage(content: Buffer): LogFileDamage | null {
  let end = 0
  for (const { offset, size } of carveBlocks(content)) {
    if (offset !== end) return { offset: end, problem: 'a block: its checksum does not match' }
    end = offset + size + BLOCK_TRAILER
  }
  if (end === 0 || content.length - end !== TABLE_FOOTER) return null
  return { offset: end, problem: 'its end is damaged' }
}
