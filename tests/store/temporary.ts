/** Temporary directories, removed after the tests of a file. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

const directories: string[] = []

afterAll(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true })
})

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'store-test-'))
  directories.push(directory)
  return directory
}
