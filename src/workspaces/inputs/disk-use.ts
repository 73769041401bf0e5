/** How large a tree is at this moment, while another program writes to it. */
import { readdir } from 'node:fs/promises'
import { lstatIfThere } from './directory.ts'

/** Bytes of all files. What goes away meanwhile is not counted; no link is followed. */
export async function diskUse(path: string): Promise<number> {
  const stats = await lstatIfThere(path)
  if (!stats) return 0
  if (!stats.isDirectory()) return Number(stats.size)
  let bytes = 0
  for (const name of await readdir(path).catch(() => [])) bytes += await diskUse(`${path}/${name}`)
  return bytes
}
