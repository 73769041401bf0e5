/** Checks that the blobs that facts refer to exist and are intact, and notes those that no fact refers to. */
import { hash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, readPlainFile } from '../../directory.ts'
import type { Findings } from './finding.ts'
import type { BlobUse } from './record-check.ts'

export async function checkBlobs(
  directory: string,
  uses: ReadonlyMap<string, BlobUse>,
  knownLost: ReadonlySet<string>,
  findings: Findings,
): Promise<void> {
  for (const { sha256, bytes, position, stream } of uses.values()) {
    const file = join(directory, sha256.slice(0, 2), sha256)
    const problem = await bodyProblem(file, sha256, bytes)
    if (problem === null) continue
    if (knownLost.has(sha256))
      findings.notes.push(`${file}: ${problem}. It was lost before the store was repaired.`)
    else findings.add('blob', file, problem, { position, stream })
  }
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (!entry.isFile() || uses.has(entry.name)) continue
    findings.notes.push(`${join(entry.parentPath, entry.name)} is a body that no fact refers to.`)
  }
}

export async function bodyProblem(file: string, sha256: string, bytes: number): Promise<string | null> {
  try {
    const content = await readPlainFile(file)
    if (content.length !== bytes) return `it has ${content.length} bytes instead of ${bytes}`
    return hash('sha256', content) === sha256 ? null : 'its content does not match its hash'
  } catch (error) {
    return isMissing(error) ? 'it is missing' : `it cannot be read (${(error as Error).message})`
  }
}
