/** Directories beside an agent's workspace: any, but for those with which it could reach other agents, or run a program as its user. */
import { realpath } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { InvalidInputError } from '../events/errors/usage.ts'

interface BesideWorkspace {
  readonly addDirs?: readonly string[] | undefined
  readonly plugins?: readonly string[] | undefined
}

/**
 * Throws InvalidInputError if a directory that is added contains the base directory or lies in it, or if a plugin lies where
 * the agents change files; also by a link.
 */
export async function checkDirectories(
  { addDirs = [], plugins = [] }: BesideWorkspace,
  baseDir: string,
): Promise<void> {
  if (addDirs.length === 0 && plugins.length === 0) return
  const base = await place(baseDir)
  for (const directory of addDirs) {
    const added = await place(directory)
    if (!isIn(base, added) && !isIn(added, base)) continue
    throw new InvalidInputError({
      what: `The directory ${directory}`,
      problem: `it ${isIn(base, added) ? 'contains' : 'lies in'} the base directory ${baseDir}, where all agents have their homes`,
      hint: 'Name the folders that the agent needs, or keep the base directory elsewhere: --base-dir DIRECTORY.',
    })
  }
  for (const directory of plugins) {
    const plugin = await place(directory)
    for (const changed of [baseDir, ...addDirs]) {
      if (!isIn(plugin, await place(changed))) continue
      throw new InvalidInputError({
        what: `The plugin ${directory}`,
        problem: `it lies in ${changed}, where agents change files, and what is in it runs as you`,
        hint: 'Keep it elsewhere.',
      })
    }
  }
}

/** Where a path leads to; one that does not exist, to itself. */
const place = (path: string) => realpath(path).catch(() => resolve(path))

const isIn = (path: string, directory: string) => !/^\.\.(\/|$)/.test(relative(directory, path))
