/** Creates and removes the directories of an agent, without following a link out of them. */
import { lstatSync, type Stats } from 'node:fs'
import { chmod, lstat, mkdir, rmdir } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { isDiskFull, systemFailure } from '../events/errors/phrases.ts'
import { WorkspaceError } from '../events/errors/workspace.ts'
import { defined } from '../events/json.ts'
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

/** Owner only: prompts, answers and sessions are stored here. */
const PRIVATE = 0o700
const ANYONE = 0o777

/**
 * Creates what is missing. Throws {@link WorkspaceError} if a directory below `baseDir` is a link, which an agent
 * could have planted to escape. Default for `baseDir`: the parent of the directory that contains both.
 */
export async function prepareDirectories(directories: AgentDirectories, baseDir?: string): Promise<void> {
  const base = baseDir ?? dirname(commonDirectory(directories))
  for (const path of [directories.workspace, directories.home]) {
    const found = await refuseLinks(path, base)
    if (found !== null && (found.mode & ANYONE) === PRIVATE) continue
    try {
      await mkdir(path, { recursive: true, mode: PRIVATE })
      await chmod(path, PRIVATE)
    } catch (cause) {
      const { problem, hint } = systemFailure(cause) ?? { problem: (cause as Error).message }
      const retryable = isDiskFull(cause)
      throw new WorkspaceError(
        defined({ path, problem: `it cannot be created: ${problem}`, hint, retryable }),
        { cause },
      )
    }
  }
}

/** A process may still be writing into the directory. */
const REMOVAL_TRIES = 3

/**
 * Removes both directories with everything in them. A link inside is removed; its target is not, even if the link is
 * planted while this runs.
 */
export async function removeDirectories(directories: AgentDirectories, baseDir?: string): Promise<void> {
  const base = baseDir ?? dirname(commonDirectory(directories))
  for (const path of [directories.workspace, directories.home]) {
    await refuseLinks(dirname(path), base)
    try {
      await unless(['ENOENT'], removeBelow(base, path))
    } catch (cause) {
      throw notRemoved(path, cause)
    }
  }
  // The directory that contains both, unless something else is in it.
  await rmdir(commonDirectory(directories)).catch(() => {})
}

/** Removes an entry of a directory of ours, whatever an agent has made of it. A missing one is fine. */
export async function removeFrom(directory: string, name: string): Promise<void> {
  // A link to nothing is there as well.
  if (lstatSync(join(directory, name), { throwIfNoEntry: false }) === undefined) return
  await using parent = await openNamedDirectory(directory, systemAddressing)
  await removeEntry(parent, name)
}

function notRemoved(path: string, cause: unknown): WorkspaceError {
  const problem = 'the directory cannot be removed'
  if (!(cause instanceof WorkspaceError)) return new WorkspaceError({ path, problem }, { cause })
  const { path: of, problem: reason } = cause.details
  return new WorkspaceError({ path, problem: `${problem} (${of}: ${reason})`, hint: cause.hint }, { cause })
}

/**
 * Descends from the base one step at a time, each opened through its parent, so that no step can be swapped for a
 * link.
 */
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

/**
 * Checks every step from the base to the path. The base itself, and what is above it, are the user's own business. Returns
 * what is at the path; null if nothing is.
 */
async function refuseLinks(path: string, base: string): Promise<Stats | null> {
  const steps = stepsBetween(base, path)
  if (steps[0] === '..') throw new WorkspaceError({ path, problem: `the directory is not in ${base}` })
  let current = resolve(base)
  let stats: Stats | null = null
  for (const step of steps) {
    current = join(current, step)
    stats = await lstat(current).catch(() => null)
    if (stats?.isSymbolicLink()) {
      throw new WorkspaceError({
        path: current,
        problem: "this is a symbolic link, which could lead out of the agent's directory",
        hint: 'Remove it, or remove the agent.',
      })
    }
    if (stats && !stats.isDirectory())
      throw new WorkspaceError({ path: current, problem: 'this is not a directory' })
  }
  return stats
}

const stepsBetween = (base: string, path: string): string[] =>
  relative(resolve(base), resolve(path)).split(sep).filter(Boolean)

function commonDirectory({ workspace, home }: AgentDirectories): string {
  const [one, other] = [resolve(workspace).split(sep), resolve(home).split(sep)]
  let common = 0
  while (common < one.length - 1 && one[common] === other[common]) common += 1
  return one.slice(0, common).join(sep) || sep
}
