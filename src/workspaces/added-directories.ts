/** Directories beside an agent's workspace: any, but for those with which it could reach other agents. */
import { realpath } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { InvalidInputError } from '../events/errors/usage.ts'

/** Throws InvalidInputError if one of them contains the base directory, or lies in it, also by a link. */
export async function refuseBaseDirectory(directories: readonly string[], baseDir: string): Promise<void> {
  const base = await place(baseDir)
  for (const directory of directories) {
    const added = await place(directory)
    if (!isIn(base, added) && !isIn(added, base)) continue
    throw new InvalidInputError({
      what: `The directory ${directory}`,
      problem: `it ${isIn(base, added) ? 'contains' : 'lies in'} the base directory ${baseDir}, where all agents have their homes`,
      hint: 'Name the folders that the agent needs, or keep the base directory elsewhere: --base-dir DIRECTORY.',
    })
  }
}

/** Where a path leads to; one that does not exist, to itself. */
const place = (path: string) => realpath(path).catch(() => resolve(path))

const isIn = (path: string, directory: string) => !/^\.\.(\/|$)/.test(relative(directory, path))
