/** One hash for a whole tree: the same wherever and whenever the same paths, contents and modes lie in it. */
import { createHash } from 'node:crypto'
import type { TreeEntry } from './folder-copy.ts'

/** Over one JSON line for each entry, in the order of the paths' bytes. */
export function treeDigest(entries: readonly TreeEntry[]): string {
  const hash = createHash('sha256')
  const sorted = entries
    .map((entry) => ({ ...entry, key: Buffer.from(entry.path) }))
    .sort((one, other) => Buffer.compare(one.key, other.key))
  for (const { path, kind, sha256 } of sorted) hash.update(`${JSON.stringify([path, kind, sha256])}\n`)
  return hash.digest('hex')
}

/** How many files there are, and how large they are together. */
export function treeSize(entries: readonly TreeEntry[]): { files: number; bytes: number } {
  const files = entries.filter(({ kind }) => kind !== 'directory')
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
}
