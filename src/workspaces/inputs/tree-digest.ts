/** One hash of a whole tree: equal wherever and whenever the same paths, contents and modes are in it. */
import { createHash } from 'node:crypto'
import type { TreeEntry } from './folder-copy.ts'

/** Hashes one JSON line per entry, ordered by the bytes of the path. */
export function treeDigest(entries: readonly TreeEntry[]): string {
  const hash = createHash('sha256')
  const sorted = entries
    .map((entry) => ({ ...entry, key: Buffer.from(entry.path) }))
    .sort((one, other) => Buffer.compare(one.key, other.key))
  for (const { path, kind, sha256 } of sorted) hash.update(`${JSON.stringify([path, kind, sha256])}\n`)
  return hash.digest('hex')
}

/** The number of files and their total size. */
export function treeSize(entries: readonly TreeEntry[]): { files: number; bytes: number } {
  const files = entries.filter(({ kind }) => kind === 'file' || kind === 'executable')
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
}
