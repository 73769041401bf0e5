/** Removes a tree without ever leaving it: each directory is entered through its parent, and no link is followed. */
import { readdir, rmdir, unlink } from 'node:fs/promises'
import { type Directory, lstatIfThere, openChildIfThere } from './directory.ts'
import { about, unless } from './file-problems.ts'

/** Removes what has that name. A link is removed itself. Nothing there is fine. */
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
      // A name that is no utf8 can be addressed by its bytes only. Links and files are all that we can remove so.
      if (Buffer.from(plain).equals(entry)) await remove(child, plain)
      else await unlink(Buffer.concat([Buffer.from(`${child.address}/`), entry]))
    }
  }
  await unless(['ENOENT'], rmdir(parent.at(name)))
}
