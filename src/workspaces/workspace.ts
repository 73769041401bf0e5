/** The directories of an agent: made for its calls, and removed with it, without following a link out of them. */
import { chmod, lstat, mkdir, rmdir } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { WorkspaceError } from '../events/errors/workspace.ts'
import type { AgentDirectories } from './directories.ts'
import {
  type Directory,
  lstatIfThere,
  openChild,
  openNamedDirectory,
  systemAddressing,
} from './inputs/directory.ts'
import { unless } from './inputs/file-problems.ts'
import { removeEntry } from './inputs/removal.ts'

/** Only its owner may look: prompts, answers and sessions lie here. */
const PRIVATE = 0o700

/**
 * Makes what is missing. Refuses with {@link WorkspaceError} when a directory below `baseDir` is a link: an agent could
 * have put it there to be let out. Without a `baseDir` that is looked for from the directory that both share.
 */
export async function prepareDirectories(directories: AgentDirectories, baseDir?: string): Promise<void> {
  const base = baseDir ?? dirname(commonDirectory(directories))
  for (const path of [directories.workspace, directories.home]) {
    await refuseLinks(path, base)
    try {
      await mkdir(path, { recursive: true, mode: PRIVATE })
      await chmod(path, PRIVATE)
    } catch (cause) {
      throw new WorkspaceError({ path, problem: 'the directory cannot be created' }, { cause })
    }
  }
}

/** A process may still write into what is being removed. */
const REMOVAL_TRIES = 3

/**
 * Removes both and all that is in them. A link in them is removed; what it points at is not, also where it is put there
 * in the meantime.
 */
export async function removeDirectories(directories: AgentDirectories, baseDir?: string): Promise<void> {
  const base = baseDir ?? dirname(commonDirectory(directories))
  for (const path of [directories.workspace, directories.home]) {
    await refuseLinks(dirname(path), base)
    try {
      await unless(['ENOENT'], removeBelow(base, path))
    } catch (cause) {
      throw new WorkspaceError({ path, problem: 'the directory cannot be removed' }, { cause })
    }
  }
  // What holds both, unless somebody has put something else there.
  await rmdir(commonDirectory(directories)).catch(() => {})
}

/** Goes from the base to the path a step at a time, each through the one before: none of them can be swapped for a link. */
async function removeBelow(base: string, path: string): Promise<void> {
  await using directory = await openNamedDirectory(resolve(base), systemAddressing)
  await removeAt(directory, stepsBetween(base, path))
}

async function removeAt(parent: Directory, [name, ...rest]: readonly string[]): Promise<void> {
  if (name === undefined) return
  if (rest.length > 0) {
    await using child = await openChild(parent, name)
    await removeAt(child, rest)
    return
  }
  for (let left = REMOVAL_TRIES; left > 0; left--) {
    await removeEntry(parent, name).catch((error) => {
      if (left === 1) throw error
    })
    if ((await lstatIfThere(parent.at(name))) === null) return
  }
}

/** Looks at every step from the base to the path. The base itself and what is above it are the user's own matter. */
async function refuseLinks(path: string, base: string): Promise<void> {
  const steps = stepsBetween(base, path)
  if (steps[0] === '..') throw new WorkspaceError({ path, problem: `the directory is not in ${base}` })
  let current = resolve(base)
  for (const step of steps) {
    current = join(current, step)
    const stats = await lstat(current).catch(() => null)
    if (stats?.isSymbolicLink()) {
      throw new WorkspaceError({
        path: current,
        problem: 'this is a symbolic link, which could lead out of the directory of the agent',
        hint: 'Remove it, or remove the agent.',
      })
    }
    if (stats && !stats.isDirectory())
      throw new WorkspaceError({ path: current, problem: 'this is not a directory' })
  }
}

const stepsBetween = (base: string, path: string): string[] =>
  relative(resolve(base), resolve(path))
    .split(sep)
    .filter((step) => step !== '')

function commonDirectory({ workspace, home }: AgentDirectories): string {
  const [one, other] = [resolve(workspace).split(sep), resolve(home).split(sep)]
  const different = one.findIndex((step, index) => step !== other[index])
  return one.slice(0, different === -1 ? one.length - 1 : different).join(sep) || sep
}
