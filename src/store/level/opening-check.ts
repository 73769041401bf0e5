/**
 * Finds damage that LevelDB would ignore when it opens the log. It skips damaged records of its log files; falls back to
 * older tables if its MANIFEST ends early, and deletes the newer ones; returns outdated values if the index of a table is
 * damaged; and aborts the process on some damaged blocks. So every checksum of every file is verified first (decision 5).
 */
import { StoreDamaged } from '../../events/errors/store.ts'
import { readPlainFile } from '../directory.ts'
import { blockProblem } from '../files/block.ts'
import {
  type FileProblem,
  type LogDirectory,
  problemText,
  readLogDirectory,
  type TableOnDisk,
} from '../files/log-directory.ts'
import { scanLogFile } from '../files/log-file.ts'
import { TableFile } from '../files/table-file.ts'
import { decodeBatch } from '../files/write-batch.ts'
import type { StorePaths } from './directory.ts'

const TABLES_AT_ONCE = 8

/** Throws {@link StoreDamaged}, naming the file. Does not write. */
export async function checkBeforeOpening(paths: StorePaths): Promise<void> {
  const directory = await readLogDirectory(paths.log)
  const problem =
    directory.problems[0] ?? (await firstLogProblem(directory)) ?? (await firstTableProblem(directory))
  if (!problem) return
  throw new StoreDamaged({ path: paths.base, file: problem.file, problem: problemText(problem) })
}

async function firstLogProblem({ logs }: LogDirectory): Promise<FileProblem | null> {
  let torn: FileProblem | null = null
  for (const { path: file } of logs) {
    const content = await readPlainFile(file)
    const { records, damage, tornAt } = scanLogFile(content)
    if (damage[0]) return { file, ...damage[0] }
    for (const { offset, payload } of records) {
      const { problem } = decodeBatch(payload)
      if (problem !== null) return { file, offset, problem }
    }
    // A killed writer can leave a torn record only in the last log: no later one is written before this is a table.
    if (torn && content.length > 0) return torn
    if (tornAt !== null) torn = { file, offset: tornAt, problem: 'it contains an incomplete record' }
  }
  return null
}

async function firstTableProblem({ tables }: LogDirectory): Promise<FileProblem | null> {
  for (let first = 0; first < tables.length; first += TABLES_AT_ONCE) {
    const problems = await Promise.all(tables.slice(first, first + TABLES_AT_ONCE).map(tableProblem))
    const problem = problems.find((found) => found !== null)
    if (problem) return problem
  }
  return null
}

async function tableProblem({ path: file, entry }: TableOnDisk): Promise<FileProblem | null> {
  await using table = await TableFile.open(file)
  if (entry && table.size !== entry.size) {
    return {
      file,
      offset: null,
      problem: `it has ${table.size} bytes instead of the ${entry.size} that were written`,
    }
  }
  const { blocks, damage } = await table.layout()
  if (damage[0]) return { file, ...damage[0] }
  const content = await table.bytes(0, table.size)
  for (const { offset, size } of blocks) {
    const problem = blockProblem(content, offset, size)
    if (problem !== null) return { file, offset, problem }
  }
  return null
}
