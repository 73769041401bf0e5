/** Removes a tree without ever leaving it: each directory is opened through its parent, and no link is followed. */
import { readdir, rmdir, unlink } from 'node:fs/promises'
import { type Directory, lstatIfThere, openChildIfThere } from './directory.ts'
import { about, unless } from './file-problems.ts'

/** Removes the entry of that name. A link itself is removed, not its target. A missing entry is fine. */
export async function removeEntry(parent: Directory, name: string): Promise<void> {
  await about(`${parent.path}/${name}`, () => remove(parent, name))
}

async function remove(parent: Directory, name: string): Promise<void> {
  const stats = await lstatIfThere(parent.at(name))
  if (!stats) return
  if (stats.isDirectory()) await removeDirectory(parent, name)
  else await unless(['ENOENT'], unlink(parent.at(name)))
}

async function removeDirectory(parent: Directory, name: string): Promise<void> {
  {
    await using child = await openChildIfThere(parent, name)
    if (!child) return
    for (const entry of await readdir(child.address, { encoding: 'buffer' })) {
      const plain = entry.toString()
      // A name that is not UTF-8 can be addressed only by its bytes, and only links and files can be removed that
      // way.
      if (Buffer.from(plain).equals(entry)) await remove(child, plain)
      else await unlink(Buffer.concat([Buffer.from(`${child.address}/`), entry]))
    }
  }
  await unless(['ENOENT'], rmdir(parent.at(name)))
}
