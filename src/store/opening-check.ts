/**
 * What LevelDB would pass over in silence when it opens the log, looked for before it does. It leaves out damaged
 * records of its log files and goes on, goes back to older tables where its MANIFEST ends early, and then removes what
 * it left out; and a damaged index in a table hides entries, so that an older value comes to light (decision 5).
 *
 * Looked at are the log files and the MANIFEST as a whole, and of each table its structure and the blocks of the index.
 * Blocks that hold nothing but records are left: a record vouches for itself, and a missing one is noticed.
 */
import { readFile, stat } from 'node:fs/promises'
import { StoreDamaged } from '../events/store-errors.ts'
import { BLOCK_TRAILER, blockProblem } from './leveldb/block.ts'
import {
  type FileProblem,
  type LogDirectory,
  problemText,
  readLogDirectory,
  type TableOnDisk,
} from './leveldb/log-directory.ts'
import { scanLogFile } from './leveldb/log-file.ts'
import { type DataBlock, TableFile } from './leveldb/table-file.ts'
import { decodeBatch } from './leveldb/write-batch.ts'
import type { StorePaths } from './store-directory.ts'

/** Prefixes of keys whose entries are noticed when they are missing, or missed by nobody: records and snapshots. */
const VOUCHED_FOR = ['e!', 'n!']
/** As much as is read of a table at once. */
const READ_BYTES = 1024 * 1024
const TABLES_AT_ONCE = 8

/** Throws {@link StoreDamaged} with the file. Reads only. */
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
    const content = await readFile(file)
    const { records, damage, tornAt } = scanLogFile(content)
    if (damage[0]) return { file, ...damage[0] }
    for (const { offset, payload } of records) {
      const { problem } = decodeBatch(payload)
      if (problem !== null) return { file, offset, problem }
    }
    // A killed writer leaves one at the end of the last log. Nobody writes to the next one after that.
    if (torn && content.length > 0) return torn
    if (tornAt !== null) torn = { file, offset: tornAt, problem: 'a record in it is not whole' }
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
  if (entry && (await stat(file)).size !== entry.size) {
    return { file, offset: null, problem: `it has not the ${entry.size} bytes that were written` }
  }
  await using table = await TableFile.open(file)
  const { blocks, damage } = await table.layout()
  if (damage[0]) return { file, ...damage[0] }
  for (const run of runs(blocks.filter((block) => !isVouchedFor(block)))) {
    const [first, last] = [run[0], run.at(-1)]
    if (!first || !last) continue
    const bytes = await table.bytes(first.offset, last.offset + last.size + BLOCK_TRAILER - first.offset)
    for (const { offset, size } of run) {
      const from = offset - first.offset
      const problem = blockProblem(bytes.subarray(from, from + size + BLOCK_TRAILER))
      if (problem !== null) return { file, offset, problem }
    }
  }
  return null
}

const isVouchedFor = ({ after, separator }: DataBlock) =>
  VOUCHED_FOR.some((prefix) => after.startsWith(prefix) && separator.startsWith(prefix))

/** Blocks that lie one behind the other, as many as are read at once. */
function* runs(blocks: readonly DataBlock[]): Generator<DataBlock[]> {
  let run: DataBlock[] = []
  let end = 0
  for (const block of blocks) {
    const follows = block.offset === end && end - (run[0]?.offset ?? 0) < READ_BYTES
    if (!follows && run.length > 0) {
      yield run
      run = []
    }
    run.push(block)
    end = block.offset + block.size + BLOCK_TRAILER
  }
  if (run.length > 0) yield run
}
