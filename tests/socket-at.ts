/** A socket at a path that may be longer than `listen` takes: the kernel has room for 107 bytes. */
import { once } from 'node:events'
import { mkdtemp, rename, rmdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export async function socketAt(path: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 's-'))
  const server = createServer().listen(join(folder, 's'))
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  await rename(join(folder, 's'), path)
  await rmdir(folder)
}
