/** File systems that tests mount, which only root may do, and in some containers not even root. */
import { execFileSync } from 'node:child_process'
import { open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from './store/temporary.ts'

export const canMount = process.getuid?.() === 0 && tryMount()

function tryMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** A directory where something is mounted until the test ends. */
export async function mounted(...options: string[]): Promise<string> {
  const directory = await temporaryDirectory()
  mountedAt(directory, ...options)
  return directory
}

/** Mounts something at a directory until the test ends. */
export function mountedAt(directory: string, ...options: string[]): void {
  execFileSync('mount', [...options, directory])
  onTestFinished(() => void execFileSync('umount', ['--lazy', directory]))
}

/** A disk that can be filled. */
export async function smallDisk(size = '24m') {
  const directory = await mounted('-t', 'tmpfs', '-o', `size=${size}`, 'none')
  const filler = join(directory, 'filler')
  return {
    directory,
    /** @param leave How many bytes are left free, in whole pages. */
    async fill(leave = 0) {
      const { bavail, bsize } = await statfs(directory)
      await using file = await open(filler, 'a')
      const room = bavail * bsize - leave
      if (room > 0) await file.writeFile(Buffer.alloc(room))
    },
    free: () => rm(filler, { force: true }),
  }
}
