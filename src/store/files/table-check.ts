/** Checks every byte of a table: its size, its index and filters, and the checksum of each block. */
import { blockProblem } from './block.ts'
import type { FileProblem, TableOnDisk } from './log-directory.ts'
import { TableFile } from './table-file.ts'

/** What is wrong with a table; null if it is what was written. */
export async function tableProblem({ path: file, entry }: TableOnDisk): Promise<FileProblem | null> {
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
