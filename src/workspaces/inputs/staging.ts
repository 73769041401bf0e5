/** The staging directory in the agent's home, where input is assembled before the workspace changes. */
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
 * Creates the staging directory, and removes any that a crash left behind, so only one placement per agent may run.
 * It is in the home because that belongs to the agent, is on the workspace's disk, and is removed with the agent.
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
 * Tries twice, since a process that was just killed may have finished one more write. What cannot be removed at all
 * (a directory that an agent locked) does no harm, and is retried next time.
 */
const tidy = (parent: Directory, name: string) =>
  removeEntry(parent, name).catch(() => removeEntry(parent, name).catch(() => {}))
