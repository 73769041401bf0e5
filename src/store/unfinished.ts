/** What becomes a file or a store when it is complete: until then it has a name of its own, which says who makes it. */
import { randomUUID } from 'node:crypto'
import { lstat, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { livenessOf, namespaceOf, thisProcess } from './process-identity.ts'

const NAME = /^(.+)\.([1-9]\d*)-(\d+)-[0-9a-f-]{36}\.(?:unfinished|repair|copy)$/

export function unfinishedPath(path: string, what: 'unfinished' | 'repair' | 'copy' = 'unfinished'): string {
  return `${path}.${thisProcess().pid}-${namespaceNumber()}-${randomUUID()}.${what}`
}

/** What killed processes have left in a directory; with a name, only what was to become that. */
export async function leftOvers(directory: string, name?: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch(() => [])
  return names
    .filter((found) => {
      const [, becomes, pid, namespace] = NAME.exec(found) ?? []
      // The pid of a process in another container means nothing here.
      if (becomes === undefined || namespace !== namespaceNumber()) return false
      const isDead = livenessOf({ pid: Number(pid), started: null, pidNamespace: null }) === 'dead'
      return isDead && (name === undefined || becomes === name)
    })
    .map((found) => join(directory, found))
}

/** Removes what killed processes of this user have left of this. */
export async function removeLeftOvers(path: string): Promise<void> {
  for (const left of await leftOvers(dirname(path), basename(path))) {
    const uid = (await lstat(left).catch(() => null))?.uid
    if (uid === (process.getuid?.() ?? uid)) await rm(left, { recursive: true, force: true })
  }
}

const namespaceNumber = () => /\d+/.exec(namespaceOf('pid') ?? '')?.[0] ?? '0'
