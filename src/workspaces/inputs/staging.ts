/** Where inputs are put together before the workspace sees any of them: a directory in the agent's home. */
import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import type { AgentDirectories } from '../directories.ts'
import { type Addressing, type Directory, makeChild, openDirectory } from './directory.ts'
import { about } from './file-problems.ts'
import { removeEntry } from './removal.ts'

const PREFIX = 'incoming-'

export interface Staging extends AsyncDisposable {
  readonly directory: Directory
}

/**
 * Makes the directory, and removes those that a crash has left: so an agent's inputs are placed by one at a time. It
 * lies in the home because that is the agent's own, on the disk of the workspace, and removed with the agent.
 */
export async function openStaging({ home }: AgentDirectories, addressing: Addressing): Promise<Staging> {
  return about(home, async () => {
    const parent = await openDirectory(home, addressing)
    try {
      for (const name of await readdir(parent.address)) {
        if (name.startsWith(PREFIX)) await tidy(parent, name)
      }
      const name = `${PREFIX}${randomUUID()}`
      const directory = await makeChild(parent, name)
      return {
        directory,
        async [Symbol.asyncDispose]() {
          await directory[Symbol.asyncDispose]()
          await tidy(parent, name)
          await parent[Symbol.asyncDispose]()
        },
      }
    } catch (error) {
      await parent[Symbol.asyncDispose]()
      throw error
    }
  })
}

/**
 * Twice, as a process that was just killed may have finished one more write. What cannot be removed at all (a directory
 * that an agent has locked) is tried again next time, and harms nobody.
 */
const tidy = (parent: Directory, name: string) =>
  removeEntry(parent, name).catch(() => removeEntry(parent, name).catch(() => {}))
