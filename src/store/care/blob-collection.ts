/** Garbage collection of blobs that no fact refers to. The store must be locked, so that no new one is put meanwhile. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, syncDirectory } from '../directory.ts'

export interface OrphanedBlobs {
  readonly blobs: number
  readonly bytes: number
}

/** Removes, or with `dryRun` only counts, all files not in `needed`, including leftovers of a killed `put`. */
export async function collectBlobs(
  directory: string,
  needed: ReadonlySet<string>,
  { dryRun }: { readonly dryRun: boolean },
): Promise<OrphanedBlobs> {
  let [blobs, bytes] = [0, 0]
  for (const folder of await directoriesIn(directory)) {
    const path = join(directory, folder)
    const orphans = (await readdir(path)).filter((name) => !needed.has(name))
    for (const name of orphans) {
      blobs++
      bytes += (await stat(join(path, name))).size
      if (!dryRun) await rm(join(path, name))
    }
    if (orphans.length > 0 && !dryRun) await syncDirectory(path)
  }
  return { blobs, bytes }
}

async function directoriesIn(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
