/** Moves staged input to its target in the workspace, replacing an existing entry without following it. */
import { lstat, mkdir, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '../../events/errors/phrases.ts'
import { WorkspaceError } from '../../events/errors/workspace.ts'
import { type Directory, openChild, openDirectory, PRIVATE_DIRECTORY, SWAPPED } from './directory.ts'
import type { PlacingStep } from './file-copy.ts'
import { about, unless } from './file-problems.ts'

export interface Replacement {
  readonly staging: Directory
  /** The name in the staging directory. */
  readonly name: string
  readonly isDirectory: boolean
  readonly workspace: string
  /** Normalized. */
  readonly target: string
  /** The name beside the target under which the entry that is there is kept. Default: it is removed. */
  readonly keepAs?: string
  readonly onStep: (step: PlacingStep) => void | Promise<void>
}

/** Creates the missing directories above the target, and renames the staged input into the last of them. */
export async function putInPlace(replacement: Replacement): Promise<void> {
  const { workspace, target, staging, onStep } = replacement
  await about(join(workspace, target), async () => {
    await using parent = await openParent(workspace, target, staging.addressing)
    await onStep({ name: 'parent-opened', path: target })
    await parent.checkUnmoved()
    await replace(replacement, parent, basename(target))
    await parent.checkUnmoved()
  })
}

async function openParent(
  workspace: string,
  target: string,
  addressing: Directory['addressing'],
): Promise<Directory> {
  let current = await openDirectory(workspace, addressing)
  for (const name of dirname(target).split('/')) {
    if (name === '.') continue
    await using parent = current
    await unless(['EEXIST'], mkdir(parent.at(name), { mode: PRIVATE_DIRECTORY }))
    current = await openStep(parent, name)
  }
  return current
}

async function openStep(parent: Directory, name: string): Promise<Directory> {
  try {
    return await openChild(parent, name)
  } catch (cause) {
    if (!SWAPPED.includes(codeOf(cause))) throw cause
    throw new WorkspaceError(
      {
        path: join(parent.path, name),
        problem: 'this is a symbolic link or a file, but the inputs of the task need a directory here',
        hint: 'Remove it, or choose another target.',
      },
      { cause },
    )
  }
}

/**
 * A link is replaced itself. If the old entry is kept, or the old or the new one is a directory, the old one is moved
 * aside first, and back on failure.
 */
async function replace(
  { staging, name, isDirectory, keepAs }: Replacement,
  parent: Directory,
  into: string,
): Promise<void> {
  const found = await unless(['ENOENT'], lstat(parent.at(into)))
  const aside = keepAs === undefined ? staging.at(`${name}-replaced`) : parent.at(keepAs)
  const move = found !== null && (keepAs !== undefined || isDirectory || found.isDirectory())
  if (move) await rename(parent.at(into), aside)
  try {
    await rename(staging.at(name), parent.at(into))
  } catch (error) {
    if (move) await rename(aside, parent.at(into)).catch(() => {})
    throw error
  }
}
