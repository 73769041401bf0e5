/** Temporary directories, removed after the tests of a file. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atEndOfFile } from '../end-of-file.ts'

const directories: string[] = []

atEndOfFile(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true })
})

/** @param options With `inMemory`, one that no disk slows down, where the system has it. */
export async function temporaryDirectory({ inMemory = false } = {}): Promise<string> {
  const parent = inMemory && existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const directory = await mkdtemp(join(parent, 'store-test-'))
  directories.push(directory)
  return directory
}
